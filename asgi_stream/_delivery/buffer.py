"""The frames that wait for one reader."""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections.abc import Sequence
from math import inf
from time import monotonic
from typing import Protocol


class FrameSink(Protocol):
    """What frames are written to: a buffer, or a recorder. `FrameBuffer` describes each member."""

    @property
    def size(self) -> int: ...

    @property
    def held(self) -> int: ...

    @property
    def full(self) -> bool: ...

    @property
    def overflowing(self) -> bool: ...

    @property
    def waiting_since(self) -> float | None: ...

    @property
    def taken(self) -> int: ...

    def append(self, frame: bytes) -> None: ...

    def exempt(self, size: int) -> None: ...

    def finish(self, frame: bytes = b"") -> None: ...

    async def room(self) -> None: ...


class FrameBuffer:
    """A bounded queue of frames with one reader, which always takes all of them.

    It never rejects a frame: writers that can wait do so in `room` while the buffer is `full`, and
    one that cannot wait checks `overflowing`. Used on one event loop.

    The frames of one turn of the event loop all come before the reader can take any of them. So
    those that exceed the capacity do not count, once, until the reader has taken all: at most
    `capacity` bytes, one such burst, and one more frame wait for it.

    Args:
        capacity: Bytes that may wait for the reader. ``None`` is no limit.
        pause_at: Bytes from which on the buffer counts as full; by default half of `capacity`.

    Attributes:
        size: Bytes that wait for the reader.
        full: Whether writers should wait for room.
        ended: Whether the last frame has been appended, or the reader has left.
        waiting_since: When the oldest frame was appended, by ``time.monotonic``; ``None`` if the
            buffer is empty.
        taken: How many times the reader has emptied the buffer.

    Example:
        buffer = FrameBuffer(65_536)
        buffer.append(b"data: 1\\n\\n")
        buffer.finish(b"data: [DONE]\\n\\n")
        body = b"".join(buffer.take())
    """

    __slots__ = (
        "_burst",
        "_capacity",
        "_counted",
        "_exempt",
        "_frames",
        "_pause_at",
        "_reader",
        "_room",
        "ended",
        "full",
        "size",
        "taken",
        "waiting_since",
    )

    def __init__(self, capacity: float | None, pause_at: float | None = None) -> None:
        self.size = 0
        self.full = False
        self.ended = False
        self.waiting_since: float | None = None
        self.taken = 0
        self._capacity = inf if capacity is None else capacity
        self._pause_at = self._capacity / 2 if pause_at is None else pause_at
        self._exempt = 0
        self._burst: Future[None] | None = None
        self._counted = 0
        self._frames: list[bytes] = []
        self._reader: Future[None] | None = None
        self._room: Future[None] | None = None

    @property
    def held(self) -> int:
        """Bytes that wait for the reader, as telemetry reports them."""
        return self.size

    @property
    def overflowing(self) -> bool:
        """Whether writers that could have waited have exceeded the capacity, not in one burst."""
        return self.size - self._exempt >= self._capacity

    def append(self, frame: bytes) -> None:
        """Add a frame and wake the reader."""
        # This runs for every token.
        frames = self._frames
        if not frames:
            self.waiting_since = monotonic()
        frames.append(frame)
        self.size = size = self.size + len(frame)
        if size >= self._pause_at:
            self._fill(len(frame))
        reader = self._reader
        if reader is not None:
            self._reader = None
            if not reader.done():
                reader.set_result(None)

    def exempt(self, size: int) -> None:
        """Do not count `size` bytes, of a writer that cannot wait, as `overflowing`."""
        self._exempt += size

    def extend(self, frames: Sequence[bytes]) -> None:
        """Add several frames, or none, and wake the reader."""
        if frames and not self._frames:
            self.waiting_since = monotonic()
        self._frames += frames
        self.size += sum(map(len, frames))
        self.full = self.size >= self._pause_at
        self.wake()

    def finish(self, frame: bytes = b"") -> None:
        """Add the last frame, unless it is empty, and wake the reader and all writers."""
        if frame:
            self.append(frame)
        self.ended = True
        self.wake()
        self._make_room()

    def wake(self) -> None:
        """Wake the reader, whether there is a frame for it or not."""
        reader, self._reader = self._reader, None
        if reader is not None and not reader.done():
            reader.set_result(None)

    def arrival(self) -> Future[None]:
        """Return a future that is done once the reader is woken. There is one at a time."""
        self._reader = asyncio.get_running_loop().create_future()
        return self._reader

    def take(self) -> list[bytes]:
        """Remove and return all frames, and wake the writers that wait for room."""
        frames = self._frames
        self._frames = []
        self.size = self._exempt = 0
        self.full = False
        self._burst = None
        self.waiting_since = None
        self.taken += 1
        if self._room is not None:
            self._make_room()
        return frames

    async def room(self) -> None:
        """Return once the buffer is not full, or has ended."""
        if self.full and not self.ended:
            if self._room is None:
                self._room = asyncio.get_running_loop().create_future()
            # Shielded, because several branches of a run may share the future.
            await asyncio.shield(self._room)

    def _fill(self, added: int) -> None:
        """Note that a frame of `added` bytes has filled the buffer, or that it was full before."""
        self.full = True
        if self._burst is None and self.overflowing:
            self._counted = self.size - self._exempt - added
            loop = asyncio.get_running_loop()
            self._burst = loop.create_future()
            loop.call_soon(self._burst.set_result, None)
        if self._burst is not None and not self._burst.done():
            self._exempt = self.size - self._counted

    def _make_room(self) -> None:
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)
