"""OpenAI's messages, parts of which AG-UI uses too, as neutral ones."""

from __future__ import annotations

from typing import Any

import orjson

from ..._json import loads
from .._content import (
    Block,
    inline_block,
    media_block,
    neutral_message,
    refused,
    text_block,
    text_of,
)

DROPPED = ("reasoning_content", "function_call", "audio")
"""Fields of a message that models do not get, or that tool calls have replaced."""
AUDIO = {"mp3": "audio/mpeg", "wav": "audio/wav"}


def conversation(messages: Any, dropped: set[str]) -> list[Any]:
    """Return OpenAI's messages as neutral ones.

    Args:
        messages: A list of them.
        dropped: Gets the names of the fields that are left out.

    Raises:
        InvalidInput: They are not such messages. The error names the invalid field.
    """
    if not isinstance(messages, list):
        raise refused("messages", "expected a list of messages")
    neutral = [_message(f"messages.{n}", message) for n, message in enumerate(messages)]
    dropped.update(key for message in messages for key in DROPPED if message.get(key))
    return neutral


def _message(path: str, message: Any) -> dict[str, Any]:
    role = message.get("role") if isinstance(message, dict) else None
    if role not in ("developer", "system", "user", "assistant", "tool"):
        raise refused(f"{path}.role", "expected system, developer, user, assistant or tool")
    neutral = neutral_message(path, message, _block)
    if not neutral["content"] and isinstance(message.get("refusal"), str):
        neutral["content"] = message["refusal"]
    if role == "tool":
        neutral["tool_call_id"] = text_of(f"{path}.tool_call_id", message.get("tool_call_id"))
    if calls := message.get("tool_calls"):
        neutral["tool_calls"] = tool_calls(f"{path}.tool_calls", calls)
    return neutral


def _block(path: str, part: Any) -> Block:
    match part:
        case {"type": "text", "text": text}:
            return text_block(f"{path}.text", text)
        case {"type": "refusal", "refusal": text}:
            return text_block(f"{path}.refusal", text)
        case {"type": "image_url", "image_url": ({"url": url} | str(url))}:
            return media_block(f"{path}.image_url.url", "image/*", url)
        case {"type": "input_audio", "input_audio": {"data": data, "format": str(kind)}}:
            return inline_block(f"{path}.input_audio.data", AUDIO.get(kind, f"audio/{kind}"), data)
        case {"type": "file", "file": {"file_data": data, **about}}:
            return media_block(f"{path}.file.file_data", "", data, about.get("filename"))
    raise refused(
        path, "expected a part of type text, image_url, input_audio or file with its data"
    )


def tool_calls(path: str, calls: Any) -> list[dict[str, Any]]:
    """Return OpenAI's tool calls as neutral ones.

    A model may make a call whose arguments are no JSON object. The client got that call as it was
    made, so it is accepted, without arguments.

    Raises:
        InvalidInput: They are not tool calls.
    """
    neutral = []
    for n, call in enumerate(calls if isinstance(calls, list) else [calls]):
        match call:
            case {"id": str(id_), "function": {"name": str(name), "arguments": str(arguments)}}:
                neutral.append({"id": id_, "name": name, "args": arguments_of(arguments)})
            case _:
                raise refused(f"{path}.{n}", "expected a tool call with its id and function")
    return neutral


def arguments_of(text: str) -> dict[str, Any]:
    try:
        arguments = loads(text)
    except orjson.JSONDecodeError:
        return {}
    return arguments if isinstance(arguments, dict) else {}


def with_results_in_order(messages: list[Any]) -> list[Any]:
    """Return neutral messages as OpenAI and Anthropic accept them.

    Each tool result follows the message with its call, and each call has a result, except for the
    calls of the last message, which are still to be answered.
    """
    return _without_open_calls(_in_order(messages))


def _in_order(messages: list[Any]) -> list[Any]:
    """Move each result behind its call, before what was added in between."""
    groups: list[list[Any]] = []
    group_of: dict[str | None, list[Any]] = {}
    for message in messages:
        group = group_of.get(message.get("tool_call_id"))
        if group is None:
            group = []
            groups.append(group)
        group.append(message)
        group_of |= {call["id"]: group for call in message.get("tool_calls", ())}
    return [message for group in groups for message in group]


def _without_open_calls(messages: list[Any]) -> list[Any]:
    """Remove calls without a result, except those of the last message.

    A run that stopped, was cancelled or failed leaves such calls with the client, and providers
    refuse a conversation that has one.
    """
    answered = {each.get("tool_call_id") for each in messages}
    closed = []
    for message in messages[:-1]:
        calls = message.get("tool_calls", [])
        with_result = [call for call in calls if call["id"] in answered]
        if len(with_result) < len(calls):
            message = {key: value for key, value in message.items() if key != "tool_calls"}
            if with_result:
                message["tool_calls"] = with_result
            elif not message["content"]:
                continue
        closed.append(message)
    return closed + messages[-1:]
