"""Messages and other objects in the forms that LangChain's clients send them."""

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

TYPES = {kind.__name__: name for name, kind in MESSAGES.items()} | {"RemoveMessage": "remove"}
"""The ``type`` of a message by the name of its class, which constructor objects have."""
SERIALIZED_FIELDS = frozenset({"type", "content", "additional_kwargs", "response_metadata"})
"""The fields that LangChain serializes of every message, in Python and in JavaScript."""
CHUNK_FIELDS = frozenset({"tool_call_chunks", "chunk_position"})
"""The fields of a chunk that a whole message does not have."""
PYTHON_NAMES = {
    "pageContent": "page_content",
    "toolInput": "tool_input",
    "returnValues": "return_values",
    "messageLog": "message_log",
}
"""Fields of LangChain's JavaScript classes that have another name in Python."""


def message_of(value: Any, *, keep_chunks: bool = False) -> BaseMessage:
    """Return the message that a LangChain client sent.

    Accepts messages of any class in `MESSAGES` as serialized by pydantic and ``messages_to_dict``,
    the constructor objects of LangChain's own serializer, and anything that ``convert_to_messages``
    accepts.

    Args:
        value: The client's data.
        keep_chunks: Keep a chunk as one of several: its ``tool_call_chunks`` count. Otherwise it
            becomes a whole message with the tool calls that the sender parsed.

    Raises:
        Exception: It is not a message; LangChain raises exceptions of many kinds.
    """
    if isinstance(value, dict):
        value = _with_parsed_calls(unwrapped(value))
        name = value.get("type")
        if name == "generic":  # JavaScript's name of ChatMessage
            name = "chat"
            value = {**value, "type": name}
        kind = MESSAGES.get(name) if isinstance(name, str) else None
        if kind is AIMessageChunk and not keep_chunks and _has_calls(value):
            kind = AIMessage
        if kind is AIMessage:
            # LangChain would parse the chunks again, and find more calls than the sender did.
            value = {key: inner for key, inner in value.items() if key not in CHUNK_FIELDS}
            value["type"] = "ai"
        if kind is not None and "content" in value and _is_serialized(value, kind):
            try:
                return kind.model_validate(value)
            except Exception:
                pass  # OpenAI's tool calls, for example, or no content
    return convert_to_messages([value])[0]


def _is_serialized(value: dict[str, Any], kind: type[BaseMessage]) -> bool:
    """Whether LangChain serialized the message, or it has only fields of its class.

    A serialized message may have more fields, if its sender's class is a subclass. A `ChatMessage`
    can be built in no other way.
    """
    complete = value.keys() >= SERIALIZED_FIELDS or value.keys() <= kind.model_fields.keys()
    return complete or issubclass(kind, ChatMessage)


def _with_parsed_calls(value: dict[str, Any]) -> dict[str, Any]:
    calls = value.get("tool_calls")
    if not isinstance(calls, list):
        return value
    return {**value, "tool_calls": [_parsed_call(call) for call in calls]}


def _parsed_call(call: Any) -> Any:
    """Return OpenAI's tool call with its arguments parsed; ``{}`` if they are no JSON object.

    A model may produce such a call. The client received it from this server and sends it back, so
    it has to be accepted.
    """
    match call:
        case {"function": {"arguments": str(text), **function}}:
            pass
        case _:
            return call
    try:
        parsed = json.loads(text, strict=False)  # as LangChain does
    except ValueError:
        parsed = None
    arguments = parsed if isinstance(parsed, dict) else {}
    return {**call, "function": {**function, "arguments": arguments}}


def _has_calls(value: dict[str, Any]) -> bool:
    return bool(value.get("tool_calls") or value.get("invalid_tool_calls"))


def unwrapped(value: dict[str, Any]) -> dict[str, Any]:
    """Return one of LangChain's objects as a flat dict, without its envelope if it has one."""
    if is_envelope(value):
        name = value["id"][-1]
        return {**_unwrapped_deep(value["kwargs"]), "type": TYPES.get(name, name)}
    data = value.get("data")
    if isinstance(data, dict) and "content" not in value and isinstance(value.get("type"), str):
        return {**data, "type": value["type"]}
    return value


def is_envelope(value: Any) -> bool:
    """Return whether this is a constructor object of LangChain's serializer."""
    match value:
        case {"lc": 1, "id": [*_, str()], "kwargs": dict()}:
            return True
    return False


def with_python_names(value: dict[str, Any]) -> dict[str, Any]:
    """Return one of LangChain's objects without its envelope, with Python's names of its fields."""
    if is_envelope(value):
        value = unwrapped(value)
    if "value" in value and ("lc_kwargs" in value or value.get("type") == "StringPromptValue"):
        return {"text": value["value"]}
    if PYTHON_NAMES.keys().isdisjoint(value):
        return value
    return {PYTHON_NAMES.get(name, name): inner for name, inner in value.items()}


def _unwrapped_deep(value: Any) -> Any:
    """Return plain data with all constructor objects unwrapped.

    The serializer escapes a user's dict that has the key ``lc``; it is returned as it was.
    """
    if isinstance(value, list):
        return [_unwrapped_deep(item) for item in value]
    if is_envelope(value):
        return unwrapped(value)
    if not isinstance(value, dict):
        return value
    if value.keys() == {"__lc_escaped__"}:
        return value["__lc_escaped__"]
    return {key: _unwrapped_deep(inner) for key, inner in value.items()}
