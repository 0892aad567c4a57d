"""Records of runs and threads, and published frames, as bytes on Redis."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any
from uuid import uuid4

import orjson

from ..record import RunRecord
from ..thread_store import ThreadRecord
from .errors import logger

FIELDS = [field.name for field in fields(RunRecord) if field.name != "certain"]
THREAD_FIELDS = [field.name for field in fields(ThreadRecord)]


def encode_record(record: RunRecord, server: str) -> bytes:
    """Return a record as JSON, with the id of the Redis server that it is written to."""
    document = {name: getattr(record, name) for name in FIELDS}
    document["server"] = server
    try:
        return orjson.dumps(document)
    except TypeError:  # a lone surrogate
        return json.dumps(document).encode()


def decode_record(data: bytes) -> tuple[RunRecord | None, str]:
    """Return a record and the server that it was written to; None if `data` is no record.

    Fields written by a newer version of this package are ignored.
    """
    document: Any
    try:
        try:
            document = orjson.loads(data)
        except ValueError:
            document = json.loads(data)
        record = RunRecord(**{name: document[name] for name in FIELDS if name in document})
        return record, str(document["server"])
    except (KeyError, TypeError, ValueError):
        logger.warning("the store holds an invalid run record; ignoring it")
        return None, ""


def encode_thread(record: ThreadRecord) -> bytes:
    """Return the record of a thread as JSON, which differs from that of any other call."""
    document = {name: getattr(record, name) for name in THREAD_FIELDS}
    document["metadata"] = dict(record.metadata)
    document["version"] = uuid4().hex
    return json.dumps(document).encode()


def decode_thread(data: bytes | None, claimed: int = 0) -> ThreadRecord | None:
    """Return the record of a thread, with the status that it has if it is claimed.

    Fields written by a newer version of this package are ignored.
    """
    if not data:
        return None
    try:
        document = json.loads(data)
        values = {name: document[name] for name in THREAD_FIELDS if name in document}
        record = ThreadRecord(**{**values, "runs": tuple(values["runs"])})
    except (KeyError, TypeError, ValueError):
        logger.warning("the store holds an invalid thread record; ignoring it")
        return None
    return replace(record, status="busy") if claimed else record


def decode_frames(message: bytes) -> tuple[int, list[bytes], bool]:
    """Decode frames as `scripts.WRITE` publishes them.

    Returns:
        The id of the first frame, the frames, and whether the last of them ends the run.

    Raises:
        ValueError: The message is malformed.
    """
    head, _, body = message.partition(b"\n")
    first, ends, *sizes = map(int, head.split(b" "))
    frames, start = [], 0
    for size in sizes:
        frames.append(body[start : start + size])
        start += size
    if start != len(body):
        raise ValueError("the sizes of published frames do not add up")
    return first, frames, bool(ends)


def entry_number(entry: Any) -> int:
    """Return the number of a log entry, which is the id of its frame."""
    return int(entry[0].partition(b"-")[0])


def count_contiguous(entries: Sequence[Any]) -> int:
    """Return how many entries from the first on have consecutive numbers."""
    first = entry_number(entries[0])
    if entry_number(entries[-1]) == first + len(entries) - 1:
        return len(entries)
    return next(n for n, entry in enumerate(entries) if entry_number(entry) != first + n)
