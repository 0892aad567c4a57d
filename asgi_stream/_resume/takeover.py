"""Goes on with runs whose worker has died, on the worker of one of their readers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import ExitStack, aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

from .._langchain.run_request import RunRequest
from .._langchain.threads.continuation import NotContinuable
from .._lifecycle.active import ActiveRuns
from .._logs import logger
from .._request.prepare import prepare
from .._request.stored_request import StoredRequest
from .._routing.bound import BoundRoute
from ..errors import StreamError
from ..events import RunError, RunStarted
from ..formats import Format, Frame
from ..requests import StreamRequest
from ..resume import Resume
from ..stores import OwnershipLost, RunRecord
from .lost_run import LostRun
from .numbering import id_line, numbered
from .recorder import RunRecorder
from .retention import Retention
from .taken_run import TakenRun

if TYPE_CHECKING:
    from ..telemetry import Telemetry

MOST_ATTEMPTS = 3
"""How many workers a run may have, one after the other: it may be what they die of."""

FENCE = b": another worker goes on with this run\n"
"""The first frame of each attempt, a comment. The old worker, should it wake, cannot write here."""


class RunTakeover:
    """Goes on with runs of one route for a request that reads them.

    Args:
        route: The route.
        resume: How its runs are stored.
        request: The request, which the route's functions are called with.
        active: Holds the runs while they go on.
        hold: Counts a run; what it returns takes it back.
        telemetry: Records the runs.
    """

    def __init__(
        self,
        route: BoundRoute,
        resume: Resume,
        request: StreamRequest,
        active: ActiveRuns,
        hold: Callable[[], Callable[[], None]],
        telemetry: Telemetry | None,
    ) -> None:
        self._route = route
        self._resume = resume
        self._store = resume.opened
        self._request = request
        self._active = active
        self._hold = hold
        self._telemetry = telemetry

    def __call__(self, run_id: str, newest: int) -> None:
        """Go on with a run, unless another worker does. Returns at once.

        Args:
            run_id: The run.
            newest: The id of its newest frame.
        """
        self._active.tasks.spawn(self._takeover(run_id, newest))

    async def _takeover(self, run_id: str, newest: int) -> None:
        try:
            record = await self._store.find(run_id)
            if record is None or record.ended is not None:
                return
            with ExitStack() as stack:
                stack.callback(self._hold())
                run = self._run_of(record, newest)
                origin = await self._store.take_over(run, newest, run.frames)
                logger.warning(
                    "run %s of %s goes on here, as attempt %d of %d: its worker has died",
                    *(run_id, self._route.path, run.record.attempts, MOST_ATTEMPTS),
                )
                await self._go_on(run, origin, stack)
        except (OwnershipLost, StreamError):
            pass  # another worker has it, or this one has no room; the reader looks again

    def _run_of(self, record: RunRecord, newest: int) -> TakenRun:
        line = id_line(self._route.format_class(), record.run_id)
        frames = numbered(line, newest + 1, [FENCE])
        record = replace(
            record,
            state="running",
            started=record.started or time.time(),
            frames=newest + 1,
            code=None,
            attempts=record.attempts + 1,
        )
        return TakenRun(record, frames)

    async def _go_on(self, run: TakenRun, origin: bytes | None, stack: ExitStack) -> None:
        written = Retention(self._resume.frames, self._resume.size)
        request = self._request.with_body(None)
        try:
            if run.record.attempts > MOST_ATTEMPTS:
                raise NotContinuable(f"{MOST_ATTEMPTS} workers have died while they executed it")
            if origin is None:
                raise NotContinuable("its request is not stored, perhaps because it is too large")
            stored = StoredRequest.decode(origin)
            request = stored.again(self._route, self._request, run.record.attempts)
            frames = await self._frames(run, written)
            prepared: Any = await prepare(
                *(self._route, stored.endpoint, request, self._active.tasks),
                telemetry=self._telemetry,
                run_id=UUID(run.record.run_id),
            )
            with prepared.held:  # which the run takes over when it begins
                await self._begin(run, prepared, frames, written, stack)
        except Exception as error:
            self._give_up(run, error, request.parsed.format if request.parsed else None)

    async def _frames(self, run: TakenRun, written: Retention) -> list[Frame]:
        """Return all frames of a run."""
        frames: list[Frame] = []
        async with aclosing(self._pages(run.record)) as pages:
            async for page in pages:
                written.add(page)
                frames += map(Frame.parse, page)
        return frames

    async def _pages(self, record: RunRecord) -> AsyncGenerator[list[bytes], None]:
        after = 0
        while after < record.frames:
            page = await self._store.read(record.run_id, after)
            if page is None or page.first != after + 1 or not page.frames:
                raise NotContinuable("its first frames are no longer stored")
            after += len(page.frames)
            yield list(page.frames)

    async def _begin(
        self,
        run: TakenRun,
        request: RunRequest,
        frames: list[Frame],
        written: Retention,
        stack: ExitStack,
    ) -> None:
        """Begin to execute a run where it goes on, and record it behind its frames."""
        turn: Any = request.turn
        about = frames, run.record.attempts, turn.start.calls
        # In a thread, because the stream may be long.
        closing = await asyncio.to_thread(request.format.restore, *about)
        if run.lost:
            return
        record = replace(run.record, size=written.size)
        recorder = RunRecorder(
            *(request, self._route, self._resume, record),
            tasks=self._active.tasks,
            written=written,
        )
        run.go_on_with(recorder)
        self._active.keep(recorder, stack.pop_all().close)
        if closing:
            recorder.append(closing)
        recorder.begin()

    def _give_up(self, run: TakenRun, error: Exception, format: Format | None) -> None:
        """End a run that cannot go on."""
        route, record = self._route, run.record
        reason = isinstance(error, NotContinuable)
        logger.warning(
            "run %s of %s cannot go on: %s",
            *(record.run_id, route.path, error if reason else "its request failed"),
            exc_info=None if reason or isinstance(error, StreamError) else error,
        )
        format, first = format or route.format_class(), record.frames + 1

        def encode(error: RunError) -> bytes:
            format.encode(RunStarted(record.run_id))  # which tells it the run
            return format.encode(error)

        end = LostRun(route, record, first, format, encode)
        end.log()
        if not run.lost:
            run.record = end.record
            self._store.append(record.run_id, first, end.frames, record=end.record)
