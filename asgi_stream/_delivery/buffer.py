"""Frames on their way to one reader, and the one loop that passes them on.

What fills it is a run itself (`stream.Stream`) or what is stored of one (`replay.StoredRunReader`).
"""

from __future__ import annotations

import asyncio
from asyncio import CancelledError, Future, Task, TimerHandle
from collections.abc import Awaitable, Callable, Mapping
from math import inf
from time import monotonic
from typing import Any, cast

from starlette.types import Send

from ..errors import ShuttingDown
from ..events import RunError, RunFinished
from ..formats import Format
from ..limits import Limits

Put = Callable[[list[bytes]], Awaitable[None]]
Due = list[tuple[float, Callable[[], None]]]


class ReaderStalled(Exception):
    """A send has waited for the reader for ``limits.send`` seconds."""


def nothing() -> None:
    """What is done when a reader leaves, if nobody has said otherwise."""


class FrameBuffer:
    """What waits for one reader, who takes what has piled up in one piece.

    All of it happens on one event loop, and nothing here waits but `opened`, `deliver`, `pass_on`,
    `in_time` and `room`.

    Args:
        run_id: Whose frames they are.
        format: How the reader is spoken to.
        limits: The bounds of the reader: ``buffer``, ``send`` and ``ping``.
        gathered: The answer is one JSON document, and there are no frames.
    """

    _behind = False
    """Whether there is more elsewhere, to be fetched by `catch_up` once this has been taken."""

    def __init__(self, run_id: str, format: Format, limits: Limits, *, gathered: bool) -> None:
        self.run_id = run_id
        self.gathered = gathered
        self.reader_left = False
        self.on_leave: Callable[[], None] = nothing
        self._format = format
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self.waiting_since: float | None = None
        self.taken = 0
        self.full = False
        self._waiting: list[bytes] = []
        self._size = 0
        self._unpaced = 0
        self._ping = b"" if gathered else format.ping
        self._capacity = inf if limits.buffer is None else limits.buffer
        self._pause_at = self._capacity / 2
        self._reader: Future[None] | None = None
        self._room: Future[None] | None = None
        self._end: RunFinished | RunError | None = None

        self._sent = self._loop.time()
        self._headers_sent = False
        self._sender: Task[Any]  # set from the first send on
        self._sending_since: float | None = None
        self._stalled = False
        self._timer: TimerHandle | None = None

    # What fills it.

    def add(self, frame: bytes) -> None:
        """Put in a frame for the reader."""
        if not self._waiting:
            self.waiting_since = monotonic()
        self._waiting.append(frame)
        self._size += len(frame)
        self.full = self._size >= self._pause_at
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    async def room(self) -> None:
        if self.full and self._end is None:
            if self._room is None or self._room.done():
                self._room = self._loop.create_future()
            # Several branches of a run may wait for the same room.
            await asyncio.shield(self._room)

    async def catch_up(self) -> None:
        """Fetch what is `_behind`."""

    def held(self) -> int:
        """Bytes that wait for the reader."""
        return self._size

    def fail(self, exception: BaseException) -> None:
        """Take an exception as the end."""

    # What the response sees of it.

    async def opened(self) -> RunError | None:
        """Wait until there is something to answer with; an error, if that is the whole answer."""
        self._headers_sent = True
        self._sent = self._loop.time()
        self._watch()
        return None

    async def deliver(self, send: Send) -> None:
        """Send what has piled up since the last time, in one piece, until the end.

        Raises:
            ReaderStalled: As `in_time`, for each piece.
        """

        def put(frames: list[bytes]) -> Awaitable[None]:
            body = frames[0] if len(frames) == 1 else b"".join(frames)
            return send({"type": "http.response.body", "body": body, "more_body": True})

        await self.in_time(self.pass_on(put))

    async def pass_on(self, put: Put) -> None:
        """Give to `put` what has piled up since the last time, until the end or the reader's."""
        while not self.reader_left:
            if self._waiting:
                await put(self._take())
            elif self._behind:
                self._sending_since = None
                await self.catch_up()
            elif self._end is not None:
                return
            else:
                self._sending_since = None
                self._reader = self._loop.create_future()
                try:
                    await self._reader
                except CancelledError:
                    # If the reader is still there, the server ends its connection: tell it.
                    self.fail(ShuttingDown())
                    await put(self._take())
                    raise

    async def in_time(self, sending: Awaitable[None]) -> None:
        """Await a send, for at most ``limits.send`` seconds.

        Raises:
            ReaderStalled: It took longer, and was cancelled.
        """
        task = cast(Task[Any], asyncio.current_task())
        self._sender, self._sending_since = task, self._loop.time()
        try:
            await sending
        except CancelledError:
            if self._stalled:
                task.uncancel()
                raise ReaderStalled from None
            raise
        finally:
            self._sending_since = None

    @property
    def headers(self) -> Mapping[str, str]:
        """What there is to say of the answer."""
        return self._format.headers_of(self.run_id)

    @property
    def broken(self) -> bool:
        """Whether the run failed in a format that cannot say so: the answer must not look whole."""
        failed = isinstance(self._end, RunError) and not self.gathered
        return failed and self._format.breaks_on_error

    def shut_down(self) -> None:
        """End it because the server goes away."""
        self.fail(ShuttingDown())

    def leave(self) -> None:
        """Nobody reads any more. Returns at once."""
        if self._timer is not None:
            self._timer.cancel()
        self._end = self._end or RunError("incomplete", "", "")
        self.on_leave()
        self.on_leave = nothing
        self._wake(self._room)
        self._wake(self._reader)

    def _take(self) -> list[bytes]:
        waiting = self._waiting
        self._waiting = []
        self._size = self._unpaced = 0
        self.full = False
        self.waiting_since = None
        self.taken += 1
        self._sent = self._sending_since = self._loop.time()
        self._wake(self._room)
        return waiting

    @staticmethod
    def _wake(future: Future[None] | None) -> None:
        if future is not None and not future.done():
            future.set_result(None)

    # Deadlines: one timer, set for the nearest and set again when it finds that time has moved on.

    def _deadlines(self) -> Due:
        limits = self._limits
        due: Due = []
        if limits.send is not None and not self._stalled:
            since = self._sending_since
            if since is None:
                since = self._loop.time()
            due.append((since + limits.send, self._drop))
        if self._end is not None:
            return due
        if limits.ping and self._ping and self._headers_sent:
            due.append((self._sent + limits.ping, self._send_ping))
        return due

    def _watch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if due := self._deadlines():
            self._timer = self._loop.call_at(min(at for at, _ in due), self._tick)

    def _tick(self) -> None:
        now = self._loop.time()
        if self._waiting:
            # The reader is what we wait for; that is for the send's own deadline to see.
            self._sent = now
        for at, act in self._deadlines():
            if at <= now:
                act()
                break
        self._watch()

    def _drop(self) -> None:
        self._stalled = True
        self._sender.cancel()

    def _send_ping(self) -> None:
        self._waiting.append(self._ping)
        self._sent = self._loop.time()
        self._wake(self._reader)
