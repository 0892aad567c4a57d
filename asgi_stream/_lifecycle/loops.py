"""What an app holds on each of its event loops, and whether it begins new runs."""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop
from collections import Counter
from collections.abc import Callable
from weakref import WeakKeyDictionary, WeakMethod

from ..errors import ShuttingDown, TooManyRuns
from .active import ActiveRuns
from .signals import SignalHook


class Loops:
    """The event loops of an app, each with its streams and runs.

    Args:
        signals: Whether SIGTERM and SIGINT end all streams.

    Attributes:
        draining: Whether no new run is begun, while those that go on may finish.
    """

    def __init__(self, *, signals: bool) -> None:
        self.draining = False
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
        """Whether no new run is begun on the running event loop."""
        return self.draining or self.current.closing

    def hold(self, path: str, limit: int | None) -> Callable[[], None]:
        """Count one more run of the route at `path`, until the function that is returned is called.

        Raises:
            ShuttingDown: No new run is begun.
            TooManyRuns: As many as `limit` go on.
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
