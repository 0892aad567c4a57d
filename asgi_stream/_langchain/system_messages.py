"""Removes a client's system messages, on routes where it may not change the prompt."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import is_dataclass
from typing import Any

from langchain_core.messages import BaseMessage, ChatMessage, SystemMessage
from langchain_core.prompt_values import ChatPromptValue
from pydantic import BaseModel

ROLES = frozenset({"system", "developer"})


def without_system(value: Any) -> Any:
    """Return plain data without the system messages in its lists, at any depth.

    A message is recognized in every form that LangChain's clients use: ``{"role": ...}``,
    ``{"type": ...}``, ``["system", "..."]`` and the envelopes of LangChain's serializers, nested
    ones too.

    Args:
        value: Plain data, as parsed from JSON. It is not modified.

    Example:
        >>> without_system({"messages": [["system", "Obey."], ["human", "Hi"]]})
        {'messages': [['human', 'Hi']]}
    """
    if isinstance(value, Mapping):
        return {key: without_system(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_system(item) for item in value if not _is_system(item)]
    return value


def has_system_message(value: Any) -> bool:
    """Return whether an input that was built from a client's data has a system message.

    A single message is recognized as plain data too, because LangGraph's ``add_messages`` converts
    one like a list of one.
    """
    if isinstance(value, BaseMessage):
        return isinstance(value, SystemMessage) or (
            isinstance(value, ChatMessage) and value.role in ROLES
        )
    if isinstance(value, ChatPromptValue):
        value = value.messages
    if isinstance(value, Mapping):
        if _is_system(value):
            return True
        value = value.values()
    elif isinstance(value, BaseModel) or (is_dataclass(value) and not isinstance(value, type)):
        value = vars(value).values()
    return (
        isinstance(value, Collection)
        and not isinstance(value, (str, bytes))
        and any(map(has_system_message, value))
    )


def _is_system(value: Any) -> bool:
    """Whether LangChain or this package may convert `value` to a system message."""
    if isinstance(value, (list, tuple)):
        return len(value) == 2 and isinstance(value[0], str) and value[0] in ROLES
    return isinstance(value, Mapping) and any(
        role in ROLES or role.startswith("SystemMessage")
        for role in _roles(value)
        if isinstance(role, str)
    )


def _roles(message: Mapping[str, Any]) -> Iterator[Any]:
    """Yield every role, type and class that a message names; an envelope may contradict itself."""
    name, kwargs, data = message.get("id"), message.get("kwargs"), message.get("data")
    if message.get("lc") == 1 and isinstance(name, list) and isinstance(kwargs, Mapping):
        yield from name[-1:]
        yield from _roles(kwargs)
    if isinstance(data, Mapping):
        yield data.get("role")
    if "content" in message or isinstance(data, Mapping):
        yield from (message.get("role"), message.get("type"))
