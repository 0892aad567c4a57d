"""OpenAI's messages, of which LangGraph's and AG-UI's clients send parts, as neutral ones."""

from __future__ import annotations

from typing import Any

import orjson

from .._json import loads
from ._content import (
    Block,
    inline_block,
    media_block,
    neutral_message,
    refused,
    text_block,
    text_of,
)

NOT_TAKEN = ("reasoning_content", "function_call", "audio")
"""Of a message what has no place in a model's conversation, or is older than tool calls."""
AUDIO = {"mp3": "audio/mpeg", "wav": "audio/wav"}


def conversation(messages: Any, dropped: set[str]) -> list[Any]:
    """OpenAI's messages as neutral ones.

    Args:
        messages: A list of them.
        dropped: Takes the names of what is left out of them.

    Raises:
        InvalidInput: They are not such messages. The error names the place.
    """
    if not isinstance(messages, list):
        raise refused("messages", "expected a list of messages")
    said = [_message(f"messages.{n}", message) for n, message in enumerate(messages)]
    dropped.update(key for message in messages for key in NOT_TAKEN if message.get(key))
    return said


def _message(path: str, message: Any) -> dict[str, Any]:
    role = message.get("role") if isinstance(message, dict) else None
    if role not in ("developer", "system", "user", "assistant", "tool"):
        raise refused(f"{path}.role", "expected system, developer, user, assistant or tool")
    said = neutral_message(path, message, _block)
    if not said["content"] and isinstance(message.get("refusal"), str):
        said["content"] = message["refusal"]
    if role == "tool":
        said["tool_call_id"] = text_of(f"{path}.tool_call_id", message.get("tool_call_id"))
    if calls := message.get("tool_calls"):
        said["tool_calls"] = tool_calls(f"{path}.tool_calls", calls)
    return said


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
    """OpenAI's tool calls as neutral ones.

    A model may have made one with arguments that are no object as JSON. It has been sent as it was
    made, so it is taken back, without arguments.
    """
    found = []
    for n, call in enumerate(calls if isinstance(calls, list) else [calls]):
        match call:
            case {"id": str(id_), "function": {"name": str(name), "arguments": str(arguments)}}:
                found.append({"id": id_, "name": name, "args": _arguments(arguments)})
            case _:
                raise refused(f"{path}.{n}", "expected a tool call with its id and function")
    return found


def _arguments(text: str) -> dict[str, Any]:
    try:
        known = loads(text)
    except orjson.JSONDecodeError:
        return {}
    return known if isinstance(known, dict) else {}


def with_answers_in_place(messages: list[Any]) -> list[Any]:
    """Neutral messages as OpenAI and Anthropic take them, of a client that has them as they came.

    Each answer is behind the message that has its call, and no call is without one but those of the
    last message, which are still to be answered.
    """
    return _without_open_calls(_in_order(messages))


def _in_order(messages: list[Any]) -> list[Any]:
    """The messages with each answer behind its call, and not behind what was said meanwhile."""
    groups: list[list[Any]] = []
    asking: dict[str | None, list[Any]] = {}
    for message in messages:
        group = asking.get(message.get("tool_call_id"))
        if group is None:
            group = []
            groups.append(group)
        group.append(message)
        asking |= {call["id"]: group for call in message.get("tool_calls", ())}
    return [message for group in groups for message in group]


def _without_open_calls(messages: list[Any]) -> list[Any]:
    """The messages without calls that have no answer before the next turn.

    A run that stopped, was cancelled or failed leaves such calls with the client, and providers
    refuse a conversation that has one. Calls of the last message are still to be answered.
    """
    answered = {each.get("tool_call_id") for each in messages}
    found = []
    for message in messages[:-1]:
        calls = message.get("tool_calls", [])
        kept = [call for call in calls if call["id"] in answered]
        if len(kept) < len(calls):
            message = {key: value for key, value in message.items() if key != "tool_calls"}
            if kept:
                message["tool_calls"] = kept
            elif not message["content"]:
                continue
        found.append(message)
    return found + messages[-1:]
