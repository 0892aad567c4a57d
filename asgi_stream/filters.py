"""A filter of events."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from fnmatch import translate
from typing import Any

from .errors import InvalidInput
from .events import Step

__all__ = ["EventFilter", "is_answer_step", "parse_filter"]

STEP_TYPES = ("chat_model", "llm", "tool", "chain", "retriever", "prompt", "parser")

MAX_WORDS = 100
MAX_CHARACTERS = 1_000
"""Bounds of a client's filter, in all of its options: every event is matched against each word."""


@dataclass(frozen=True, kw_only=True)
class EventFilter:
    """Decides which events reach the client.

    `include` and `exclude` are glob patterns (``"on_tool_*"``) for the event's name. The other
    options are exact and have the semantics of ``astream_events``: an event passes if the name, the
    type or a tag of its step is listed (or nothing is listed), unless one of them is excluded.

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
        inputs: Also send the inputs and prompts of inner steps, and metadata keys that begin with
            ``__``. A client cannot request these.

    Raises:
        TypeError: An option is not a sequence of strings.

    Example:
        >>> EventFilter(include=["on_tool_*"], exclude_tags=["internal"]).include
        ('on_tool_*',)
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
            value = getattr(self, name)
            words = tuple(value) if isinstance(value, Iterable) else (value,)
            if isinstance(value, str) or not all(isinstance(word, str) for word in words):
                raise TypeError(f"EventFilter: {name} must be a sequence of strings, not {value!r}")
            object.__setattr__(self, name, words)
        object.__setattr__(self, "_included", _any_of(self.include))
        object.__setattr__(self, "_excluded", _any_of(self.exclude))

    def problems(self) -> Iterator[str]:
        """Yield one sentence for each type of steps that LangChain does not have."""
        for name in ("types", "exclude_types"):
            for word in getattr(self, name):
                if word not in STEP_TYPES:
                    yield f"filter: {name}: {word!r} is none of {', '.join(STEP_TYPES)}"

    def admits(self, event: str, step: Step) -> bool:
        """Return whether the event named `event`, emitted by `step`, is sent."""
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
        """Return the part that ``astream_events`` can apply, as its keyword arguments."""
        if self.inputs:
            # LangChain writes the root's input into the first event that passes its own filter,
            # whichever that is, so with inputs the filter is applied here only.
            return {}
        options = {
            "include_names": self.names,
            "include_types": self.types,
            "include_tags": self.tags,
            "exclude_names": self.exclude_names,
            "exclude_types": self.exclude_types,
            "exclude_tags": self.exclude_tags,
        }
        return {name: list(words) for name, words in options.items() if words}


WORDS = tuple(f.name for f in fields(EventFilter) if f.init and f.name != "inputs")
"""The options with which a client may narrow a route's filter."""


def parse_filter(body: Mapping[str, Any], options: Mapping[str, str]) -> EventFilter | None:
    """Return the filter in a client's request; None if it has none.

    Args:
        body: The request's body or query, with lists of strings.
        options: The keys to read, each with the option of `EventFilter` that it sets.

    Raises:
        InvalidInput: A value is not a list of strings, or the filter exceeds its bounds.
    """
    words: dict[str, Any] = {}
    for key, option in options.items():
        values = body.get(key)
        if not values:
            continue
        if not isinstance(values, list) or not all(isinstance(word, str) for word in values):
            raise InvalidInput.at(key, "expected a list of strings")
        words[option] = values
        used = [word for values in words.values() for word in values]
        if len(used) > MAX_WORDS or sum(map(len, used)) > MAX_CHARACTERS:
            raise InvalidInput.at(
                key,
                f"a filter may have at most {MAX_WORDS} words and {MAX_CHARACTERS} characters",
            )
    return EventFilter(**words) if words else None


def is_answer_step(step: Step, answer: Sequence[str]) -> bool:
    """Return whether `answer` lists the step's name, its agent, or one of its tags or nodes."""
    names = (step.name, step.agent, step.node, *step.tags, *step.nodes)
    return any(name in answer for name in names)


def _any_of(patterns: Sequence[str]) -> re.Pattern[str] | None:
    return re.compile("|".join(map(translate, patterns))) if patterns else None
