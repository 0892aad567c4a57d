"""The frames that a worker holds, to write them again if Redis comes back without them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from .owned_run import OwnedRun


class Backlog:
    """Bounds the frames held for the runs of one worker, finished ones among them.

    Args:
        capacity: Bytes of frames. Beyond them the runs that ended first are dropped first, then
            the oldest frames of the run that grows.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._size = 0
        self._loop = asyncio.get_running_loop()
        self._finished: dict[OwnedRun, float] = {}
        """When runs that have ended expire on Redis, by the loop's clock."""

    def __bool__(self) -> bool:
        return bool(self._finished)

    def finished(self) -> Sequence[OwnedRun]:
        """Return the runs that have ended, the first to end first."""
        return tuple(self._finished)

    def add(self, run: OwnedRun, frames: Sequence[bytes], keep_from: int) -> None:
        """Hold frames that have been written to Redis."""
        self._size += run.hold(frames, keep_from)
        if self._size > self._capacity:
            self._make_room(run)

    def finish(self, run: OwnedRun) -> None:
        """Hold a run that has ended for as long as Redis keeps it."""
        del run.producer  # releases everything the run has held
        self._finished[run] = self._loop.time() + run.commands.seconds_after_end

    def seconds_left(self, run: OwnedRun) -> int:
        """Return in how many seconds a run that has ended expires."""
        return max(1, int(self._finished.get(run, 0.0) - self._loop.time()))

    def forget(self, run: OwnedRun) -> None:
        self._finished.pop(run, None)
        self._size -= run.drop(run.size)

    def expire(self) -> None:
        """Forget the runs that have expired on Redis."""
        now = self._loop.time()
        for run in [run for run, expires in self._finished.items() if expires < now]:
            self.forget(run)

    def _make_room(self, growing: OwnedRun) -> None:
        while self._size > self._capacity and self._finished:
            self.forget(next(iter(self._finished)))
        if self._size > self._capacity:
            self._size -= growing.drop(self._size - self._capacity)
