"""What an app holds on one event loop."""

from __future__ import annotations

import asyncio
from asyncio import Task
from collections.abc import Callable
from typing import Any

from .detached import Detached
from .gate import Gate
from .outbox import Outbox
from .server_sockets import ServerSockets
from .tasks import RunTasks

LOOK_SECONDS = 0.25
"""How often, while there are streams or runs, it is looked whether the server has stopped."""


class OnLoop:
    """What an app holds on one event loop.

    Args:
        asked_to_stop: Whether the server is known to have been asked to stop.
    """

    def __init__(self, asked_to_stop: Callable[[], bool]) -> None:
        self.streams: set[Outbox] = set()
        self.runs: set[Detached] = set()
        """Those that outlive their readers."""
        self.tasks = RunTasks()
        self.gate = Gate()
        self.closing = False
        self._asked_to_stop = asked_to_stop
        self._sockets = ServerSockets()
        self._looking = False
        self._seen_stopped = False
        self._ending: Task[None] | None = None

    def serves(self, server: Any) -> None:
        """A request has come in at `server`, of its ASGI scope."""
        self._sockets.note(server)
        if self._seen_stopped and self._sockets.look() and not self._asked_to_stop():
            self._seen_stopped = self.closing = False  # another one serves the app since

    def add(self, stream: Outbox) -> None:
        """Hold `stream`, and end it when the server stops."""
        self.streams.add(stream)
        self._keep_looking()

    def _keep_looking(self) -> None:
        if not self._looking:
            self._looking = True
            asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        self._looking = False
        if self._sockets.closed or self._asked_to_stop():
            self._seen_stopped = self._seen_stopped or not self.closing
            self.close()
        elif self.streams or self.runs:
            self._keep_looking()

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
        self._keep_looking()

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
