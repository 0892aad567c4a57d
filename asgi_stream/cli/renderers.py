"""What a person is shown of a stream, whatever its format: text, tools, results, errors."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from ..client._connection import DONE, Frame, httpx

Kind = Literal["text", "reasoning", "call", "arguments", "result", "failure", "note", "error"]


class Shown(NamedTuple):
    """A piece of what is shown.

    Attributes:
        kind: What it is; ``arguments`` go on with the last ``call``, a ``failure`` is a tool's, and
            an ``error`` the run's.
        text: The piece itself.
    """

    kind: Kind
    text: str


def shown(format: str | None, frame: Frame, streamed: set[str]) -> Iterator[Shown]:
    """What `frame`, in that format, has to show. A format that is not known here shows its data.

    Args:
        format: The format's name.
        frame: The frame.
        streamed: The models that have spoken so far, for the frames that follow.
    """
    if format == "text":
        yield Shown("text", frame.data)
        return
    if not frame.data or frame.data == DONE:
        return
    try:
        value = frame.json()
    except httpx.DecodingError:
        yield Shown("note", frame.data)
        return
    read = _READERS.get(format or "", _whole)
    if isinstance(value, dict) and isinstance(value.get("error"), dict):
        told = value["error"]
        code, error_id = told.get("code"), told.get("id")
        yield Shown("error", f"{told.get('message')} ({code}, error id {error_id})")
    elif isinstance(value, dict) and value.keys() in ({"interrupted"}, {"gap"}):
        yield Shown("note", frame.data)
    else:
        if isinstance(value, dict) and str(value.get("event", "")).startswith("on_"):
            yield from _whole_message(value, streamed)
        yield from read(frame.event, value)


def format_of(frame: Frame) -> str | None:
    """The format that a frame is of, for a server that does not say; None if many have such."""
    if frame.event:
        return "langgraph" if frame.event in ("values", "updates", "messages") else None
    value: Any = frame.json() if frame.data.startswith("{") else None
    match value:
        case {"token": str()} if len(value) == 1:
            return "tokens"
        case {"object": "chat.completion.chunk"}:
            return "openai"
        case {"event": str(), "run_id": str(), "data": dict()}:
            return "events"
        case {"type": "start"}:
            return "vercel"
        case {"type": "RUN_STARTED"}:
            return "agui"
    return None


def _whole(event: str, value: Any) -> Iterator[Shown]:
    match value:
        case str():
            yield Shown("text", value)
        case {"content": str(content), "type": str()}:
            yield Shown("text", content)
        case _:
            yield Shown("note", f"{event}: {_short(value)}" if event else _short(value))


def _tokens(event: str, value: Any) -> Iterator[Shown]:
    yield Shown("text", str(value.get("token", "")))


def _events(event: str, value: Any) -> Iterator[Shown]:
    name, data = value.get("event", ""), value.get("data") or {}
    match name:
        case "on_chat_model_stream" | "on_llm_stream":
            yield from _message(data.get("chunk"))
        case "on_tool_start":
            yield Shown("call", f"{value['name']}({_short(data.get('input', ''))})")
        case "on_tool_end":
            yield Shown("result", _answer(data.get("output")))
        case "on_tool_error":
            yield Shown("failure", f"{value['name']} failed")
        case "on_retriever_end":
            found = data.get("output")
            count = len(found) if isinstance(found, list) else 0
            yield Shown("result", f"{value['name']}: {count} documents")
        case "on_custom_event":
            yield Shown("note", f"{value['name']}: {_short(data)}")


def _whole_message(event: dict[str, Any], streamed: set[str]) -> Iterator[Shown]:
    """What a model says that does not stream."""
    name, run_id = event["event"], str(event.get("run_id"))
    if name == "on_chat_model_stream":
        streamed.add(run_id)
    elif name == "on_chat_model_end" and run_id not in streamed:
        yield from _message((event.get("data") or {}).get("output"))


def _message(message: Any) -> Iterator[Shown]:
    known = isinstance(message, dict)
    content: Any = message.get("content", message.get("text")) or "" if known else ""
    for block in [content] if isinstance(content, str) else content:
        match block:
            case str() if block:
                yield Shown("text", block)
            case {"type": "text", "text": str(text)}:
                yield Shown("text", text)
            case {"type": "reasoning", "reasoning": str(text)}:
                yield Shown("reasoning", text)


def _vercel(event: str, value: Any) -> Iterator[Shown]:
    match value:
        case {"type": "text-delta", "delta": text}:
            yield Shown("text", text)
        case {"type": "reasoning-delta", "delta": text}:
            yield Shown("reasoning", text)
        case {"type": "tool-input-available", "toolName": name, "input": given}:
            yield Shown("call", f"{name}({_short(given)})")
        case {"type": "tool-output-available", "output": output}:
            yield Shown("result", _answer(output))
        case {"type": "tool-output-error" | "tool-input-error", "errorText": text}:
            yield Shown("failure", text)
        case {"type": "error", "errorText": text}:
            yield Shown("error", text)
        case {"type": "abort"}:
            yield Shown("error", "The run was stopped.")
        case {"type": str(kind), "data": data} if kind.startswith("data-"):
            yield Shown("note", f"{kind.removeprefix('data-')}: {_short(data)}")
        case {"type": "source-url", "url": url}:
            yield Shown("note", f"source: {url}")
        case {"type": "finish", "messageMetadata": {"usage": usage}}:
            yield Shown("note", f"usage: {_short(usage)}")


def _openai(event: str, value: Any) -> Iterator[Shown]:
    for choice in value.get("choices") or ():
        delta = choice.get("delta") or choice.get("message") or {}
        if text := delta.get("reasoning_content"):
            yield Shown("reasoning", text)
        if text := delta.get("content"):
            yield Shown("text", text)
        for call in delta.get("tool_calls") or ():
            function = call.get("function") or {}
            if name := function.get("name"):
                yield Shown("call", name + " ")
            yield Shown("arguments", function.get("arguments") or "")
    if value.get("usage"):
        yield Shown("note", f"usage: {_short(value['usage'])}")


def _agui(event: str, value: Any) -> Iterator[Shown]:
    match value:
        case {"type": "TEXT_MESSAGE_CONTENT", "delta": text}:
            yield Shown("text", text)
        case {"type": "REASONING_MESSAGE_CONTENT", "delta": text}:
            yield Shown("reasoning", text)
        case {"type": "TOOL_CALL_START", "toolCallName": name}:
            yield Shown("call", f"{name} ")
        case {"type": "TOOL_CALL_ARGS", "delta": text}:
            yield Shown("arguments", text)
        case {"type": "TOOL_CALL_RESULT", "content": text}:
            yield Shown("result", text)
        case {"type": "STEP_STARTED", "stepName": name}:
            yield Shown("note", name)
        case {"type": "CUSTOM", "name": name, "value": data}:
            yield Shown("note", f"{name}: {_short(data)}")
        case {"type": "RUN_ERROR", "message": message}:
            yield Shown("error", f"{message} ({value.get('code')})")


def _langgraph(event: str, value: Any) -> Iterator[Shown]:
    match event.partition("|")[0], value:
        case "messages", [{"type": "tool"} as message, _]:
            yield Shown("result", _answer(message))
        case "messages", [dict(message), _]:
            for call in message.get("tool_calls") or ():
                yield Shown("call", f"{call.get('name')}({_short(call.get('args'))})")
            yield from _message(message)
        case "updates", dict():
            yield Shown("note", ", ".join(value))
        case "custom", _:
            yield Shown("note", f"custom: {_short(value)}")
        case "error", {"message": message}:
            yield Shown("error", f"{message} ({value.get('error')}, error id {value.get('id')})")


def _langserve(event: str, value: Any) -> Iterator[Shown]:
    match event, value:
        case "error", {"message": message}:
            yield Shown("error", f"{message} ({value.get('code')}, error id {value.get('id')})")
        case "metadata" | "end", _:
            return
        case _, {"event": str(), "run_id": str()}:
            yield from _events(event, value)
        case _:
            yield from _whole("", value)


_READERS: Mapping[str, Callable[[str, Any], Iterator[Shown]]] = {
    "tokens": _tokens,
    "events": _events,
    "vercel": _vercel,
    "openai": _openai,
    "agui": _agui,
    "langgraph": _langgraph,
    "langserve": _langserve,
}


def _answer(output: Any) -> str:
    if isinstance(output, dict) and "content" in output:
        output = output["content"]
    return output if isinstance(output, str) else _short(output)


def _short(value: Any, most: int = 500) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= most else text[: most - 1] + "…"
