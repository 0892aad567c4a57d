"""What clients make of the frames that they get: the messages of their next request.

As far as tool calls and text go. `as_vercel` is after npm ``ai``'s ``readUIMessageStream``,
`as_agui` after ``@ag-ui/client``'s ``defaultApplyEvents``, `as_openai` after what OpenAI's helpers
accumulate.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from langchain_core.messages import AIMessage, ToolMessage

Frame = dict[str, Any]
USER = {"id": "u1", "role": "user", "content": "Hi"}
TOOLS = [{"type": "function", "function": {"name": "add"}}]


def frames_of(wire: bytes) -> list[Frame]:
    """The JSON of each frame; only the first may have an id."""
    lines = [line.removeprefix("data: ") for line in wire.decode().split("\n") if line]
    if lines and lines[0].startswith("id: "):
        del lines[0]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def as_vercel(frames: list[Frame]) -> list[Frame]:
    """A ``UIMessage`` of an answer, between the user's."""
    parts: list[Frame] = []
    tools: dict[str, Frame] = {}
    open_: dict[str, Frame] = {}
    for frame in frames:
        kind = frame["type"]
        if kind == "start-step":
            parts.append({"type": "step-start"})
        elif kind == "finish-step":
            open_ = {}
        elif kind in ("text-start", "reasoning-start"):
            open_[frame["id"]] = {"type": kind.removesuffix("-start"), "text": ""}
            parts.append(open_[frame["id"]])
        elif kind in ("text-delta", "reasoning-delta"):
            open_[frame["id"]]["text"] += frame["delta"]
        elif kind in ("tool-input-start", "tool-input-available", "tool-input-error"):
            id_ = frame["toolCallId"]
            if id_ not in tools:
                tools[id_] = {"type": "dynamic-tool", "toolCallId": id_}
                parts.append(tools[id_])
            state = {"start": "input-streaming", "error": "output-error"}
            tools[id_]["state"] = state.get(kind.rpartition("-")[2], "input-available")
            tools[id_] |= {
                name: frame[name] for name in ("toolName", "input", "errorText") if name in frame
            }
        elif kind in ("tool-output-available", "tool-output-error"):
            known = tools[frame["toolCallId"]]
            known["state"] = kind.removeprefix("tool-")
            known |= {name: frame[name] for name in ("output", "errorText") if name in frame}
        elif kind.startswith(("file", "source-", "data-")) and not frame.get("transient"):
            parts.append(frame)
    user = {"id": "u", "role": "user", "parts": [{"type": "text", "text": "Hi"}]}
    return [user, {"id": "a", "role": "assistant", "parts": parts}, {**user, "id": "v"}]


def as_agui(frames: list[Frame]) -> list[Frame]:
    """AG-UI's messages."""
    messages: list[Frame] = []

    def assistant(id_: str) -> Frame:
        for message in messages:
            if message["id"] == id_:
                return message
        messages.append({"id": id_, "role": "assistant"})
        return messages[-1]

    calls: dict[str, Frame] = {}
    for frame in frames:
        kind = frame["type"]
        if kind == "TEXT_MESSAGE_START":
            assistant(frame["messageId"]).setdefault("content", "")
        elif kind == "TEXT_MESSAGE_CONTENT":
            message = assistant(frame["messageId"])
            message["content"] = message.get("content", "") + frame["delta"]
        elif kind == "TOOL_CALL_START":
            id_ = frame["toolCallId"]
            function = {"name": frame["toolCallName"], "arguments": ""}
            calls[id_] = {"id": id_, "type": "function", "function": function}
            message = assistant(frame.get("parentMessageId") or id_)
            message.setdefault("toolCalls", []).append(calls[id_])
        elif kind == "TOOL_CALL_ARGS":
            calls[frame["toolCallId"]]["function"]["arguments"] += frame["delta"]
        elif kind == "TOOL_CALL_RESULT":
            result = {"toolCallId": frame["toolCallId"], "content": frame["content"]}
            owners = [
                n
                for n, message in enumerate(messages)
                if any(each["id"] == frame["toolCallId"] for each in message.get("toolCalls", ()))
            ]
            place = owners[0] + 1 if owners else len(messages)
            while place < len(messages) and messages[place]["role"] == "tool":
                place += 1
            messages.insert(place, {"id": frame["messageId"], "role": "tool", **result})
    return [USER, *messages, {**USER, "id": "u2"}]


def as_openai(frames: list[Frame]) -> list[Frame]:
    """OpenAI's messages; the client answers the calls of its own tools."""
    message: Frame = {"role": "assistant", "content": ""}
    for delta in (each["delta"] for frame in frames for each in frame.get("choices", ())):
        message["content"] += delta.get("content") or ""
        for piece in delta.get("tool_calls") or ():
            calls = message.setdefault("tool_calls", [])
            if piece["index"] == len(calls):
                made = {name: value for name, value in piece.items() if name != "index"}
                calls.append({**made, "function": dict(made["function"])})
            else:
                calls[piece["index"]]["function"]["arguments"] += piece["function"]["arguments"]
    answers = [
        {"role": "tool", "tool_call_id": each["id"], "content": "3"}
        for each in message.get("tool_calls", ())
    ]
    return [USER, message, *answers, USER]


READERS: dict[str, Callable[[list[Frame]], list[Frame]]] = {
    "agui": as_agui,
    "openai": as_openai,
    "vercel": as_vercel,
}
BODIES: dict[str, Frame] = {
    "agui": {"threadId": "t", "runId": "r"},
    "openai": {"model": "m", "stream": True, "tools": TOOLS},
    "vercel": {"id": "c"},
}
FIRST: dict[str, list[Frame]] = {
    "agui": [USER],
    "openai": [USER],
    "vercel": [{"id": "u", "role": "user", "parts": [{"type": "text", "text": "Hi"}]}],
}


ENDPOINTS = {"openai": "/chat/completions"}


def check(messages: list[Any]) -> None:
    """Check what OpenAI and Anthropic want: a call's answers follow its message, each once."""
    open_: list[str] = []
    for message in messages:
        if isinstance(message, ToolMessage):
            assert message.tool_call_id in open_, messages
            open_.remove(message.tool_call_id)
            continue
        assert not open_, messages
        if isinstance(message, AIMessage):
            assert not message.invalid_tool_calls
            open_ = [str(each["id"]) for each in message.tool_calls]
            assert len(set(open_)) == len(open_), messages
            assert all(open_), messages
            assert all(isinstance(each["args"], dict) for each in message.tool_calls)
    assert not open_, messages
