"""The frames of the SDKs' older API that the events of protocol v2 stand for.

Who joins a run by the older API gets these, whichever API has started it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from ...errors import WorkerLost
from .._sse import named_frame

_START = b'{"type":"event","seq":'
"""How the data of all events of protocol v2 begin."""


def joined_frames(accepts: Callable[[bytes], bool] | None) -> Callable[[bytes], bytes]:
    """Return a function that translates a stored frame to the older API.

    It returns ``b""`` for a frame of which the reader gets nothing.

    Args:
        accepts: Says which frames of the older API the reader asks for; None: all.
    """

    def joined(frame: bytes) -> bytes:
        older = older_frame(frame)
        return older if older and (accepts is None or accepts(older)) else b""

    return joined


def older_frame(frame: bytes) -> bytes:
    """Return a stored frame as one of the older API; ``b""`` if that has none for it."""
    head, start, rest = frame.partition(b"\ndata: " + _START)
    if not start:
        return frame
    older = _older(json.loads(_START + rest))
    if older is None:
        return b""
    id_line = head.rpartition(b"event: ")[0]
    return id_line + named_frame(*older)


def _older(event: Mapping[str, Any]) -> tuple[str, Any] | None:
    """Return the name and the value of the older frame for an event; None if there is none."""
    method, params = event["method"], event["params"]
    namespace, data = params["namespace"], params["data"]
    path = "".join(f"|{part}" for part in namespace)
    match method:
        case "lifecycle":
            return None if namespace else _status(event["event_id"], data)
        case "input.requested":
            interrupt = {"id": data["interrupt_id"], "value": data["value"]}
            return "values", {"__interrupt__": [interrupt]}
        case "values" | "tasks" | "tools":
            return f"{method}{path}", data
        case "updates":
            return f"updates{path}", {data["node"]: data["values"]}
        case "custom":
            return f"custom{path}", data if "name" in data else data["payload"]
        case "messages":
            piece = _piece(data)
            about = {"langgraph_node": params.get("node")}
            return None if piece is None else (f"messages{path}", [_chunk(data, piece), about])
    return None


def _status(event_id: str, data: Mapping[str, Any]) -> tuple[str, Any] | None:
    run_id, _, place = event_id.removeprefix("synth:").partition(":")
    match data["event"]:
        case "running":
            attempt = place.partition("running|")[2] or 1
            return "metadata", {"run_id": run_id, "attempt": int(attempt)}
        case "failed":
            code, id_ = data.get("code", WorkerLost.code), data.get("id", "")
            return "error", {"error": code, "message": data["error"], "id": id_}
        case _:
            return "end", None


def _piece(data: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what a chunk of a message has for an event of the message; None: there is none."""
    match data:
        case {"event": "content-block-delta", "delta": {"text": text}, "index": 0}:
            return {"content": text}
        case {"event": "content-block-delta", "delta": {"text": text}, "index": index}:
            return {"content": [{"type": "text", "text": text, "index": index}]}
        case {"event": "content-block-delta", "delta": {"reasoning": text}, "index": index}:
            return {"content": [{"type": "reasoning", "reasoning": text, "index": index}]}
        case {"event": "content-block-delta", "delta": {"args": args}, "index": index}:
            return _call(index, args)
        case {"event": "content-block-start", "content": block, "index": index}:
            return _start(block, index)
        case {"event": "message-finish"}:
            return {"usage_metadata": data.get("usage"), "chunk_position": "last"}
    return None


def _start(block: Mapping[str, Any], index: int) -> dict[str, Any] | None:
    match block:
        case {"type": "text", "text": ""} | {"type": "reasoning", "reasoning": ""}:
            return None
        case {"type": "tool_call_chunk" | "tool_call", "args": args}:
            text = args if isinstance(args, str) else json.dumps(args)
            return _call(index, text, block.get("id"), block.get("name"))
    return {"content": [{**block, "index": index}]}


def _call(index: int, args: str, id_: Any = None, name: Any = None) -> dict[str, Any]:
    chunk = {"name": name, "args": args, "id": id_, "index": index, "type": "tool_call_chunk"}
    return {"tool_call_chunks": [chunk]}


def _chunk(data: Mapping[str, Any], piece: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "content": "",
        "additional_kwargs": {},
        "response_metadata": {},
        "type": "AIMessageChunk",
        "name": None,
        "id": data["message_id"],
        "tool_calls": [],
        "invalid_tool_calls": [],
        "usage_metadata": None,
        "tool_call_chunks": [],
        **piece,
    }
