"""The events of a thread, over all its runs: one stream that ends with its reader."""

from __future__ import annotations

import asyncio
from asyncio import Task
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import cast

from .._delivery.buffer import FrameBuffer
from .._delivery.delivery import Delivery
from .._delivery.observability import reported
from .._langchain.tasks import RunTasks
from .._request.body import read_body
from .._request.turn import checked_id
from .._routing.bound import BoundRoute
from ..errors import RunNotFound, WorkerLost
from ..events import RunError
from ..formats import STORED_THREAD
from ..formats._langgraph.envelopes import Envelopes, StoredEvent, Subscription
from ..requests import StreamRequest
from ..resume import Resume
from ..stores import ThreadRecord
from ..threads import Threads, thread_scope
from .older_events import OlderEvents
from .reader import StoredRunReader
from .service import StoredRuns
from .translation import translated

LOOK_SECONDS = 0.2
"""How often the next run of a thread is looked for."""


async def thread_events(
    route: BoundRoute, runs: StoredRuns, request: StreamRequest, tasks: RunTasks
) -> ThreadEvents:
    """Return the stream of a thread's events that a request asks for.

    The thread need not exist: clients listen before their first run on it.

    Raises:
        StreamError: The request is not valid.
    """
    subscription = Subscription.parse(await read_body(request))
    return ThreadEvents(route, runs, request, subscription, tasks)


class ThreadEvents:
    """Sends the events of a thread's runs, one run after the other, and waits for the next run.

    To the response it is a `FrameStream`, to its delivery a `Source`.

    Args:
        route: The route.
        runs: The stored runs of the route and the caller.
        request: The request, with the thread in its path.
        subscription: The events that the reader asks for.
        tasks: Keeps the reading task alive.
    """

    gathered = broken = False
    run_id = ""
    headers: Mapping[str, str] = {}

    def __init__(
        self,
        route: BoundRoute,
        runs: StoredRuns,
        request: StreamRequest,
        subscription: Subscription,
        tasks: RunTasks,
    ) -> None:
        self.thread_id: str | None = checked_id(request.path_params[STORED_THREAD])
        self.buffer = FrameBuffer(route.limits.buffer)
        self.delivery = Delivery(self.buffer, self, route.limits, route.format_class.ping)
        self._store = cast(Threads, route.thread_policy).opened
        self._place = thread_scope(route.thread_path, request.owner), self.thread_id
        self._runs, self._route = runs, route
        self._frames = cast(Resume, route.resume_policy).opened
        self._subscription = subscription
        self._tasks = tasks
        self._reading: list[Task[None]] = []
        """The task that reads, once the response has begun."""
        self._read: set[str] = set()
        """The runs that have been read."""

    async def opened(self) -> RunError | None:
        """Begin to read."""
        self.delivery.start()
        self._reading.append(self._tasks.spawn(self._read_all()))
        return None

    def refill(self) -> Awaitable[None]:
        """Wait until there are frames, or no more."""
        return self.buffer.arrival()

    def fail(self, exception: BaseException) -> None:
        """End the response, whose reader connects again."""
        self.leave()

    def shut_down(self) -> None:
        """End the response because the server is shutting down."""
        self.leave()

    def leave(self) -> None:
        """Stop reading. Returns at once."""
        self.delivery.stop()
        for task in self._reading:
            task.cancel()

    async def _read_all(self) -> None:
        try:
            while True:
                reader = await self._next_run()
                if reader is None:
                    await asyncio.sleep(LOOK_SECONDS)
                else:
                    await self._read_run(reader)
        except Exception as error:
            reported(error, self._route)
        finally:
            self.buffer.finish()

    async def _next_run(self) -> StoredRunReader | None:
        """Return a reader of the oldest run that has not been read; None if there is none yet."""
        record = await self._store.find(*self._place)
        kept = record.runs if record else ()
        for run_id in reversed([each for each in kept if each not in self._read]):
            try:
                return await self._runs.join(run_id, None, if_finished=True)
            except RunNotFound:
                if record is None or await self._may_begin(run_id, record):
                    return None
                self._read.add(run_id)  # it was refused, or is not kept any more
        return None

    async def _may_begin(self, run_id: str, thread: ThreadRecord) -> bool:
        """Return whether a run that is not stored yet may still begin."""
        for newer in thread.runs[: thread.runs.index(run_id)]:
            if thread.status != "busy":
                return False
            with suppress(RunNotFound):
                if (await self._runs.find(newer)).started:
                    return False  # so the older one does not have the thread any more
        return True

    async def _read_run(self, reader: StoredRunReader) -> None:
        run_id, log = reader.run_id, _RunLog(reader.run_id, self._route, self._older_events)
        while not await self._read_log(reader, log):
            # The frames after the last one are gone, or the store was.
            page = await self._frames.read(run_id, log.position)
            position = log.position if page is None else page.first - 1
            reader = await self._runs.join(run_id, str(position), if_finished=True)
        self._extend(log.end())
        self._read.add(run_id)

    async def _read_log(self, reader: StoredRunReader, log: _RunLog) -> bool:
        """Read a run; return whether its end has been reached."""
        buffer = reader.buffer
        try:
            while not buffer.ended or buffer.waiting_since is not None:
                if buffer.waiting_since is None:
                    await reader.refill()
                else:
                    self._extend(await log.read(buffer.take()))
                    await self.buffer.room()
        finally:
            reader.leave()
        return not log.broken

    async def _older_events(self, run_id: str) -> OlderEvents:
        return OlderEvents(self._route.format_class(), await self._runs.find(run_id))

    def _extend(self, events: Iterable[StoredEvent]) -> None:
        """Send those of the events that the reader asks for."""
        wanted = self._subscription
        self.buffer.extend(
            [
                each.frame
                for each in events
                if each.number > wanted.since and wanted.accepts(each.channel, each.namespace)
            ]
        )


class _RunLog:
    """The events of one stored run.

    Attributes:
        position: The id of the last frame that was read.
        broken: Whether what was read last is an error of the reader, not a frame of the run.
    """

    def __init__(
        self,
        run_id: str,
        route: BoundRoute,
        older_events: Callable[[str], Awaitable[OlderEvents]],
    ) -> None:
        self.position = 0
        self.broken = False
        self._run_id, self._route = run_id, route
        self._older_events = older_events
        self._older: OlderEvents | None = None
        self._last: StoredEvent | None = None

    async def read(self, frames: Sequence[bytes]) -> list[StoredEvent]:
        """Return the events of frames, whichever API has started the run."""
        events: list[StoredEvent] = []
        for frame in frames:
            id_ = frame.partition(b"\n")[0].removeprefix(b"id: ")
            self.broken = not id_.isdigit()
            if self.broken:
                continue
            self.position = int(id_)
            event = StoredEvent.read(frame)
            if event is not None:
                events.append(event)
            elif not (events or self._last) or self._older:
                self._older = self._older or await self._older_events(self._run_id)
                read = self._older.read
                older = translated(self._route, self._run_id, read, self.position, frame)
                events += older or ()
        self._last = events[-1] if events else self._last
        return events

    def end(self) -> Iterator[StoredEvent]:
        """Return the end of a run whose last frame another worker has written, as of an API v1."""
        if self._last is not None and not self._last.ends_run:
            error = WorkerLost.message
            lost = Envelopes(self._last.number).lifecycle(self._run_id, "failed", (), error=error)
            yield cast(StoredEvent, StoredEvent.read(lost))
