"""Reads a stored run from a position on, whichever worker runs it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence

from anyio import CancelScope

from .._delivery.buffer import FrameBuffer
from .._delivery.delivery import Delivery
from .._delivery.observability import reported
from .._headers import LOCATION
from .._routing.bound import BoundRoute
from ..errors import FramesGone, InvalidInput, RunNotFound, ShuttingDown
from ..events import RunError
from ..formats import StoredRun
from ..stores import EventStore, OwnershipLost, Page, RunRecord
from .lost_run import finalize_orphan
from .recorder import RunRecorder
from .translation import translated
from .urls import AHEAD_OF_RUN

Takeover = Callable[[str, int], None]

FAREWELL_SECONDS = 0.3
"""How long a reader waits at a shutdown for the end of its run to be stored."""


class StoredRunReader:
    """Sends the frames of a stored run to one reader.

    To the store it is a `Follower`. Frames that the store pushes are buffered, as long as they are
    the next ones and the buffer is not full. All others are read from the store once the reader has
    taken what is buffered.

    Args:
        record: The run's record.
        after: The id of the last frame that the reader has.
        route: The route's options.
        store: Where the run is stored.
        recorder: What records the run, if this is the response to the request that started it.
        takeover: Called with the run's id, and the id of its newest frame, if its worker has died:
            goes on with it soon, if it can. None: the run ends then.

    Attributes:
        record: The run's record.
        run_id: The run's id.
        thread_id: The client's id of the run's thread, if it has one.
        gathered: Whether the response is one JSON document, which stored runs never are.
        delivery: Sends the frames.
        recorder: What records the run, if this is the response to the request that started it.
        location: The URL of the run, relative to the request's.
        on_leave: Called when the reader leaves or has been sent everything.
        resumes: Whether the reader resumes its conversation, see `Format.first_frame`.
        joined_frame: What it is sent of a stored frame, see `Format.joined_frames`; None: all.
        skips: Whether it goes on without frames that are gone, whatever its format says.
        error: Why the response has failed, if it has; the run may go on.
    """

    gathered = False
    error: RunError | None = None

    def __init__(
        self,
        record: RunRecord,
        after: int,
        route: BoundRoute,
        store: EventStore,
        recorder: RunRecorder | None = None,
        takeover: Takeover | None = None,
    ) -> None:
        self.run_id, self.thread_id = record.run_id, record.thread
        self.recorder, self.location = recorder, ""
        self.on_leave: Callable[[], object] | None = None
        self.resumes = self.skips = False
        self.joined_frame: Callable[[bytes], bytes] | None = None
        self.buffer = FrameBuffer(route.limits.buffer, pause_at=route.limits.buffer)
        self.record = record
        self._route = route
        self._store = store
        self._format = route.format_class()
        self._next = after + 1
        self._takeover = takeover
        self._reading = CancelScope()
        self._behind = recorder is None
        """Whether the store has more frames than have been pushed here."""
        self.delivery = Delivery(self.buffer, self, route.limits, self._format.ping)
        if recorder is not None:
            recorder.pace_by(self.buffer)

    async def follow(self) -> None:
        """Have the store push the run's new frames."""
        await self._store.follow(self.run_id, self)

    # The store's `Follower`.

    def on_frames(self, first: int, frames: Sequence[bytes], ended: bool) -> None:
        """Buffer new frames, if they are the next ones."""
        if self.buffer.ended or self._behind:
            return
        if first > self._next or self.buffer.full:
            self.look()
        elif first == self._next > 1 and len(frames) == 1 and not (ended or self.joined_frame):
            # This runs for every token.
            self._next += 1
            self.buffer.append(frames[0])
        else:
            self._extend(first, frames, ended=ended)

    def look(self) -> None:
        """Read from the store, once the reader has taken what is buffered."""
        if not self.buffer.ended:
            self._behind = True
            self.buffer.wake()

    def lost(self, error: Exception) -> None:
        """End the response: the run's next frames could not be written."""
        self.fail(error)

    # The response's `FrameStream`.

    @property
    def headers(self) -> Mapping[str, str]:
        """The response headers: where the run is, and the format's."""
        own = self._format.headers_of(self.run_id, resumable=True, thread_id=self.thread_id)
        return {LOCATION: self.location, **own}

    @property
    def broken(self) -> bool:
        """Whether the response failed in a format without an error frame."""
        return self.error is not None and self._format.breaks_on_error

    async def opened(self) -> RunError | None:
        """Wait until the response can start: for output, if this request has started the run.

        Returns:
            The run's error, if that is the whole response, with its own status.
        """
        if self.recorder is not None:
            error = await self.recorder.opened()
            if error is not None:
                return error
        self.delivery.start()
        return None

    def refill(self) -> Awaitable[None]:
        """Read the next frames from the store, or wait until it pushes some."""
        return self._catch_up() if self._behind else self.buffer.arrival()

    async def frames(self) -> AsyncGenerator[bytes]:
        """Read the run to its end, instead of a response."""
        buffer = self.buffer
        while buffer.waiting_since is not None or not buffer.ended:
            if buffer.waiting_since is None:
                await self.refill()
                continue
            for frame in buffer.take():
                yield frame

    def fail(self, exception: BaseException) -> None:
        """End the response, not the run, with an error frame, which has no id and is not stored."""
        if not self.buffer.ended:
            self._behind = False
            self.error = error = reported(exception, self._route, self.run_id)
            run = StoredRun(self.record)
            self.buffer.finish(self._format.cut(error, run, self._next, ended=False))
            self._reading.cancel()

    def shut_down(self) -> None:
        """End the response because the server is shutting down."""
        if self.recorder is None:
            self.fail(ShuttingDown())
        else:
            # The run ends with a frame of its own, which is on its way if the store responds.
            loop = asyncio.get_running_loop()
            loop.call_later(FAREWELL_SECONDS, self.fail, ShuttingDown())

    def leave(self) -> None:
        """Stop reading: the reader has left. Returns at once."""
        self.delivery.stop()
        self._behind = False
        if self.recorder is not None:
            self.recorder.pace_by(None)
        self._store.unfollow(self.run_id, self)
        if self.on_leave is not None:
            self.on_leave()

    async def _catch_up(self) -> None:
        """Read the next frames from the store, unless the response ends meanwhile."""
        with CancelScope() as self._reading:
            try:
                await self._read_next()
            except Exception as error:  # of the store, which may be the user's own
                self.fail(error)

    async def _read_next(self) -> None:
        self._behind = False
        page = await self._store.read(self.run_id, self._next - 1)
        if self.buffer.ended:
            return None
        if page is None:
            return self.fail(RunNotFound())
        if page.ended and page.first + len(page.frames) < self._next:
            return self.fail(InvalidInput(AHEAD_OF_RUN))
        if page.first > self._next and not self._skip_gap(page):
            return self.fail(FramesGone())
        self._extend(page.first, page.frames, ended=page.ended)
        self._behind = self._behind or page.more
        if page.final is None:
            return None
        if self._takeover is None or page.final != self._next:  # frames are missing
            return await self._finalize_orphan(page.final)
        return self._takeover(self.run_id, page.final - 1)

    def _skip_gap(self, page: Page) -> bool:
        """Tell the reader which frames are gone; return whether it can go on without them."""
        gap = self._format.gap(self.run_id, self._next, page.first - 1)
        if not (gap or self.skips):
            return False
        self.buffer.append(gap)
        self._next = page.first
        return bool(page.frames) or not page.ended

    def _extend(self, first: int, frames: Sequence[bytes], *, ended: bool) -> None:
        new = frames[self._next - first :] if first < self._next else frames
        if self.resumes and self._next == 1 and new:
            new = [self._translated(self._format.first_frame, new[0]), *new[1:]]
        self._next += len(new)
        joined = self.joined_frame
        sent = new if joined is None else [self._translated(joined, each) for each in new]
        self.buffer.extend([*filter(None, sent)])
        if ended:
            self.buffer.finish()

    def _translated(self, translate: Callable[[bytes], bytes], frame: bytes) -> bytes:
        return translated(self._route, self.run_id, translate, frame) or b""

    async def _finalize_orphan(self, number: int) -> None:
        """Write the last frame, with this id, of a run whose worker has died."""
        try:
            await finalize_orphan(self.record, self._route, self._store, self._next - 1, number)
        except OwnershipLost:
            pass  # another reader was first, or the worker lives: the store pushes what follows
        else:
            self._behind = True
