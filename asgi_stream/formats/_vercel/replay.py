"""The replay of a chat's message, for a run that goes on with it.

Whoever sent the request has that message, and anything sent again would be in it twice. A page that
is loaded in mid-answer resumes with an empty message, so it needs the parts from before: they are
stored with the run, in the comments of its first frame.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .._sse import data_frame
from .approvals import Part

REPLAYED = b": before "
"""Begins each of the comments."""

COPIED = ("file", "source-url", "source-document")
"""The parts that are sent as they are."""


def with_replay(start: bytes, parts: Sequence[Mapping[str, Any]]) -> bytes:
    """Return the first frame of a run, with comments that have the parts from before."""
    lines = (REPLAYED + data_frame(part)[:-1] for part in replayed(parts))
    return b"".join(lines) + start


def replay(frame: bytes) -> bytes:
    """Return the frames of what `with_replay` has returned, for a page without the parts."""
    head, _, rest = frame.partition(b"\n\n")
    *comments, start = head.split(b"\n")
    lines = (start, *(comment.removeprefix(REPLAYED) for comment in comments))
    return b"".join(line + b"\n\n" for line in lines) + rest


def replayed(parts: Sequence[Mapping[str, Any]]) -> Iterator[Part]:
    """Yield the stream of a ``UIMessage`` with these parts."""
    for number, part in enumerate(parts):
        match part:
            case {"type": "step-start"}:
                yield {"type": "start-step"}
            case {"type": "text" | "reasoning" as kind, "text": str(text)}:
                id_ = f"before-{number}"
                about = _picked(part, "providerMetadata")
                yield {"type": f"{kind}-start", "id": id_, **about}
                yield {"type": f"{kind}-delta", "id": id_, "delta": text}
                yield {"type": f"{kind}-end", "id": id_, **about}
            case {"type": str(kind)} if kind in COPIED or kind.startswith("data-"):
                yield dict(part)
            case {"type": "dynamic-tool", "toolCallId": str(), "toolName": str(name)}:
                yield from _tool(part, {"toolName": name, "dynamic": True})
            case {"type": str(kind), "toolCallId": str()} if kind.startswith("tool-"):
                yield from _tool(part, {"toolName": kind.removeprefix("tool-")})


def _tool(part: Mapping[str, Any], name: Part) -> Iterator[Part]:
    """Yield the call and its result. If it waits, its approval is what the run goes on with."""
    call = _picked(part, "toolCallId", "providerExecuted")
    yield {"type": "tool-input-available", **call, **name, "input": part.get("input")}
    label = {**call, **_picked(name, "dynamic")}
    match part.get("state"):
        case "output-available":
            yield {"type": "tool-output-available", **label, "output": part.get("output")}
        case "output-error":
            error = str(part.get("errorText"))
            yield {"type": "tool-output-error", **label, "errorText": error}
        case "output-denied":
            yield {"type": "tool-output-denied", "toolCallId": part["toolCallId"]}


def _picked(part: Mapping[str, Any], *keys: str) -> Part:
    return {key: part[key] for key in keys if part.get(key) is not None}
