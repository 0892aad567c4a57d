"""The results of MCP's requests: tools, and what a call of one results in.

https://modelcontextprotocol.io/specification/2026-07-28/server/tools, which the revisions from
2025-06-18 on share.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...events import FileMade, Interrupt, RunError, RunFinished
from ...serialize import to_json
from .._decoded import RUN
from .._gathered import Gathered
from .._spec import Tool
from .._sse import decode_interrupts, error_from_text, error_text
from .messages import Call, Message

ERROR = "asgi-stream/error"
"""The key of an error's code and id in the metadata of a result."""

LIST_SECONDS = 60
"""How long clients may keep the list of tools. A route's functions may return others then."""

THREAD: Message = {
    "type": "string",
    "description": "The conversation to continue: the thread_id of an earlier result. By default a"
    " new one.",
}
RESUME: Message = {
    "description": "The answer to what an earlier result was interrupted by, instead of all other"
    " arguments but thread_id; or answers by the ids of the interrupts.",
}
INTERRUPTED: Message = {
    "type": "array",
    "description": "What the call waits for, instead of an output.",
    "items": {
        "type": "object",
        "required": ["id", "value"],
        "properties": {"id": {"type": "string"}, "value": {}},
    },
}


def tools_list(call: Call, tools: Sequence[Tool], threads: bool) -> Message:
    """Return the response to ``tools/list``.

    Args:
        call: The request.
        tools: The tools.
        threads: Whether calls may continue a conversation.
    """
    result: Message = {"tools": [_tool(each, threads) for each in tools]}
    if call.stateless:
        # Private, because the tools may depend on the caller.
        result |= {"ttlMs": LIST_SECONDS * 1000, "cacheScope": "private"}
    return call.reply(result)


def _tool(tool: Tool, threads: bool) -> Message:
    arguments, output = {**tool.input}, {**tool.output}
    definitions = output.pop("$defs", None)
    results: Message = {"output": output, "interrupted": INTERRUPTED}
    if threads:
        own = {**arguments.get("properties", {}), "thread_id": THREAD, "resume": RESUME}
        arguments["properties"] = own
        arguments.pop("required", None)  # an answer has none of them
        results["thread_id"] = {"type": "string", "description": "What to continue it by."}
    return {
        "name": tool.name,
        "description": tool.description,
        "inputSchema": arguments,
        "outputSchema": {
            "type": "object",
            "properties": results,
            **({"$defs": definitions} if definitions else {}),
        },
    }


def run_result(end: RunFinished, gathered: Gathered, thread: str | None) -> Message:
    """Return the result of a call whose run has ended.

    Args:
        end: The end of the run.
        gathered: The pieces of its answer.
        thread: The id of its thread, if it has one.
    """
    content = [*_content(gathered)]
    structured: Message = {"output": end.output}
    if end.interrupts:
        structured = {"interrupted": end.questions}
        content.append({"type": "text", "text": waiting_text(end.interrupts, thread)})
    if thread is not None:
        structured["thread_id"] = thread
    return {"content": content, "structuredContent": structured, "isError": False}


def _content(gathered: Gathered) -> Iterator[Message]:
    if text := gathered.text():
        yield {"type": "text", "text": text}
    for file in gathered.pieces:
        if isinstance(file, FileMade):
            yield _file(file)


def _file(file: FileMade) -> Message:
    kind, data = file.media_type.partition("/")[0], file.url.partition(";base64,")[2]
    if not file.url.startswith("data:"):
        about = {"uri": file.url, "name": file.url.rpartition("/")[2] or file.url}
        return {"type": "resource_link", **about, "mimeType": file.media_type}
    if kind in ("image", "audio"):
        return {"type": kind, "data": data, "mimeType": file.media_type}
    uri = f"data:{file.media_type}"
    return {"type": "resource", "resource": {"uri": uri, "mimeType": file.media_type, "blob": data}}


def waiting_text(interrupts: Sequence[Interrupt], thread: str | None) -> str:
    """Return a text that says what a run waits for, and how to answer."""
    questions = to_json([each.document for each in interrupts]).decode()
    how = ""
    if thread is not None:
        how = f" Call this tool again with thread_id {to_json(thread).decode()} and the answer as"
        how += " resume; if there are several, with an object of answers by their ids."
    return f"The call is interrupted and waits for an answer: {questions}.{how}"


def error_result(error: RunError) -> Message:
    """Return the result of a call that has failed."""
    about: Message = {"code": error.code, "id": error.id}
    if error.fields:
        about["fields"] = error.fields
    texts = [error_text(error), *([] if error.detail is None else [error.detail])]
    content = [{"type": "text", "text": text} for text in texts]
    return {"content": content, "isError": True, "_meta": {ERROR: about}}


def decode_result(result: Mapping[str, Any]) -> RunFinished | RunError:
    """Return the end of a run that a result stands for."""
    if result.get("isError"):
        match result.get("content"):
            case [{"text": str(text)}, *_]:
                pass
            case _:
                text = ""
        about = _object_at(_object_at(result, "_meta"), ERROR)
        return error_from_text(text, str(about.get("code") or ""))
    structured = _object_at(result, "structuredContent")
    interrupted = structured.get("interrupted")
    interrupts = decode_interrupts(interrupted if isinstance(interrupted, list) else ())
    return RunFinished(RUN, structured.get("output"), interrupts)


def _object_at(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    content = value.get(key)
    return content if isinstance(content, Mapping) else {}
