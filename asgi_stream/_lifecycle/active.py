"""The streams and runs that an app has on one event loop."""

from __future__ import annotations

import asyncio
from asyncio import Task
from collections.abc import Callable
from typing import Protocol

import anyio

from .._langchain.tasks import RunTasks
from .gate import Gate
from .server_sockets import Address, ServerSockets

POLL_SECONDS = 0.25
"""How often, while there are streams or runs, the servers' sockets are checked."""


class Stream(Protocol):
    """The response to one request."""

    def shut_down(self) -> None:
        """End it because the server is shutting down."""


class StoredRun(Protocol):
    """A run that outlives its readers."""

    closed: bool
    on_end: Callable[[], None] | None

    def shut_down(self) -> None:
        """End it because the server is shutting down."""


class ActiveRuns:
    """The streams and runs that an app has on one event loop.

    Attributes:
        streams: Each stream with the server's address that its reader is connected to.
        runs: The runs that outlive their readers.
        tasks: The tasks of all runs.
        gate: Lets one request per turn of the event loop start its run.
    """

    def __init__(self) -> None:
        self.streams: dict[Stream, Address] = {}
        self.runs: set[StoredRun] = set()
        self.tasks = RunTasks()
        self.gate = Gate()
        self._sockets = ServerSockets()
        self._closed_at: float | None = None
        self._looking = False
        self._ending: Task[None] | None = None
        self._none_kept = asyncio.Event()

    @property
    def closing(self) -> bool:
        """Whether the app is closed on this loop, or all its servers have stopped listening."""
        return self._closed_at is not None or self._sockets.all_gone

    def open(self) -> None:
        """Accept runs again after `close`."""
        self._closed_at = None

    def note(self, address: Address) -> None:
        """Watch the server at `address`, where a request has come in."""
        self._sockets.note(address)

    def ends(self, address: Address) -> bool:
        """Return whether the app is closed, or the server at `address` has stopped listening."""
        return self._closed_at is not None or self._sockets.gone(address)

    def add(self, stream: Stream, address: Address) -> None:
        """Hold `stream`, and shut it down when the server at `address` stops listening."""
        self.streams[stream] = address
        if self.ends(address):
            stream.shut_down()
        self._keep_looking()

    def keep(self, run: StoredRun, then: Callable[[], None]) -> None:
        """Hold `run` until it has ended, and call `then`."""
        if run.closed:
            then()
            return
        self.runs.add(run)
        self._none_kept.clear()
        self._keep_looking()

        def ended() -> None:
            self.runs.discard(run)
            if not self.runs:
                self._none_kept.set()
            then()

        run.on_end = ended
        if self.closing:
            run.shut_down()

    def close(self) -> None:
        """Shut down all streams and runs, and accept no more."""
        if self._closed_at is None:
            self._closed_at = asyncio.get_running_loop().time()
        for run in tuple(self.runs):
            run.shut_down()
        for stream in tuple(self.streams):
            stream.shut_down()

    async def ended(self, seconds: float) -> None:
        """Wait until all runs have ended, cleaned up and are stored.

        Args:
            seconds: How long it may take, from when the app was closed if it is.
        """
        now = asyncio.get_running_loop().time()
        since = now if self._closed_at is None else self._closed_at
        with anyio.move_on_after(since + seconds - now):
            while self.tasks or self.runs:
                if self.tasks:
                    await asyncio.wait(self.tasks)
                else:
                    await self._none_kept.wait()

    async def ended_for_all(self, seconds: float) -> None:
        """Wait as `ended` does; requests that wait at the same time share one wait."""
        if self._ending is None or self._ending.done():
            self._ending = asyncio.get_running_loop().create_task(self.ended(seconds))
        await asyncio.shield(self._ending)

    def _keep_looking(self) -> None:
        if not self._looking:
            self._looking = True
            asyncio.get_running_loop().call_later(POLL_SECONDS, self._look)

    def _look(self) -> None:
        self._looking = False
        for address in {*self.streams.values()}:
            self._sockets.note(address)  # another server may listen there by now
        for stream, address in tuple(self.streams.items()):
            if self._sockets.gone(address):
                stream.shut_down()
        if self._sockets.all_gone:
            for run in tuple(self.runs):
                run.shut_down()
        if self.streams or self.runs:
            self._keep_looking()
