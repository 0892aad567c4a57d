"""Sends the frames of a buffer to its reader, and notices a reader that takes nothing."""

from __future__ import annotations

import asyncio
from asyncio import CancelledError, Task
from collections.abc import Awaitable
from typing import Any, Protocol, cast

from starlette.types import Send

from ..errors import ShuttingDown
from ..limits import Limits
from .buffer import FrameBuffer
from .deadlines import Deadlines, Due


class ReaderStalled(Exception):
    """A send was blocked by its reader for ``limits.send`` seconds."""


class Source(Protocol):
    """What fills the buffer of a delivery."""

    def refill(self) -> Awaitable[None]:
        """Wait until the buffer may have frames, or has ended."""

    def fail(self, exception: BaseException) -> None:
        """End the buffer with an error frame, unless it has ended."""


class Delivery:
    """Empties one buffer into ASGI messages, until it has ended or its reader has left.

    Frames that are ready together leave in one message. While nothing is sent, a ping goes out
    every ``limits.ping`` seconds.

    Args:
        buffer: The frames to send.
        source: Fills the buffer.
        limits: The route's limits, of which ``send`` and ``ping`` apply.
        ping: Sent as a ping; ``b""`` if the format has none.

    Attributes:
        started: Whether the response's headers have been sent, or are about to be.
        stalled: Whether a send was abandoned because it was blocked for too long.
    """

    __slots__ = (
        "_buffer",
        "_deadlines",
        "_left",
        "_loop",
        "_ping",
        "_ping_seconds",
        "_send_seconds",
        "_sender",
        "_sending_since",
        "_sent",
        "_source",
        "stalled",
        "started",
    )

    def __init__(self, buffer: FrameBuffer, source: Source, limits: Limits, ping: bytes) -> None:
        self.started = False
        self.stalled = False
        self._buffer = buffer
        self._source = source
        self._send_seconds = limits.send
        self._ping = ping
        self._ping_seconds = limits.ping if ping else None
        self._left = False
        self._loop = asyncio.get_running_loop()
        self._sent = 0.0
        self._sending_since: float | None = None
        self._sender: Task[Any]  # set by `in_time`
        self._deadlines = Deadlines(self._due)

    def start(self) -> None:
        """Begin to send pings; the headers are about to be sent."""
        self.started = True
        self._sent = self._loop.time()
        self._deadlines.watch()

    def stop(self) -> None:
        """Send nothing more: the reader has left."""
        self._left = True
        self._deadlines.stop()
        self._buffer.finish()

    def send_ping(self) -> None:
        """Append a ping to the buffer."""
        self._sent = self._loop.time()
        self._buffer.append(self._ping)

    async def in_time(self, sending: Awaitable[None]) -> None:
        """Await a send for at most ``limits.send`` seconds.

        Raises:
            ReaderStalled: It took longer, and was cancelled.
        """
        task = cast(Task[Any], asyncio.current_task())
        self._sender, self._sending_since = task, self._loop.time()
        try:
            await sending
        except CancelledError:
            if self.stalled:
                task.uncancel()
                raise ReaderStalled from None
            raise
        finally:
            self._sending_since = None

    async def deliver(self, send: Send) -> None:
        """Send all frames, those that are ready together in one message, until the end.

        Raises:
            ReaderStalled: A send was blocked for ``limits.send`` seconds.
        """
        # One `in_time` for all of them: `_empty` notes when each send begins.
        await self.in_time(self._empty(send))

    async def _empty(self, send: Send) -> None:
        buffer, refill = self._buffer, self._source.refill
        while not self._left:
            if buffer.waiting_since is not None:
                await send(self._next())
            elif buffer.ended:
                return
            else:
                self._sending_since = None
                try:
                    await refill()
                except CancelledError:
                    # If the reader is still there, the server is closing its connection.
                    self._source.fail(ShuttingDown())
                    if buffer.waiting_since is not None and not self._left:
                        await send(self._next())
                    raise

    def _next(self) -> dict[str, Any]:
        frames = self._buffer.take()
        self._sent = self._sending_since = self._loop.time()
        body = frames[0] if len(frames) == 1 else b"".join(frames)
        return {"type": "http.response.body", "body": body, "more_body": True}

    def _due(self) -> Due:
        now = self._loop.time()
        if self._buffer.waiting_since is not None:
            # Frames that the reader has not taken are what the send's own deadline is for.
            self._sent = now
        if self._send_seconds is not None and not self.stalled:
            since = self._sending_since
            yield (now if since is None else since) + self._send_seconds, self._drop
        if self._ping_seconds and not self._buffer.ended:
            yield self._sent + self._ping_seconds, self.send_ping

    def _drop(self) -> None:
        self.stalled = True
        self._sender.cancel()
