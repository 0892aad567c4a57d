"""The run that outlives its reader: what it says goes into a store, and from there to readers."""

from __future__ import annotations

import logging
import time
from asyncio import Task, TimerHandle
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from math import inf
from typing import Any

from .errors import RunCancelled, StoreUnavailable
from .events import RunError, RunFinished
from .formats import Format
from .outbox import nothing
from .prepare import Prepared
from .resume import Resume
from .routes import StreamRoute
from .stores import RunRecord, State, Taken
from .stream import Stream

logger = logging.getLogger("asgi_stream")

PAUSE_BYTES = 16_384
"""The run waits when so much is said while the store is at work: it has to get its turn."""


class Detached(Stream):
    """One run on its way to a store, of which it is a `stores.Producer`.

    Frames are written as they are said; whatever is said while the store is at work is written
    together.

    Args:
        prepared: What to run, and how to answer.
        route: The route's options.
        resume: How the run is kept.
        record: What is known of the run before it begins.
        tasks: A set that keeps the run's tasks alive.
        on_end: Called when nothing more will be written.
    """

    def __init__(
        self,
        prepared: Prepared,
        route: StreamRoute,
        resume: Resume,
        record: RunRecord,
        *,
        tasks: set[Task[None]],
        on_end: Callable[[], None],
    ) -> None:
        # Readers have deadlines and pings of their own.
        limits = replace(route.limits, send=None, ping=0)
        super().__init__(prepared, route, limits=limits, tasks=tasks)
        self._pause_at = min(PAUSE_BYTES, self._pause_at)
        self._patience = 0.0 if prepared.call.attended else resume.patience
        self._record = record
        self._on_end = on_end
        self._id = id_line(prepared.format, self.run_id)
        self._append_to_store = resume.opened.append
        self._max_frames = resume.frames or inf
        self._max_size = resume.size or inf
        self._sizes: deque[int] = deque()
        self._kept = 0
        self._written = self._bytes = 0
        self._writing = False
        self._unread: TimerHandle | None = None

    @property
    def route(self) -> StreamRoute:
        return self._route

    # What the store sees of it.

    @property
    def record(self) -> RunRecord:
        return replace(self._record, frames=self._written, size=self._bytes)

    def stop(self) -> None:
        self.fail(RunCancelled())

    def lost(self) -> None:
        logger.warning("run %s of %s: another has ended it", self.run_id, self._route.path)
        self._close()

    def read_by(self, readers: int) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        if not readers and self._patience is not None and self._end is None:
            self._unread = self._loop.call_later(self._patience, self.stop)

    # What the run has to say.

    def add(self, frame: bytes) -> None:
        super().add(frame)
        self._write_soon()

    def _finish(self, end: RunFinished | RunError) -> None:
        super()._finish(end)
        self._write_soon()

    def _write_soon(self) -> None:
        # In the next turn of the loop: what is said until then is written together.
        if not self._writing:
            self._writing = True
            self._loop.call_soon(self._write)

    def _write(self) -> None:
        """Write what has piled up; if the store has to be waited for, all that follows too."""
        try:
            writing = self._append()
        except Taken:
            return self.lost()
        if writing is not None:
            self._spawn(self._go_on_writing(writing))
        else:
            self._writing = False
            if self._record.ended is not None:
                self._close()
        return None

    async def _go_on_writing(self, writing: Awaitable[None] | None) -> None:
        try:
            while writing is not None:
                await writing
                unfinished = self._waiting or (self._end and self._record.ended is None)
                writing = self._append() if unfinished else None
        except Taken:
            return self.lost()
        except Exception as error:
            logger.error(
                "run %s of %s: ended, for its store does not take what it says",
                self.run_id,
                self._route.path,
                exc_info=None if isinstance(error, StoreUnavailable) else error,
            )
            return self._close()
        self._writing = False
        if self._record.ended is not None:
            self._close()
        return None

    def _append(self) -> Awaitable[None] | None:
        first = self._written + 1
        frames = numbered(self._id, first, self._take())
        ended = self._end is not None
        if ended and not frames:
            frames = [b""]  # a format without a last word
        sizes = self._sizes
        for frame in frames:
            size = len(frame)
            sizes.append(size)
            self._kept += size
            self._bytes += size
        self._written += len(frames)
        while len(sizes) > 1 and (len(sizes) > self._max_frames or self._kept > self._max_size):
            self._kept -= sizes.popleft()
        if ended or self._record.started is None:
            self._change()
            record = self.record
        else:
            record = None
        keep_from = self._written - len(sizes) + 1
        return self._append_to_store(self.run_id, first, frames, keep_from=keep_from, record=record)

    def _change(self) -> None:
        """Bring the record up to date."""
        end, now = self._end, time.time()
        state: State = "running"
        if isinstance(end, RunError):
            state = "cancelled" if end.code == RunCancelled.code else "failed"
        elif end is not None:
            state = "done"
        self._record = replace(
            self._record,
            state=state,
            started=self._record.started or now,
            ended=None if end is None else now,
            code=end.code if isinstance(end, RunError) else None,
        )

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _close(self) -> None:
        """Nothing more will be written."""
        if self._unread is not None:
            self._unread.cancel()
        self.leave()
        on_end, self._on_end = self._on_end, nothing
        on_end()


def id_line(format: Format, run_id: str) -> bytes:
    """The line of a frame's id, with a place for its number; ``b""`` if frames have none."""
    prefix = format.id_prefix(run_id)
    return b"" if prefix is None else b"id: " + prefix.encode() + b"%d\n"


def numbered(line: bytes, first: int, pieces: list[bytes]) -> list[bytes]:
    """The frames in `pieces`, each with its `id_line`, of which the first's number is `first`."""
    frames: list[bytes] = []
    for piece in pieces:
        if piece.find(b"\n\n") in (-1, len(piece) - 2):
            frames.append(piece)
        else:
            frames += [frame + b"\n\n" for frame in piece.split(b"\n\n") if frame]
    if not line:
        return frames
    return [line % number + frame for number, frame in enumerate(frames, first)]
