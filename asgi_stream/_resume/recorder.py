"""The run that outlives its reader: what it says goes into a store, and from there to readers."""

from __future__ import annotations

import time
from asyncio import TimerHandle
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from math import inf
from time import monotonic

from .._delivery.buffer import FrameBuffer, nothing
from .._delivery.live import LiveStream
from .._langchain.tasks import RunTasks
from .._logs import logger
from .._request.prepare import Prepared
from .._routing.bound import BoundRoute
from ..errors import RunCancelled, StoreUnavailable, WorkerLost
from ..events import RunError, RunFinished
from ..formats import Format
from ..resume import Resume
from ..stores import OwnershipLost, RunRecord, State

PAUSE_BYTES = 16_384
"""The run waits when so much is said while the store is at work: it has to get its turn."""


class RunRecorder(LiveStream):
    """One run on its way to a store, of which it is a `stores.Producer`.

    Frames are written as they are said; whatever is said while the store is at work is written
    together.

    Args:
        prepared: What to run, and how to answer.
        route: The route's options.
        resume: How the run is kept.
        record: What is known of the run before it begins.
        tasks: Keeps the run's tasks alive.
    """

    def __init__(
        self,
        prepared: Prepared,
        route: BoundRoute,
        resume: Resume,
        record: RunRecord,
        *,
        tasks: RunTasks,
    ) -> None:
        # Readers have deadlines and pings of their own.
        limits = replace(route.limits, send=None, ping=0)
        super().__init__(prepared, route, limits=limits, tasks=tasks)
        self._pause_at = min(PAUSE_BYTES, self._pause_at)
        self._patience = 0.0 if prepared.call.cancel_on_disconnect else resume.cancel_after
        self._record = record
        self.on_end: Callable[[], None] = nothing
        """Called when nothing more will be written."""
        self._id = id_line(prepared.format, self.run_id)
        self._append_to_store = resume.opened.append
        self._max_frames = resume.frames or inf
        self._max_size = resume.size or inf
        self._sizes: deque[int] = deque()
        self._written = self._bytes = self._dropped = 0
        self._writing = self.closed = False
        self._at_once = resume.local
        """Whether writing is done as soon as it is asked for, so that nothing need pile up."""
        self.reader: FrameBuffer | None = None
        """The first reader, if it is still there."""
        self._unread: TimerHandle | None = None

    # What the store sees of it.

    @property
    def record(self) -> RunRecord:
        known = self._record
        if known.frames == self._written:
            return known
        return replace(known, frames=self._written, size=self._bytes)

    def stop(self) -> None:
        self.fail(RunCancelled())

    def written(self, error: Exception | None = None) -> None:
        if self.closed:
            return
        if error is not None:
            self._not_written(error)
        elif self._waiting or (self._end is not None and self._record.ended is None):
            self._append()
        else:
            self._writing = False
            if self._record.ended is not None:
                self._close()

    def read_by(self, readers: int) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        if not readers and self._patience is not None and self._end is None:
            self._unread = self._loop.call_later(self._patience, self.stop)

    # What the run has to say.

    def add(self, frame: bytes) -> None:
        if self._at_once and self._end is None:
            self._write(numbered(self._id, self._written + 1, [frame]))
            # What the run is paced by is what its first reader has not taken yet.
            reader = self.reader
            if reader is None:
                self.waiting_since = None
            else:
                self.waiting_since, self.taken = reader.waiting_since, reader.taken
            return
        # As an outbox does, less what a store has no use for: each call costs, token by token.
        if not self._waiting:
            self.waiting_since = monotonic()
        self._waiting.append(frame)
        self._size += len(frame)
        self.full = self._size >= self._pause_at
        if not self._writing:
            self._write_soon()

    def held(self) -> int:
        return self._size + (self.reader.held() if self.reader else 0)

    def _finish(self, end: RunFinished | RunError) -> None:
        super()._finish(end)
        if not self._writing:
            self._write_soon()

    def _write_soon(self) -> None:
        # In the next turn of the loop: what is said until then is written together.
        self._writing = True
        self._loop.call_soon(self._append)

    def _append(self) -> None:
        """Write what has piled up."""
        frames = numbered(self._id, self._written + 1, self._take())
        if self._end is not None and not frames:
            frames = [b""]  # a format without a last word
        if self._write(frames):
            self.written()

    def _write(self, frames: list[bytes]) -> bool:
        """Give `frames` to the store; whether they are written."""
        sizes, first = self._sizes, self._written + 1
        if len(frames) == 1:
            size = len(frames[0])
            sizes.append(size)
        else:
            sizes.extend(map(len, frames))
            size = sum(map(len, frames))
        self._bytes += size
        self._written += len(frames)
        if len(sizes) > self._max_frames or self._bytes - self._dropped > self._max_size:
            self._drop_oldest()
        record = None
        if self._end is not None or self._record.started is None:
            self._change()
            record = self._record
        keep_from = self._written - len(sizes) + 1
        return self._append_to_store(self.run_id, first, frames, keep_from, record)

    def _drop_oldest(self) -> None:
        sizes = self._sizes
        while len(sizes) > 1 and (
            len(sizes) > self._max_frames or self._bytes - self._dropped > self._max_size
        ):
            self._dropped += sizes.popleft()

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
            frames=self._written,
            size=self._bytes,
            code=end.code if isinstance(end, RunError) else None,
        )

    def _not_written(self, error: Exception) -> None:
        told = self.run_id, self._route.path
        if isinstance(error, OwnershipLost):
            code = WorkerLost.code
            logger.warning("run %s of %s: ended, for it was held to be dead", *told)
        else:
            code = StoreUnavailable.code
            foreign = None if isinstance(error, StoreUnavailable) else error
            why = "its store does not take what it says"
            logger.error("run %s of %s: ended, for %s", *told, why, exc_info=foreign)
        if self._end is None:
            self._end = RunError(code, "", "")
            self._observed.ended(self._end)
        self._close()

    def _close(self) -> None:
        """Nothing more will be written."""
        self.closed = True
        if self._unread is not None:
            self._unread.cancel()
        self.leave()
        on_end, self.on_end = self.on_end, nothing
        on_end()


def id_line(format: Format, run_id: str) -> bytes:
    """The line of a frame's id, with a place for its number; ``b""`` if frames have none."""
    prefix = format.id_prefix(run_id)
    return b"" if prefix is None else b"id: " + prefix.encode() + b"%d\n"


def numbered(line: bytes, first: int, pieces: list[bytes]) -> list[bytes]:
    """The frames in `pieces`, each with its `id_line`, of which the first's number is `first`."""
    if line and len(pieces) == 1 and pieces[0].find(b"\n\n") == len(pieces[0]) - 2:
        return [line % first + pieces[0]]
    frames: list[bytes] = []
    for piece in pieces:
        if piece.find(b"\n\n") in (-1, len(piece) - 2):
            frames.append(piece)
        else:
            frames += [frame + b"\n\n" for frame in piece.split(b"\n\n") if frame]
    if not line:
        return frames
    return [line % number + frame for number, frame in enumerate(frames, first)]
