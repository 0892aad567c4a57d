"""The frames of this package's own formats.

LF only, one JSON document a frame, in ASCII: what every client of the event stream format reads
alike (https://html.spec.whatwg.org/multipage/server-sent-events.html, read 2026-11).
"""

from __future__ import annotations

from typing import Any

from .events import Event, RunError, RunFinished
from .serialize import to_json

DONE = b"data: [DONE]\n\n"
PING = b": ping\n"


def data_frame(value: Any) -> bytes:
    return b"data: " + to_json(value) + b"\n\n"


def error_object(error: RunError) -> dict[str, Any]:
    """``{"error": {...}}``, in a frame and in the body of a JSON answer alike."""
    told: dict[str, Any] = {"code": error.code, "message": error.message, "id": error.id}
    if error.fields:
        told["fields"] = error.fields
    if error.detail is not None:
        told["detail"] = error.detail
    return {"error": told}


def last_frames(event: Event) -> bytes:
    """How a stream ends; nothing for an event that does not end it."""
    match event:
        case RunFinished(interrupts=interrupts):
            return (data_frame({"interrupted": interrupts}) if interrupts else b"") + DONE
        case RunError():
            return data_frame(error_object(event)) + DONE
    return b""
