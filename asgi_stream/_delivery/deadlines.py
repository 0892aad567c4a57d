"""Deadlines of a run, and several deadlines on one timer."""

from __future__ import annotations

import asyncio
from asyncio import TimerHandle
from collections.abc import Callable, Iterable

from ..errors import RunTimeout
from ..limits import Limits
from .buffer import FrameSink

Due = Iterable[tuple[float, Callable[[], None]]]
"""When each deadline expires, by the event loop's clock, and what to call then."""


class Deadlines:
    """Calls functions when their deadlines expire, with one timer for all of them.

    Deadlines move with every frame. The timer does not: it is set for the earliest deadline, and
    when it fires too early it is set again.

    Args:
        due: Returns the current deadlines.
    """

    __slots__ = ("_due", "_loop", "_stopped", "_timer")

    def __init__(self, due: Callable[[], Due]) -> None:
        self._due = due
        self._loop = asyncio.get_running_loop()
        self._stopped = False
        self._timer: TimerHandle | None = None

    def watch(self) -> None:
        """Set the timer for the earliest deadline. Call this when one has moved closer."""
        if self._timer is not None:
            self._timer.cancel()
        if not self._stopped and (due := [at for at, _ in self._due()]):
            self._timer = self._loop.call_at(min(due), self._expire)

    def stop(self) -> None:
        """Cancel the timer; nothing is called from now on."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()

    def _expire(self) -> None:
        now = self._loop.time()
        for at, act in self._due():
            if at <= now:
                act()
                break
        self.watch()


class RunDeadlines:
    """The deadlines of a run: ``limits.run``, ``limits.first`` and ``limits.idle``.

    Args:
        limits: The route's limits.
        frames: Where the run writes. While frames wait there, it is not the run that is idle.
        fail: Called with a `RunTimeout` when a deadline has expired.

    Attributes:
        alive_at: When the run was last active, by the event loop's clock; the run keeps it up to
            date, if there is a ``limits.idle``.
        time: Returns the time by that clock.
    """

    def __init__(
        self, limits: Limits, frames: FrameSink, fail: Callable[[BaseException], None]
    ) -> None:
        self.time = asyncio.get_running_loop().time
        self._begun = self.alive_at = self.time()
        self._limits = limits
        self._frames = frames
        self._fail = fail
        self._answering = False
        self._deadlines = Deadlines(self._due)

    def start(self) -> None:
        """Watch the deadlines from now on."""
        self._begun = self.alive_at = self.time()
        self._deadlines.watch()

    def answer(self) -> None:
        """Note that the run's output has begun, which ends ``limits.first``."""
        if not self._answering:
            self._answering = True
            self._deadlines.watch()

    def stop(self) -> None:
        """Stop watching the deadlines."""
        self._deadlines.stop()

    def _due(self) -> Due:
        if self._frames.size:
            self.alive_at = self.time()
        limits = self._limits
        if limits.run is not None:
            yield self._begun + limits.run, self._run_expired
        if not self._answering and limits.first is not None:
            yield self._begun + limits.first, self._first_expired
        if self._answering and limits.idle is not None:
            yield self.alive_at + limits.idle, self._idle_expired

    def _run_expired(self) -> None:
        self._fail(RunTimeout())

    def _first_expired(self) -> None:
        self._fail(RunTimeout("The run did not begin to answer in time."))

    def _idle_expired(self) -> None:
        self._fail(RunTimeout("The run was idle for too long."))
