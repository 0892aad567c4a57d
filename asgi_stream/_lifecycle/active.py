"""What an app holds on one event loop."""

from __future__ import annotations

import asyncio
from asyncio import Task
from collections.abc import Callable
from typing import Protocol

from .._langchain.tasks import RunTasks
from .gate import Gate
from .server_sockets import Address, ServerSockets

LOOK_SECONDS = 0.25
"""How often, while there are streams or runs, it is looked whether a server has gone."""


class Stream(Protocol):
    """What answers a request with frames."""

    def shut_down(self) -> None:
        """End it because the server goes away."""


class StoredRun(Stream, Protocol):
    """A run that outlives its readers."""

    closed: bool
    on_end: Callable[[], None]


class ActiveRuns:
    """What an app holds on one event loop."""

    def __init__(self) -> None:
        self.streams: dict[Stream, Address] = {}
        """Each with the server's address where its reader is connected."""
        self.runs: set[StoredRun] = set()
        """Those that outlive their readers."""
        self.tasks = RunTasks()
        self.gate = Gate()
        self._sockets = ServerSockets()
        self._closed = self._looking = False
        self._ending: Task[None] | None = None

    @property
    def closing(self) -> bool:
        """Whether the app ends here, or each server that it had has gone."""
        return self._closed or self._sockets.all_gone

    def open(self) -> None:
        self._closed = False

    def note(self, address: Address) -> None:
        """Take note of a request that has come in at `address`."""
        self._sockets.note(address)

    def ends(self, address: Address) -> bool:
        """Whether the app ends here, or the server at `address` has gone."""
        return self._closed or self._sockets.gone(address)

    def add(self, stream: Stream, address: Address) -> None:
        """Hold `stream`, and end it when the server at `address` has gone."""
        self.streams[stream] = address
        if self.ends(address):
            stream.shut_down()
        self._keep_looking()

    def _keep_looking(self) -> None:
        if not self._looking:
            self._looking = True
            asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        self._looking = False
        for address in {*self.streams.values()}:
            self._sockets.note(address)  # another one may listen there by now
        for stream, address in tuple(self.streams.items()):
            if self._sockets.gone(address):
                stream.shut_down()
        if self._sockets.all_gone:
            for run in tuple(self.runs):
                run.shut_down()
        if self.streams or self.runs:
            self._keep_looking()

    def close(self) -> None:
        self._closed = True
        for run in tuple(self.runs):
            run.shut_down()
        for stream in tuple(self.streams):
            stream.shut_down()

    def keep(self, run: StoredRun, then: Callable[[], None]) -> None:
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
