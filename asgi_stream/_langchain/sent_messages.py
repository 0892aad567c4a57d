"""What LangChain's clients send for its messages and other objects, as Python has them."""

from __future__ import annotations

import json
from typing import Any

from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    convert_to_messages,
)

from .messages import MESSAGES

OF_CLASS = {kind.__name__: name for name, kind in MESSAGES.items()} | {"RemoveMessage": "remove"}
"""The ``type`` of a message by its class's name, which LangChain's constructor objects have."""
WRITTEN = frozenset({"type", "content", "additional_kwargs", "response_metadata"})
"""The fields that LangChain writes of each message, in Python and in JavaScript."""
PIECES = frozenset({"tool_call_chunks", "chunk_position"})
"""The fields that a chunk has and its whole message has not."""
IN_PYTHON = {
    "pageContent": "page_content",
    "toolInput": "tool_input",
    "returnValues": "return_values",
    "messageLog": "message_log",
}
"""Names of fields in JavaScript's classes, which it sends, that are others in Python's."""


def message_of(value: Any, *, pieces: bool = False) -> BaseMessage:
    """A message from what LangChain's clients send for one.

    Messages of any class in `MESSAGES` as pydantic and as ``messages_to_dict`` write them, the
    constructor objects of LangChain's own serializer, and all that ``convert_to_messages`` takes.

    Args:
        value: What a client has sent.
        pieces: Whether a chunk is to be one piece of several: the pieces of its tool calls count
            then, otherwise the calls that its sender has made of them.

    Raises:
        Exception: It is no message; LangChain raises errors of many kinds.
    """
    if isinstance(value, dict):
        value = _with_readable_calls(flat(value))
        name = value.get("type")
        if name == "generic":  # JavaScript's
            name = "chat"
            value = {**value, "type": name}
        kind = MESSAGES.get(name) if isinstance(name, str) else None
        if kind is AIMessageChunk and not pieces and _has_calls(value):
            kind = AIMessage
        if kind is AIMessage:
            # Of the pieces LangChain would make calls again, and more than there were.
            value = {key: each for key, each in value.items() if key not in PIECES}
            value["type"] = "ai"
        if kind is not None and "content" in value and _is_written(value, kind):
            try:
                return kind.model_validate(value)
            except Exception:
                pass  # OpenAI's tool calls, for one, or no content
    return convert_to_messages([value])[0]


def _is_written(value: dict[str, Any], kind: type[BaseMessage]) -> bool:
    """Whether a message is as LangChain writes it, or has nothing but fields of its class.

    LangChain writes of a message, besides, what a class of its sender's own has. One with a role
    of its own is made in no other way.
    """
    written = value.keys() >= WRITTEN or value.keys() <= kind.model_fields.keys()
    return written or issubclass(kind, ChatMessage)


def _with_readable_calls(value: dict[str, Any]) -> dict[str, Any]:
    """A message whose tool calls, if they are OpenAI's, have arguments that can be read."""
    calls = value.get("tool_calls")
    if not isinstance(calls, list):
        return value
    return {**value, "tool_calls": [_readable(call) for call in calls]}


def _readable(call: Any) -> Any:
    """OpenAI's tool call with its arguments read, without any if they are no object as JSON.

    A model may make such a call. It has been sent as it was made, so it is taken back.
    """
    match call:
        case {"function": {"arguments": str(text), **function}}:
            pass
        case _:
            return call
    try:
        known = json.loads(text, strict=False)  # as LangChain reads it
    except ValueError:
        known = None
    arguments = known if isinstance(known, dict) else {}
    return {**call, "function": {**function, "arguments": arguments}}


def _has_calls(value: dict[str, Any]) -> bool:
    return bool(value.get("tool_calls") or value.get("invalid_tool_calls"))


def flat(value: dict[str, Any]) -> dict[str, Any]:
    """An object of LangChain's as one flat object, where a client has sent it in an envelope."""
    if is_envelope(value):
        name = value["id"][-1]
        return {**_flat_within(value["kwargs"]), "type": OF_CLASS.get(name, name)}
    data = value.get("data")
    if isinstance(data, dict) and "content" not in value and isinstance(value.get("type"), str):
        return {**data, "type": value["type"]}
    return value


def is_envelope(value: Any) -> bool:
    """Whether this is a constructor object of LangChain's serializer."""
    if not isinstance(value, dict) or value.get("lc") != 1:
        return False
    name = value.get("id")
    named = isinstance(name, list) and bool(name) and isinstance(name[-1], str)
    return named and isinstance(value.get("kwargs"), dict)


def as_python_has_it(value: dict[str, Any]) -> dict[str, Any]:
    """An object of LangChain's out of its envelope, or as JavaScript has it, by its own names."""
    if is_envelope(value):
        value = flat(value)
    if "value" in value and ("lc_kwargs" in value or value.get("type") == "StringPromptValue"):
        return {"text": value["value"]}
    if IN_PYTHON.keys().isdisjoint(value):
        return value
    return {IN_PYTHON.get(name, name): each for name, each in value.items()}


def _flat_within(value: Any) -> Any:
    """Plain data with its constructor objects flat, and a dict of the user's own as it was.

    The serializer escapes such a dict if it has the key ``lc``.
    """
    if isinstance(value, list):
        return [_flat_within(each) for each in value]
    if is_envelope(value):
        return flat(value)
    if not isinstance(value, dict):
        return value
    if value.keys() == {"__lc_escaped__"}:
        return value["__lc_escaped__"]
    return {key: _flat_within(inner) for key, inner in value.items()}
