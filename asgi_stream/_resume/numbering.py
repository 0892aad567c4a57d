"""Stored frames and their ids: 1, 2, 3, ..."""

from __future__ import annotations

from collections.abc import Sequence

from ..formats import Format, Frame
from ..stores import EventStore


def id_line(format: Format, run_id: str) -> bytes:
    """Return the ``id:`` line of a frame with ``%d`` for its number; ``b""`` without ids."""
    prefix = format.id_prefix(run_id)
    return b"" if prefix is None else b"id: " + prefix.encode() + b"%d\n"


def numbered(line: bytes, first: int, pieces: Sequence[bytes]) -> list[bytes]:
    """Split `pieces` into single frames, and return them with their ids.

    Args:
        line: From `id_line`.
        first: The number of the first frame.
        pieces: Each one frame or more.
    """
    if line and len(pieces) == 1 and pieces[0].find(b"\n\n") == len(pieces[0]) - 2:
        return [line % first + pieces[0]]
    frames: list[bytes] = []
    for piece in pieces:
        if piece.find(b"\n\n") in (-1, len(piece) - 2):
            frames.append(piece)
        else:
            frames += [frame + b"\n\n" for frame in piece.split(b"\n\n") if frame]
    if not line:
        return frames
    return [line % number + frame for number, frame in enumerate(frames, first)]


def number_of(frame: bytes) -> int | None:
    """Return the number in the id of a stored frame; None: it is an error of its reader."""
    name, _, id_ = frame.partition(b"\n")[0].partition(b": ")
    number = id_.rpartition(b":")[2]
    return int(number) if name == b"id" and number.isdigit() else None


async def stored_frame(store: EventStore, run_id: str, number: int) -> Frame | None:
    """Return a frame of a run; None if it is not stored (any more)."""
    page = await store.read(run_id, number - 1)
    if page is None or page.first != number or not page.frames:
        return None
    return Frame.parse(page.frames[0])
