"""The event loops of an app, and whether new runs may begin."""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop
from collections import Counter
from collections.abc import Callable
from weakref import WeakKeyDictionary, WeakMethod

from ..errors import ShuttingDown, TooManyRuns
from .active import ActiveRuns
from .signals import SignalHook

MARGIN_SECONDS = 1.0
"""How much longer than ``limits.grace`` the end of a run is waited for."""


class Loops:
    """The event loops of an app, each with its streams and runs.

    Args:
        grace: Seconds that a cancelled run may take to clean up.
        signals: Whether SIGTERM and SIGINT end all streams.

    Attributes:
        draining: Whether new runs are refused, while those that have begun may finish.
        clean_up_seconds: How long the end of cancelled runs is waited for.
    """

    def __init__(self, grace: float, *, signals: bool) -> None:
        self.draining = False
        self.clean_up_seconds = grace + MARGIN_SECONDS
        self._running: Counter[str] = Counter()
        self._loops: WeakKeyDictionary[AbstractEventLoop, ActiveRuns] = WeakKeyDictionary()
        close = WeakMethod(self._close)
        self._hook = SignalHook(lambda: (method := close()) and method()) if signals else None

    @property
    def current(self) -> ActiveRuns:
        """What the app holds on the running event loop."""
        loop = asyncio.get_running_loop()
        if loop not in self._loops:
            self._loops[loop] = ActiveRuns()
            if self._hook is not None:
                self._hook.install()
        return self._loops[loop]

    @property
    def refusing(self) -> bool:
        """Whether new runs are refused on the running event loop."""
        return self.draining or self.current.closing

    def hold(self, path: str, limit: int | None) -> Callable[[], None]:
        """Count one more run of the route at `path`.

        Returns:
            A function that releases it.

        Raises:
            ShuttingDown: New runs are refused.
            TooManyRuns: `limit` runs of the route are in progress.
        """
        if self.refusing:
            raise ShuttingDown
        if limit is not None and self._running[path] >= limit:
            raise TooManyRuns
        self._running[path] += 1
        return lambda: self._running.subtract((path,))

    def _close(self) -> None:
        for loop, active in tuple(self._loops.items()):
            if not loop.is_closed():
                loop.call_soon_threadsafe(active.close)


class RunSlot:
    """One of the runs that a route may have at once, until it is released or handed over.

    Args:
        hold: Counts one more run, and returns what releases it.
    """

    def __init__(self, hold: Callable[[], Callable[[], None]]) -> None:
        self._hold = hold
        self._release: Callable[[], None] | None = None

    def __enter__(self) -> RunSlot:
        return self

    def __exit__(self, *_: object) -> None:
        if self._release is not None:
            self._release()

    def take(self) -> None:
        """Take the slot.

        Raises:
            ShuttingDown: New runs are refused.
            TooManyRuns: There is no slot.
        """
        self._release = self._hold()

    def hand_over(self) -> Callable[[], None]:
        """Return what releases the slot, which is taken if that has not been done before.

        Raises:
            ShuttingDown: New runs are refused.
            TooManyRuns: There is no slot.
        """
        release, self._release = self._release or self._hold(), None
        return release
