"""What an app holds on one event loop."""

from __future__ import annotations

from asyncio import Task
from collections.abc import Callable

from .detached import Detached
from .outbox import Outbox


class OnLoop:
    """What an app holds on one event loop."""

    def __init__(self) -> None:
        self.streams: set[Outbox] = set()
        self.runs: set[Detached] = set()
        """Those that outlive their readers."""
        self.tasks: set[Task[None]] = set()
        self.closing = False

    def close(self) -> None:
        self.closing = True
        for run in tuple(self.runs):
            run.shut_down()
        for stream in tuple(self.streams):
            stream.shut_down()

    def keep(self, run: Detached, then: Callable[[], None]) -> None:
        """Hold `run` until it has ended, and `then` do that."""
        if run.closed:
            then()
            return
        self.runs.add(run)

        def ended() -> None:
            self.runs.discard(run)
            then()

        run.on_end = ended
        if self.closing:
            run.shut_down()
