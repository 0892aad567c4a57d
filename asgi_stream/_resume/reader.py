"""A reader of a stored run: a position in it, wherever the run is made."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from time import monotonic

from .._delivery.buffer import FrameBuffer
from .._delivery.observability import log_error, public, reported
from .._routing.bound import BoundRoute
from ..errors import (
    FramesGone,
    InvalidInput,
    RunNotFound,
    ShuttingDown,
    StoreUnavailable,
    WorkerLost,
)
from ..events import RunError, RunFinished, Step
from ..stores import EventStore, OwnershipLost, RunRecord
from .recorder import RunRecorder, id_line, numbered

BEYOND = "The Last-Event-ID is one that this run has not come to."


class StoredRunReader(FrameBuffer):
    """The frames of a stored run on their way to one reader. To the store it is a `Follower`.

    What the store feeds it is taken as long as it is the next and there is room for it. All else
    is read when the reader has taken what there is.

    Args:
        record: The run.
        after: The id of the last frame that the reader has.
        route: The route's options.
        store: Where the run is.
        made_here: The run itself, if this is the answer to the request that has started it.
    """

    def __init__(
        self,
        record: RunRecord,
        after: int,
        route: BoundRoute,
        store: EventStore,
        made_here: RunRecorder | None = None,
    ) -> None:
        super().__init__(record.run_id, route.format_class(), route.limits, gathered=False)
        self._record = record
        self._next = after + 1
        self._route = route
        self._store = store
        self.made_here = made_here
        if made_here is not None:
            made_here.reader = self
        self._behind = made_here is None
        self.place = ""
        """Where the run is, relative to the request."""

    async def follow(self) -> None:
        await self._store.follow(self.run_id, self)

    # What the store sees of it.

    def on_frames(self, first: int, frames: Sequence[bytes], ended: bool) -> None:
        if self._end is not None or self._behind:
            return
        if first > self._next or self._size >= self._capacity:
            self.look()
        elif first == self._next and len(frames) == 1 and not ended:
            # As `_add` does, in one call: this is the way of every token.
            if not self._waiting:
                self.waiting_since = monotonic()
            self._waiting += frames
            self._size += len(frames[0])
            self._next += 1
            if self._reader is not None and not self._reader.done():
                self._reader.set_result(None)
        else:
            self._add(first, frames, ended)

    def look(self) -> None:
        if self._end is None:
            self._behind = True
            self._wake(self._reader)

    def lost(self, error: Exception) -> None:
        self.fail(error)

    # What the response sees of it, with what an outbox has.

    async def opened(self) -> RunError | None:
        if self.made_here is not None:
            error = await self.made_here.opened()
            if error is not None:
                return error
        return await super().opened()

    @property
    def headers(self) -> Mapping[str, str]:
        own = self._format.headers_of(self.run_id, resumable=True)
        return {"Content-Location": self.place, **own}

    async def catch_up(self) -> None:
        self._behind = False
        try:
            page = await self._store.read(self.run_id, self._next - 1)
        except StoreUnavailable as error:
            return self.fail(error)
        if self._end is not None:
            return None
        if page is None:
            return self.fail(RunNotFound())
        if page.ended and page.first + len(page.frames) < self._next:
            return self.fail(InvalidInput(BEYOND))
        if page.first > self._next:
            gap = self._format.gap(self.run_id, self._next, page.first - 1)
            if not gap:
                return self.fail(FramesGone())
            self.add(gap)
            self._next = page.first
            if page.ended and not page.frames:
                return self.fail(FramesGone())  # the last one too
        self._add(page.first, page.frames, page.ended)
        self._behind = self._behind or page.more
        if page.final is not None:
            await self._bury(page.final)
        return None

    def fail(self, exception: BaseException) -> None:
        """End the answer, not the run: what the reader is told has no id, and is not stored."""
        if self._end is None:
            self._end = reported(exception, self._route, self.run_id)
            self._behind = False
            self.add(self._format.encode(self._end))
            self._watch()

    def shut_down(self) -> None:
        # A run that is made here has its own last frame, which is on its way.
        if self.made_here is None:
            self.fail(ShuttingDown())

    def leave(self) -> None:
        super().leave()
        self._behind = False
        if self.made_here is not None:
            self.made_here.reader = None
        self._store.unfollow(self.run_id, self)

    def _add(self, first: int, frames: Sequence[bytes], ended: bool) -> None:
        new = frames[self._next - first :] if first < self._next else frames
        if not self._waiting:
            self.waiting_since = monotonic()
        self._waiting += new
        self._size += len(new[0]) if len(new) == 1 else sum(map(len, new))
        self._next += len(new)
        self._wake(self._reader)
        if ended:
            self._end = RunFinished(Step(self.run_id, "", "chain"), None)
            self._wake(self._reader)
            self._watch()

    async def _bury(self, number: int) -> None:
        """Write the last frame of a run whose worker has died, for this and all other readers."""
        lost = WorkerLost()
        error = public(lost, self._route)
        line = id_line(self._format, self.run_id)
        frames = numbered(line, number, [self._format.encode(error)])
        record = replace(
            self._record,
            state="failed",
            started=self._record.started or self._record.created,
            ended=time.time(),
            frames=number + len(frames) - 1,
            code=error.code,
        )
        try:
            await self._store.finalize_orphan(self.run_id, self._next - 1, number, frames, record)
        except StoreUnavailable as unavailable:
            self.fail(unavailable)
        except OwnershipLost:
            pass  # another reader was first, or the worker lives; either is heard of
        else:
            log_error(error, lost, self._route, self.run_id)
            self._behind = True
