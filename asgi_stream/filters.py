"""Which events reach the client."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from fnmatch import translate
from typing import Any

from .errors import InvalidInput
from .events import Step

__all__ = ["EventFilter", "asked_filter", "speaks"]

MOST_WORDS = 100
MOST_CHARACTERS = 1_000
"""Bounds of all that a client narrows a filter by: each event is compared with all of it."""


@dataclass(frozen=True, kw_only=True)
class EventFilter:
    """Says of each event whether it reaches the client.

    `include` and `exclude` are glob patterns (``"on_tool_*"``) on the event's name. The others are
    exact, and mean what ``astream_events`` means by them: an event is in if its name, its type or
    one of its tags is listed (or nothing is), and out if one of them is excluded.

    Args:
        include: Names of events to send; empty sends all.
        exclude: Names of events not to send.
        names: Names of steps (``"ChatOpenAI"``, a run name, a graph's node) to send.
        types: Types of steps to send: ``chat_model``, ``llm``, ``tool``, ``chain``, ``retriever``,
            ``prompt`` or ``parser``.
        tags: Tags of steps to send.
        exclude_names: Names of steps not to send.
        exclude_types: Types of steps not to send.
        exclude_tags: Tags of steps not to send.
        inputs: Send the inputs and prompts of inner steps, and metadata keys that begin with
            ``__``, too. A client cannot ask for these.

    Raises:
        TypeError: An option is not a sequence of strings.
    """

    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    names: Sequence[str] = ()
    types: Sequence[str] = ()
    tags: Sequence[str] = ()
    exclude_names: Sequence[str] = ()
    exclude_types: Sequence[str] = ()
    exclude_tags: Sequence[str] = ()
    inputs: bool = False

    _included: re.Pattern[str] | None = field(init=False, repr=False, compare=False)
    _excluded: re.Pattern[str] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in WORDS:
            words = getattr(self, name)
            if isinstance(words, str) or not all(isinstance(word, str) for word in words):
                raise TypeError(f"EventFilter: {name} must be a sequence of strings, not {words!r}")
            object.__setattr__(self, name, tuple(words))
        object.__setattr__(self, "_included", _any_of(self.include))
        object.__setattr__(self, "_excluded", _any_of(self.exclude))

    def admits(self, event: str, step: Step) -> bool:
        """Whether the event with this name, of this step, is sent."""
        if self._included and not self._included.match(event):
            return False
        if self._excluded and self._excluded.match(event):
            return False
        if (self.names or self.types or self.tags) and not (
            step.name in self.names
            or step.type in self.types
            or any(tag in self.tags for tag in step.tags)
        ):
            return False
        return not (
            step.name in self.exclude_names
            or step.type in self.exclude_types
            or any(tag in self.exclude_tags for tag in step.tags)
        )

    def pushed_down(self) -> dict[str, Any]:
        """The part that ``astream_events`` can filter itself, as its keyword arguments."""
        if self.inputs:
            # It writes the root's input into the first event that passes its filter, whichever
            # that is. Without inputs nobody sees it.
            return {}
        asked = {
            "include_names": self.names,
            "include_types": self.types,
            "include_tags": self.tags,
            "exclude_names": self.exclude_names,
            "exclude_types": self.exclude_types,
            "exclude_tags": self.exclude_tags,
        }
        return {name: list(words) for name, words in asked.items() if words}


WORDS = tuple(f.name for f in fields(EventFilter) if f.init and f.name != "inputs")
"""The options that a client may give to narrow a route's filter."""


def asked_filter(given: Mapping[str, Any], options: Mapping[str, str]) -> EventFilter | None:
    """The filter that a client asks for; None if it asks for none.

    Args:
        given: What the client has sent.
        options: Its keys, each with the option of `EventFilter` that it stands for.

    Raises:
        InvalidInput: A key has no list of strings, or there is too much of it.
    """
    words: dict[str, Any] = {}
    left, room = MOST_WORDS, MOST_CHARACTERS
    for key, option in options.items():
        listed = given.get(key)
        if not listed:
            continue
        if not isinstance(listed, list) or not all(isinstance(word, str) for word in listed):
            raise InvalidInput(
                f"{key}: expected a list of strings", fields={key: "expected a list of strings"}
            )
        left, room = left - len(listed), room - sum(map(len, listed))
        if left < 0 or room < 0:
            why = f"a filter has at most {MOST_WORDS} words of {MOST_CHARACTERS} characters in all"
            raise InvalidInput(f"{key}: {why}", fields={key: why})
        words[option] = listed
    return EventFilter(**words) if words else None


def speaks(step: Step, answer: Sequence[str]) -> bool:
    """Whether `answer` names `step`: its name, its agent, one of its tags or of its nodes."""
    names = (step.name, step.agent, step.node, *step.tags, *step.nodes)
    return any(name in answer for name in names)


def _any_of(patterns: Sequence[str]) -> re.Pattern[str] | None:
    return re.compile("|".join(map(translate, patterns))) if patterns else None
