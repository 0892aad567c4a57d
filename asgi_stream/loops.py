"""What an app holds on one event loop."""

from __future__ import annotations

import asyncio
from asyncio import Task
from collections.abc import Callable

from .detached import Detached
from .gate import Gate
from .outbox import Outbox
from .tasks import RunTasks


class OnLoop:
    """What an app holds on one event loop."""

    def __init__(self) -> None:
        self.streams: set[Outbox] = set()
        self.runs: set[Detached] = set()
        """Those that outlive their readers."""
        self.tasks = RunTasks()
        self.gate = Gate()
        self.closing = False
        self._ending: Task[None] | None = None

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

    async def ended(self, seconds: float) -> None:
        """Wait until no run goes on and each has cleaned up, for at most `seconds`."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while self.tasks and (left := until - loop.time()) > 0:
            await asyncio.wait(self.tasks, timeout=left)

    async def ended_for_all(self, seconds: float) -> None:
        """The same for each of many requests, whose waiting is done once."""
        if self._ending is None or self._ending.done():
            self._ending = asyncio.get_running_loop().create_task(self.ended(seconds))
        await asyncio.shield(self._ending)
