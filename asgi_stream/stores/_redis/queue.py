"""Requests that wait for the next batch, and when that is sent."""

from __future__ import annotations

import asyncio
from asyncio import Task, TimerHandle
from collections.abc import Awaitable, Callable

from anyio import move_on_after

from .connection import Request
from .tasks import Tasks

INTERVAL_SECONDS = 0.004
"""The time between two batches. After a pause a batch is sent at once; under load batches grow."""

CROWD = 100
"""This many waiting requests are sent without waiting for the interval."""

BATCH = 1000
"""About how many commands one batch has."""

CLOSE_SECONDS = 1.0
"""How long a store that is closed waits for a Redis that does not respond."""


class RequestQueue:
    """Sends requests in batches, one batch at a time.

    Args:
        send: Sends a batch and waits for the replies. Does not raise.
        pause: Returns the seconds to wait after a batch that failed; None after one that did not.
        tasks: Where the sending task runs.
    """

    def __init__(
        self,
        send: Callable[[list[Request]], Awaitable[None]],
        pause: Callable[[], float | None],
        tasks: Tasks,
    ) -> None:
        self._send = send
        self._pause = pause
        self._tasks = tasks
        self._loop = asyncio.get_running_loop()
        self._waiting: list[Request] = []
        self._sender: Task[None] | None = None
        self._timer: TimerHandle | None = None
        self._due = self._sent_at = 0.0

    def append(self, request: Request) -> None:
        """Send a request with the next batch."""
        self._waiting.append(request)
        self._schedule(self._sent_at + INTERVAL_SECONDS)

    def retry(self, requests: list[Request], at: float) -> None:
        """Send requests before all others, at the time `at` by the loop's clock."""
        self._waiting = requests + self._waiting
        if requests:
            self._schedule(at)

    def flush(self) -> None:
        """Send what is waiting now."""
        self._schedule(0.0)

    async def drain(self) -> None:
        """Send everything now, and wait for all replies, for at most `CLOSE_SECONDS`."""
        with move_on_after(CLOSE_SECONDS):
            while self._waiting or self._tasks.running:
                self.flush()
                await asyncio.wait(self._tasks.running)

    def _schedule(self, at: float) -> None:
        """Send at this time or before, or after the batch that is being sent."""
        if self._sender is not None:
            return
        if self._timer is not None:
            if self._due <= at:
                return
            self._timer.cancel()
            self._timer = None
        if at <= self._loop.time():
            self._start()
        else:
            self._due = at
            self._timer = self._loop.call_at(at, self._start)

    def _start(self) -> None:
        self._timer = None
        self._sender = self._tasks.spawn(self._send_all())

    async def _send_all(self) -> None:
        while self._waiting:
            await self._send(self._take_batch())
            self._sent_at = self._loop.time()
            pause = self._pause()
            if pause is not None:
                await asyncio.sleep(pause)
            elif len(self._waiting) < CROWD:
                break
        self._sender = None
        if self._waiting:
            self._schedule(self._sent_at + INTERVAL_SECONDS)

    def _take_batch(self) -> list[Request]:
        size = count = 0
        while count < len(self._waiting) and size < BATCH:
            size += len(self._waiting[count].commands)
            count += 1
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        return batch
