"""The run that outlives its reader: what it says goes into a store, and from there to readers."""

from __future__ import annotations

import asyncio
import logging
import time
from asyncio import Task, TimerHandle
from collections import deque
from dataclasses import replace
from math import inf

from .errors import RunCancelled, StoreUnavailable
from .events import RunError
from .formats import Format
from .prepare import Prepared
from .resume import Resume
from .routes import StreamRoute
from .stores import RunRecord, Taken
from .stream import Stream

logger = logging.getLogger("asgi_stream")


class Detached:
    """One run whose frames are stored. To its store it is the `stores.Producer`.

    Args:
        record: What is known of the run before it begins.
        route: The route's options.
        resume: How the run is kept.
        patience: Seconds without any reader after which it is cancelled.
    """

    stream: Stream

    def __init__(
        self, record: RunRecord, route: StreamRoute, resume: Resume, patience: float | None
    ) -> None:
        self._record = record
        self.route = route
        self._resume = resume
        self._patience = patience
        self._sizes: deque[int] = deque()
        self._kept = 0
        self._frames = self._size = 0
        self._unread: TimerHandle | None = None
        self._stopped = False

    def begin(self, prepared: Prepared, tasks: set[Task[None]]) -> Task[None]:
        """Start the run, which `Resume.store` knows already.

        Args:
            prepared: What to run, and how to answer.
            tasks: A set that keeps the run's tasks alive.
        """
        # What is stored need not wait for a reader: those have deadlines of their own.
        limits = replace(self.route.limits, send=None, ping=0)
        self.stream = Stream(prepared, self.route, limits=limits, tasks=tasks)
        self._format = prepared.format
        if self._stopped:
            self.stop()
        task = asyncio.get_running_loop().create_task(self._write())
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return task

    def shut_down(self) -> None:
        """End the run because the server goes away."""
        self.stream.shut_down()

    # What the store sees of it.

    @property
    def record(self) -> RunRecord:
        return replace(self._record, frames=self._frames, size=self._size)

    def stop(self) -> None:
        self._stopped = True
        if hasattr(self, "stream"):
            self.stream.fail(RunCancelled())

    def lost(self) -> None:
        logger.warning("run %s of %s: another has ended it", self._record.run_id, self.route.path)
        self.stream.reader_left = True
        self.stream.leave()

    def read_by(self, readers: int) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        if not readers and self._patience is not None and self._record.ended is None:
            loop = asyncio.get_running_loop()
            self._unread = loop.call_later(self._patience, self.stop)

    async def _write(self) -> None:
        """Store what the run says, until its end: whatever has piled up during the last append."""
        try:
            await self.stream.pass_on(self._append)
            if self._record.ended is None and not self.stream.reader_left:
                await self._append([b""])
        except Taken:
            self.lost()
        except StoreUnavailable:
            logger.error(
                "run %s of %s: its store cannot be reached, and it was ended",
                self._record.run_id,
                self.route.path,
            )
            self.stream.leave()
        finally:
            if self._unread is not None:
                self._unread.cancel()

    async def _append(self, pieces: list[bytes]) -> None:
        first = self._frames + 1
        frames = numbered(self._format, self._record.run_id, first, pieces)
        sizes = list(map(len, frames))
        self._sizes.extend(sizes)
        self._frames += len(frames)
        self._size += sum(sizes)
        self._kept += sum(sizes)
        bounds = self._resume.frames or inf, self._resume.size or inf
        while len(self._sizes) > 1 and (len(self._sizes) > bounds[0] or self._kept > bounds[1]):
            self._kept -= self._sizes.popleft()
        changed = self._changed()
        await self._resume.opened.append(
            self._record.run_id,
            first,
            frames,
            keep_from=self._frames - len(self._sizes) + 1,
            record=self.record if changed else None,
        )

    def _changed(self) -> bool:
        """Bring the record up to date; whether it has changed in more than counts."""
        end, now = self.stream.end, time.time()
        if end is not None:
            failed = isinstance(end, RunError)
            code = end.code if isinstance(end, RunError) else None
            state = "cancelled" if code == RunCancelled.code else "failed" if failed else "done"
            self._record = replace(
                self._record,
                state=state,  # type: ignore[arg-type]  # mypy takes it for any text
                started=self._record.started or now,
                ended=now,
                code=code,
            )
        elif self._record.state == "pending":
            self._record = replace(self._record, state="running", started=now)
        else:
            return False
        return True


def numbered(format: Format, run_id: str, first: int, pieces: list[bytes]) -> list[bytes]:
    """The frames in `pieces`, each with its id, of which the first is `first`."""
    frames: list[bytes] = []
    for piece in pieces:
        if piece.find(b"\n\n") in (-1, len(piece) - 2):
            frames.append(piece)
        else:
            frames += [frame + b"\n\n" for frame in piece.split(b"\n\n") if frame]
    return [
        format.frame_id(run_id, number).encode() + frame
        for number, frame in enumerate(frames, first)
    ]
