"""The frames that this package's own formats share.

LF only, one JSON document a frame, in ASCII: every client of the event stream format reads that
alike (https://html.spec.whatwg.org/multipage/server-sent-events.html, read 2026-11).
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from json.encoder import encode_basestring_ascii
from typing import Any, ClassVar
from uuid import uuid4

from ..events import Custom, Event, Interrupt, RunError, RunFinished
from ..serialize import to_json
from ..stores import RunRecord
from ._decoded import DONE_DATA, RUN, error_event
from ._frame import Frame

DONE = b"data: [DONE]\n\n"
PING = b": ping\n"


def data_frame(value: Any) -> bytes:
    return b"data: " + to_json(value) + b"\n\n"


def named_frame(event: str, value: Any) -> bytes:
    return f"event: {event}\ndata: ".encode() + to_json(value) + b"\n\n"


class TextTemplate:
    """A frame of which only one text changes from token to token, so that only that is serialized.

    Args:
        frame: The frame, with `TEXT` in place of the text.

    Attributes:
        TEXT: A text that no frame has otherwise.
    """

    TEXT: ClassVar = uuid4().hex

    def __init__(self, frame: bytes) -> None:
        self._before, self._after = frame.split(f'"{self.TEXT}"'.encode())

    def frame(self, text: str) -> bytes:
        """Return the frame with a text."""
        return self._before + encode_basestring_ascii(text).encode() + self._after


def short_id(run_id: str, size: int) -> str:
    """Return a short id for a run: `size` bytes of a hash, a multiple of 3, in base64url.

    Each 3 bytes are 4 characters. With 6 bytes no two runs of a conversation share an id, with 12
    bytes no two runs at all.
    """
    return urlsafe_b64encode(blake2b(run_id.encode(), digest_size=size).digest()).decode()


class ShortIds(dict[str, str]):
    """A number for each id that is looked up, counted in the order of first use.

    Each frame of a stream repeats an id, and most of a run's own ids are UUIDs.

    Attributes:
        prefix: Put before each number.
    """

    prefix = ""

    def __missing__(self, id_: str) -> str:
        short = self[id_] = f"{self.prefix}{len(self) + 1}"
        return short


class OpenNames:
    """Names of open steps, each with a number added while another step of that name is open."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def open(self, step: str, name: str) -> str:
        """Return the name of a step that begins."""
        taken = set(self._names.values())
        number, free = 1, name
        while free in taken:
            number += 1
            free = f"{name} ({number})"
        self._names[step] = free
        return free

    def close(self, step: str, name: str) -> str:
        """Return the name of a step that ends."""
        return self._names.pop(step, name)


def error_object(error: RunError) -> dict[str, Any]:
    """Return ``{"error": {...}}``, the same in a frame as in the body of a JSON response."""
    content: dict[str, Any] = {"code": error.code, "message": error.message, "id": error.id}
    if error.fields:
        content["fields"] = error.fields
    if error.detail is not None:
        content["detail"] = error.detail
    return {"error": content}


def error_text(error: RunError) -> str:
    """Return an error's message and id as one text, for a client that shows nothing else."""
    return f"{error.message} (error id {error.id})"


_error_text = re.compile(r"(.*) \(error id (.*)\)", re.DOTALL)


def error_from_text(text: str, code: str = "") -> RunError:
    """Return the error that `error_text` has made a text of."""
    match = _error_text.fullmatch(text)
    message, error_id = match.groups() if match else (text, "")
    return RunError(code, message, error_id, status=0)


def run_object(record: RunRecord) -> dict[str, Any]:
    """Return what a client may know about a stored run."""
    content = {
        "run_id": record.run_id,
        "state": record.state,
        "created_at": time_of(record.created),
        "started_at": time_of(record.started),
        "ended_at": time_of(record.ended),
        "frames": record.frames,
        "bytes": record.size,
    }
    return content if record.code is None else {**content, "code": record.code}


def time_of(seconds: float | None) -> str | None:
    """Return a POSIX timestamp in the form of RFC 3339, in UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()


def last_frames(event: Event) -> bytes:
    """Return the frames that end a stream; ``b""`` for an event that does not end it."""
    match event:
        case RunFinished(questions=questions):
            return (data_frame({"interrupted": questions}) if questions else b"") + DONE
        case RunError():
            return data_frame(error_object(event)) + DONE
    return b""


class LastFrames:
    """Decodes what `last_frames` encodes, and the frame of `Format.gap`."""

    def __init__(self) -> None:
        self._interrupts: Sequence[Interrupt] = ()

    def decode(self, frame: Frame) -> list[Event] | None:
        """Return the events of such a frame; None if it is a frame of another kind."""
        if frame.data == DONE_DATA:
            return [RunFinished(RUN, None, self._interrupts)]
        if not frame.data.startswith(('{"error"', '{"gap"', '{"interrupted"')):
            return None if frame.data else []
        value = frame.json()
        match value:
            case {"error": {"code": str(), "message": str(), "id": str()} as error, **rest}:
                return None if rest else [error_event(error)]
            case {"gap": {"first": int(), "last": int()} as gap, **rest}:
                return None if rest else [Custom(RUN, "gap", gap)]
            case {"interrupted": list(interrupts), **rest} if not rest:
                self._interrupts = decode_interrupts(interrupts)
                return []
        return None


def decode_interrupts(values: Sequence[Any]) -> list[Interrupt]:
    """Return the interrupts of a frame, each an object with ``id`` and ``value``."""
    return [
        Interrupt(str(each.get("id") or ""), each.get("value"), each.get("response_schema"))
        for each in values
        if isinstance(each, dict)
    ]
