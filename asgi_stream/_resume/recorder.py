"""Records a run in a store, from which all its readers read."""

from __future__ import annotations

import asyncio
import time
from asyncio import TimerHandle
from collections.abc import Callable
from dataclasses import replace
from operator import attrgetter
from typing import Any

from .._delivery.buffer import FrameBuffer
from .._delivery.pump import EventPump
from .._langchain.run_request import RunRequest
from .._langchain.tasks import RunTasks
from .._logs import logger
from .._routing.bound import BoundRoute
from ..errors import RunCancelled, ShuttingDown, StoreUnavailable, WorkerLost
from ..events import RunError
from ..resume import Resume
from ..stores import OwnershipLost, RunRecord, State
from .numbering import id_line, numbered
from .retention import Retention

PAUSE_BYTES = 16_384
"""The run is paused when so much waits for the store, which needs its share of the loop."""


class RunRecorder:
    """Runs a Runnable, and writes its frames, with their ids, to a store.

    To its pump it is a `FrameSink`, to the store a `Producer`. A local store is written to with
    every frame. Others are written to once per turn of the event loop, and frames that come while
    a write is pending are written together.

    Args:
        request: The run.
        route: The route's options.
        resume: How runs are stored.
        record: The run's record before it begins.
        tasks: Keeps the run's tasks alive.
        written: Counts the frames of a run that another worker has begun.

    Attributes:
        closed: Whether nothing more will be written.
        on_end: Called when nothing more will be written.
    """

    def __init__(
        self,
        request: RunRequest,
        route: BoundRoute,
        resume: Resume,
        record: RunRecord,
        *,
        tasks: RunTasks,
        written: Retention | None = None,
    ) -> None:
        self.closed = False
        self.on_end: Callable[[], None] | None = None
        capacity = route.limits.buffer
        self._pending = FrameBuffer(
            capacity, PAUSE_BYTES if capacity is None else min(PAUSE_BYTES, capacity / 2)
        )
        self._paced_by = self._pending
        self.room = self._pending.room
        self.exempt = self._pending.exempt
        self._id = id_line(request.format, record.run_id)
        self._append_to_store = resume.opened.append
        self._retention = written or Retention(resume.frames, resume.size)
        self._local = resume.local
        self._writing = False
        self._run_id = record.run_id
        self._record = record
        self._route = route
        # A run in the background has no reader that could disconnect.
        unattended = request.spec.background or request.spec.unattended
        unread = resume.unread_timeout if unattended else resume.cancel_after
        self._patience = 0.0 if request.spec.cancel_on_disconnect else unread
        self._unread: TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._pump = EventPump(request, route, self, tasks=tasks)

    def begin(self) -> None:
        """Start the run, unless it has ended before."""
        self._pump.begin()

    async def opened(self) -> RunError | None:
        """Wait for the run's first output, for at most ``limits.hold`` seconds.

        Returns:
            The error, if the run failed before it had any output.
        """
        return await self._pump.opened(self._route.limits.hold)

    def shut_down(self) -> None:
        """End the run because the server is shutting down."""
        self._pump.fail(ShuttingDown())

    def pace_by(self, buffer: FrameBuffer | None) -> None:
        """Pace the run by the buffer of its first reader; by none, once that has left."""
        self._paced_by = self._pending if buffer is None else buffer

    @property
    def error(self) -> RunError | None:
        """The error that has ended the run, if one has."""
        return self._pump.end if isinstance(self._pump.end, RunError) else None

    # The store's `Producer`.

    @property
    def record(self) -> RunRecord:
        """The run's record, up to date."""
        record, retention = self._record, self._retention
        if record.frames == retention.written:
            return record
        return replace(record, frames=retention.written, size=retention.size)

    def stop(self) -> None:
        """Cancel the run, because a client or the last reader has asked for it."""
        self._pump.fail(RunCancelled())

    def written(self, error: Exception | None = None) -> None:
        """Go on after a pending write; end the run if that has failed."""
        if self.closed:
            return
        pending = self._pending
        if error is not None:
            self._not_written(error)
        elif pending.waiting_since is not None or (pending.ended and self._record.ended is None):
            self._write_pending()
        else:
            self._writing = False
            if self._record.ended is not None:
                self._close()

    def read_by(self, readers: int) -> None:
        """Cancel the run if it has had no reader for some time."""
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        if not readers and self._patience is not None and not self._pending.ended:
            self._unread = self._loop.call_later(self._patience, self.stop)

    # The pump's `FrameSink`, read through C, because some of it is read for every token.

    size: Any = property(attrgetter("_pending.size"))
    full: Any = property(attrgetter("_pending.full"))
    overflowing: Any = property(attrgetter("_pending.overflowing"))
    waiting_since: Any = property(attrgetter("_paced_by.waiting_since"))
    taken: Any = property(attrgetter("_paced_by.taken"))

    @property
    def held(self) -> int:
        """Bytes that wait for the store, and for the first reader."""
        pending, reader = self._pending, self._paced_by
        return pending.size + (0 if reader is pending else reader.size)

    def append(self, frame: bytes) -> None:
        """Write a frame, or several in one piece."""
        # This runs for every token.
        if not self._local:
            self._pending.append(frame)
            if not self._writing:
                self._write_soon()
        elif self._id and frame.find(b"\n\n") == len(frame) - 2:
            self._write([self._id % (self._retention.written + 1) + frame])
        else:
            self._write(numbered(self._id, self._retention.written + 1, [frame]))

    def finish(self, frame: bytes = b"") -> None:
        """Write the last frame and the run's end."""
        self._pending.finish(frame)
        if not self._writing:
            self._write_soon()

    def _write_soon(self) -> None:
        # In the next turn of the event loop, together with what comes until then.
        self._writing = True
        self._loop.call_soon(self._write_pending)

    def _write_pending(self) -> None:
        frames = numbered(self._id, self._retention.written + 1, self._pending.take())
        if self._pending.ended and not frames:
            frames = [b""]  # the end needs a frame, and the format has none
        if self._write(frames):
            self.written()

    def _write(self, frames: list[bytes]) -> bool:
        """Give `frames` to the store, and return whether they have been written."""
        retention = self._retention
        first = retention.written + 1
        keep_from = retention.add(frames)
        record = None
        if self._pending.ended or self._record.started is None:
            record = self._record = self._changed()
        return self._append_to_store(self._run_id, first, frames, keep_from, record)

    def _changed(self) -> RunRecord:
        """Return the record as it is now that the run has started, or ended."""
        end, now = self._pump.end, time.time()
        state: State = "running"
        if isinstance(end, RunError):
            state = "cancelled" if end.code == RunCancelled.code else "failed"
        elif end is not None:
            state = "interrupted" if end.interrupts else "done"
        return replace(
            self._record,
            state=state,
            started=self._record.started or now,
            ended=None if end is None else now,
            frames=self._retention.written,
            size=self._retention.size,
            code=end.code if isinstance(end, RunError) else None,
        )

    def _not_written(self, error: Exception) -> None:
        run = self._run_id, self._route.path
        code = StoreUnavailable.code
        if isinstance(error, OwnershipLost):
            code = WorkerLost.code
            message = "run %s of %s aborted: its lease expired and another worker has it"
            logger.warning(message, *run)
        else:
            foreign = None if isinstance(error, StoreUnavailable) else error
            message = "run %s of %s aborted: its store does not accept its frames"
            logger.error(message, *run, exc_info=foreign)
        self._pump.abandon(RunError(code, "", ""))
        self._close()

    def _close(self) -> None:
        self.closed = True
        if self._unread is not None:
            self._unread.cancel()
        self._pending.finish()
        self._pump.leave()
        on_end, self.on_end = self.on_end, None
        if on_end is not None:
            on_end()
