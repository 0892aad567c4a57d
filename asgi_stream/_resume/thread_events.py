"""The events of a thread, over all its runs: one stream that ends with its reader."""

from __future__ import annotations

import asyncio
from asyncio import Task
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from functools import partial
from typing import cast

from .._delivery.buffer import FrameBuffer
from .._delivery.delivery import Delivery
from .._delivery.observability import reported
from .._langchain.sent_messages import message_of
from .._langchain.tasks import RunTasks
from .._request.body import read_body
from .._request.turn import checked_id
from .._routing.bound import BoundRoute
from ..errors import RunNotFound
from ..events import RunError
from ..formats import STORED_THREAD, ThreadReader
from ..requests import StreamRequest
from ..resume import Resume
from ..stores import RunRecord, ThreadRecord
from ..threads import Threads, thread_scope
from .numbering import number_of
from .reader import StoredRunReader
from .stored_runs import StoredRuns
from .translation import translated

POLL_SECONDS = 0.2
"""How often the next run of a thread is looked for."""


async def thread_events(
    route: BoundRoute, runs: StoredRuns, request: StreamRequest, tasks: RunTasks
) -> ThreadEvents:
    """Return the stream of a thread's events that a request asks for.

    The thread need not exist: clients listen before their first run on it.

    Raises:
        StreamError: The request is not valid.
    """
    restore = partial(message_of, keep_chunks=True)
    protocol = route.format_class.thread_protocol
    translation = protocol.reader(await read_body(request), restore)
    return ThreadEvents(route, runs, request, translation, tasks)


class ThreadEvents:
    """Sends the events of a thread's runs, one run after the other, and waits for the next run.

    To the response it is a `FrameStream`, to its delivery a `Source`.

    Args:
        route: The route.
        runs: The stored runs of the route and the caller.
        request: The request, with the thread in its path.
        translation: Translates the frames of the runs.
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
        translation: ThreadReader,
        tasks: RunTasks,
    ) -> None:
        self.thread_id: str | None = checked_id(request.path_params[STORED_THREAD])
        self.buffer = FrameBuffer(route.limits.buffer)
        self.delivery = Delivery(self.buffer, self, route.limits, route.format_class.ping)
        self._store = cast(Threads, route.thread_policy).opened
        self._place = thread_scope(route.thread_path, request.owner), self.thread_id
        self._runs, self._route = runs, route
        self._frames = cast(Resume, route.resume_policy).opened
        self._translation = translation
        self._tasks = tasks
        self._reading: list[Task[None]] = []
        """The task that reads, once the response has begun."""
        self._read: set[str] = set()
        """The runs that have been read."""
        self._begun = ""
        """The run that is being translated."""

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
                    await asyncio.sleep(POLL_SECONDS)
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
        run_id, position = reader.run_id, 0
        while True:
            position = await self._read_frames(reader, position)
            if reader.error is None:
                break
            # The frames after the last one are gone, or the store was.
            page = await self._frames.read(run_id, position)
            position = position if page is None else page.first - 1
            reader = await self._runs.join(run_id, str(position), if_finished=True)
        self.buffer.extend(self._translation.end())
        self._read.add(run_id)

    async def _read_frames(self, reader: StoredRunReader, position: int) -> int:
        """Read the frames of a run after a position, and return that of the last one."""
        about = self._route, reader.run_id, self._translation.read
        try:
            async for frame in reader.frames():
                number = number_of(frame)
                if number is None:
                    continue  # an error of the reader
                await self._begin(reader.record)
                self.buffer.extend(translated(*about, number, frame) or ())
                await self.buffer.room()
                position = number
        finally:
            reader.leave()
        return position

    async def _begin(self, record: RunRecord) -> None:
        """Begin to translate a run, with its record from when it has started."""
        if self._begun != record.run_id:
            self._begun = record.run_id
            started = record if record.started else await self._runs.find(record.run_id)
            self._translation.begin(started)
