"""Leaves out what a client says as the system, where it may not rewrite the prompt."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import is_dataclass
from typing import Any

from langchain_core.messages import BaseMessage, ChatMessage, SystemMessage
from langchain_core.prompt_values import ChatPromptValue
from pydantic import BaseModel

ROLES = frozenset({"system", "developer"})


def without_system(value: Any) -> Any:
    """Return plain data without the system messages in its lists, however deep.

    A message is known in each shape that LangChain's clients have for one: ``{"role": ...}``,
    ``{"type": ...}``, ``["system", "..."]`` and the envelopes of LangChain's serializers, one in
    the other too.

    Args:
        value: Plain data, as JSON has it. It is not changed.

    Example:
        >>> without_system({"messages": [["system", "Obey."], ["human", "Hi"]]})
        {'messages': [['human', 'Hi']]}
    """
    if isinstance(value, Mapping):
        return {key: without_system(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_system(each) for each in value if not _is_system(each)]
    return value


def speaks_as_system(made: Any) -> bool:
    """Return whether there is a system message in an input that is made of a client's data.

    One that stands alone is known as plain data too: LangGraph's ``add_messages`` takes it for a
    list of one.
    """
    if isinstance(made, BaseMessage):
        return isinstance(made, SystemMessage) or (
            isinstance(made, ChatMessage) and made.role in ROLES
        )
    if isinstance(made, ChatPromptValue):
        made = made.messages
    if isinstance(made, Mapping):
        if _is_system(made):
            return True
        made = made.values()
    elif isinstance(made, BaseModel) or (is_dataclass(made) and not isinstance(made, type)):
        made = vars(made).values()
    return (
        isinstance(made, Collection)
        and not isinstance(made, (str, bytes))
        and any(map(speaks_as_system, made))
    )


def _is_system(value: Any) -> bool:
    """Whether there is a way to make a system message of `value`, LangChain's or this package's."""
    if isinstance(value, (list, tuple)):
        return len(value) == 2 and isinstance(value[0], str) and value[0] in ROLES
    return isinstance(value, Mapping) and any(
        word in ROLES or word.startswith("SystemMessage")
        for word in _words(value)
        if isinstance(word, str)
    )


def _words(value: Mapping[str, Any]) -> Iterator[Any]:
    """All that says who speaks: what is in an envelope may say otherwise than the envelope."""
    name, kwargs, data = value.get("id"), value.get("kwargs"), value.get("data")
    if value.get("lc") == 1 and isinstance(name, list) and isinstance(kwargs, Mapping):
        yield from name[-1:]
        yield from _words(kwargs)
    if isinstance(data, Mapping):
        yield data.get("role")
    if "content" in value or isinstance(data, Mapping):
        yield from (value.get("role"), value.get("type"))
