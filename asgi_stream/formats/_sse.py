"""The frames of this package's own formats.

LF only, one JSON document a frame, in ASCII: what every client of the event stream format reads
alike (https://html.spec.whatwg.org/multipage/server-sent-events.html, read 2026-11).
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

from ..events import Event, RunError, RunFinished
from ..serialize import to_json
from ..stores import RunRecord

DONE = b"data: [DONE]\n\n"
PING = b": ping\n"


def data_frame(value: Any) -> bytes:
    return b"data: " + to_json(value) + b"\n\n"


def short_id(run_id: str, size: int) -> str:
    """Return a short id for a run, with `size` bytes of its own, a multiple of 3, in base64url.

    Of 3 bytes there are 4 characters. With 6 bytes no other run of a conversation has the same id,
    with 12 bytes no other run at all.
    """
    return urlsafe_b64encode(blake2b(run_id.encode(), digest_size=size).digest()).decode()


class ShortIds(dict[str, str]):
    """A number for each id that is looked up, in the order in which they come.

    Each frame of a stream repeats an id, and most of those of its run are UUIDs.

    Attributes:
        prefix: What stands before each number.
    """

    prefix = ""

    def __missing__(self, id_: str) -> str:
        short = self[id_] = f"{self.prefix}{len(self) + 1}"
        return short


def error_object(error: RunError) -> dict[str, Any]:
    """``{"error": {...}}``, in a frame and in the body of a JSON answer alike."""
    told: dict[str, Any] = {"code": error.code, "message": error.message, "id": error.id}
    if error.fields:
        told["fields"] = error.fields
    if error.detail is not None:
        told["detail"] = error.detail
    return {"error": told}


def error_text(error: RunError) -> str:
    """Return an error as one text, for a client that shows nothing else: its message and its id."""
    return f"{error.message} (error id {error.id})"


def run_object(record: RunRecord) -> dict[str, Any]:
    """What a client is told of a stored run."""
    told = {
        "run_id": record.run_id,
        "state": record.state,
        "created_at": time_of(record.created),
        "started_at": time_of(record.started),
        "ended_at": time_of(record.ended),
        "frames": record.frames,
        "bytes": record.size,
    }
    return told if record.code is None else {**told, "code": record.code}


def time_of(seconds: float | None) -> str | None:
    """RFC 3339, in UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()


def last_frames(event: Event) -> bytes:
    """How a stream ends; nothing for an event that does not end it."""
    match event:
        case RunFinished(interrupts=interrupts):
            return (data_frame({"interrupted": interrupts}) if interrupts else b"") + DONE
        case RunError():
            return data_frame(error_object(event)) + DONE
    return b""
