"""The frames that a worker holds, to write them again if Redis comes back without them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from .redis_commands import Made


class Backlog:
    """What is held of the runs that are made here, and of those that were.

    Args:
        capacity: Bytes of frames. The runs that ended first are dropped first, then the oldest
            frames of the run that grows.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._size = 0
        self._loop = asyncio.get_running_loop()
        self._finished: dict[Made, float] = {}
        """Runs that have ended, and when by the loop's clock Redis drops them."""

    def __bool__(self) -> bool:
        return bool(self._finished)

    def finished(self) -> Sequence[Made]:
        """The runs that have ended, the first to end first."""
        return tuple(self._finished)

    def add(self, made: Made, frames: Sequence[bytes], keep_from: int) -> None:
        """Hold frames of a run that Redis has now."""
        self._size += made.hold(frames, keep_from)
        if self._size > self._capacity:
            self._make_room(made)

    def keep(self, made: Made) -> None:
        """Hold a run that has ended for as long as Redis keeps it."""
        del made.producer  # which holds all that the run has held
        self._finished[made] = self._loop.time() + made.keep_after_end

    def life_of(self, made: Made) -> int:
        """Seconds that a run which has ended is kept from now on."""
        return max(1, int(self._finished.get(made, 0.0) - self._loop.time()))

    def forget(self, made: Made) -> None:
        self._finished.pop(made, None)
        self._size -= made.drop(made.size)

    def expire(self) -> None:
        """Forget the runs that Redis has dropped by now."""
        now = self._loop.time()
        for made in [made for made, until in self._finished.items() if until < now]:
            self.forget(made)

    def _make_room(self, growing: Made) -> None:
        while self._size > self._capacity and self._finished:
            self.forget(next(iter(self._finished)))
        if self._size > self._capacity:
            self._size -= growing.drop(self._size - self._capacity)
