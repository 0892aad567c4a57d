"""The input items of OpenAI's Responses, as neutral messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._content import (
    Block,
    inline_block,
    media_block,
    message_content,
    refused,
    text_block,
    text_of,
)
from .._openai.messages import AUDIO, arguments_of
from .tools import ADDED, model_tool_name

Message = dict[str, Any]

ROLES = ("assistant", "developer", "system", "user")
DROPPED = (
    "code_interpreter_call",
    "compaction",
    "computer_call",
    "computer_call_output",
    "file_search_call",
    "image_generation_call",
    "mcp_approval_request",
    "mcp_approval_response",
    "mcp_list_tools",
    "reasoning",
    "tool_search_call",
    "tool_search_output",
    "web_search_call",
)
"""Types of items that have no counterpart in a conversation."""


def input_messages(value: Any, dropped: set[str]) -> list[Message]:
    """Return the ``input`` of a request as neutral messages.

    Args:
        value: Text, or a list of items; None stands for one that is not known yet.
        dropped: Gets the types of the items that are left out.

    Raises:
        StreamError: It is no such input. The error names the invalid field.
    """
    if isinstance(value, str):
        return [{"role": "user", "content": value}]
    if not isinstance(value, list):
        raise refused("input", "expected text or a list of items")
    messages: list[Message] = []
    for n, item in enumerate(value):
        _add(messages, f"input.{n}", item, dropped)
    return messages


def _add(messages: list[Message], path: str, item: Any, dropped: set[str]) -> None:
    match item:
        case {"type": "function_call", "call_id": str(id_), "name": str(name)}:
            arguments = arguments_of(text_of(f"{path}.arguments", item.get("arguments")))
            _add_call(messages, id_, model_tool_name(name, item.get("namespace")), arguments)
        case {"type": "custom_tool_call", "call_id": str(id_), "name": str(name)}:
            arguments = {"input": text_of(f"{path}.input", item.get("input"))}
            _add_call(messages, id_, model_tool_name(name, item.get("namespace")), arguments)
        case {"type": "function_call_output" | "custom_tool_call_output", "call_id": str(id_)}:
            content = message_content(f"{path}.output", item.get("output"), _block)
            messages.append({"role": "tool", "tool_call_id": id_, "content": content})
        case {"type": "mcp_call", "id": str(id_), "name": str(name)}:
            id_ = text_of(f"{path}.call_id", item.get("call_id", id_))
            arguments = arguments_of(text_of(f"{path}.arguments", item.get("arguments")))
            _add_call(messages, id_, name, arguments)
            messages.append(_result(path, id_, item))
        case None:
            pass  # an item of an earlier response, which is not known yet
        case {"role": str(role)} if item.get("type", "message") == "message":
            messages.append(_message(path, role, item))
        case {"type": kind} if kind == ADDED:
            pass  # see client_tools
        case {"type": str(kind)} if kind in DROPPED:
            dropped.add(kind)
        case _:
            raise refused(path, "expected a message, function_call or function_call_output")


def _message(path: str, role: str, item: Mapping[str, Any]) -> Message:
    if role not in ROLES:
        raise refused(f"{path}.role", "expected user, assistant, system or developer")
    content = message_content(f"{path}.content", item.get("content"), _block)
    return {"role": "system" if role == "developer" else role, "content": content}


def _add_call(messages: list[Message], id_: str, name: str, arguments: Any) -> None:
    """Add a tool call to the message of the assistant that is last, or as a message of its own."""
    if not messages or messages[-1]["role"] != "assistant":
        messages.append({"role": "assistant", "content": ""})
    calls = messages[-1].setdefault("tool_calls", [])
    calls.append({"id": id_, "name": name, "args": arguments})


def _result(path: str, id_: str, item: Mapping[str, Any]) -> Message:
    """Return the result of a call that the server has executed."""
    result: Message = {"role": "tool", "tool_call_id": id_}
    match item:
        case {"error": {"content": [{"text": str(text)}, *_]}} | {"error": str(text)}:
            return {**result, "content": text, "status": "error"}
    return {**result, "content": text_of(f"{path}.output", item.get("output") or "")}


def _block(path: str, part: Any) -> Block:
    match part:
        case {"type": "input_text" | "output_text" | "text", "text": text}:
            return text_block(f"{path}.text", text)
        case {"type": "refusal", "refusal": text}:
            return text_block(f"{path}.refusal", text)
        case {"type": "input_image", "image_url": str(url)}:
            return media_block(f"{path}.image_url", "image/*", url)
        case {"type": "input_audio", "input_audio": {"data": data, "format": str(kind)}}:
            return inline_block(f"{path}.input_audio.data", AUDIO.get(kind, f"audio/{kind}"), data)
        case {"type": "input_file", "file_data": str(data)}:
            return media_block(f"{path}.file_data", "", data, part.get("filename"))
        case {"type": "input_file", "file_url": str(url)}:
            return media_block(f"{path}.file_url", "", url, part.get("filename"))
    raise refused(
        path,
        "expected a part of type input_text, output_text, input_image or input_file with its data",
    )
