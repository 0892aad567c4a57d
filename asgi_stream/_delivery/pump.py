"""From events to frames: one run, its filters and format, and the deadlines of the run.

A run ends here exactly once, with a `RunFinished` or a `RunError`, whatever happens first.
"""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections.abc import Callable, Set
from dataclasses import replace
from operator import attrgetter
from typing import Any, cast

from .._langchain.callbacks.sink import opens
from .._langchain.run import Run
from .._langchain.run_request import RunRequest
from .._langchain.runnables import merge_configs
from .._langchain.tasks import RunTasks
from .._routing.bound import BoundRoute
from ..errors import ReaderTooSlow, RunReplaced
from ..events import Custom, Event, RunError, RunFinished, Step
from ..filters import is_answer_step
from .buffer import FrameSink
from .deadlines import RunDeadlines
from .observability import RunObserver, public_text, reported
from .waiting import WaitingRun


class EventPump:
    """Runs a Runnable and writes its events, as frames, to a sink of frames.

    To the run it is a `Sink`. The run is paused while the frames are `full`; a run that cannot be
    paused ends once they are `overflowing`. Frames of a graph's stream writer do not count for
    that: plain functions call it, which cannot wait.

    Args:
        request: The run.
        route: The route's options.
        frames: Where the frames go.
        tasks: Keeps the run's tasks alive.
        encode: Gathers an event for a JSON document. By default the format's ``encode`` is called.
        prefix: Put in front of the first frame (the event id of an ``EventSource``).

    Attributes:
        run_id: The run's id.
        end: How the run ended; ``None`` while it goes on.
        shown: Whether a frame of the run's output has been written.
        wants: The events that the format uses.
        room: Waits until the frames have room.
    """

    def __init__(
        self,
        request: RunRequest,
        route: BoundRoute,
        frames: FrameSink,
        *,
        tasks: RunTasks,
        encode: Callable[[Event], bytes] | None = None,
        prefix: bytes = b"",
    ) -> None:
        self.run_id = str(request.run_id)
        self.end: RunFinished | RunError | None = None
        self.shown = False
        self.wants: Set[type[Event]] = request.format.wants
        self.room = frames.room
        self._request = request
        self._route = route
        self._filters = request.filters
        self._replies = encode is not None or request.format.replies
        self._tasks = tasks
        self._frames = frames
        self._append = frames.append
        self._observed = RunObserver(self.run_id, route, request.telemetry)
        self._encode = self._observed.observe(encode or request.format.encode, lambda: frames.held)
        self._prefix = prefix
        self._opening: Future[None] | None = None
        self._deadlines = RunDeadlines(route.limits, frames, self.fail)
        self._idle = route.limits.idle
        self._time = self._deadlines.time
        self._run: Run | WaitingRun | None = None

    # The run reads these for every token, so they do not cost a Python call.
    full = property(attrgetter("_frames.full"))
    waiting_since = property(attrgetter("_frames.waiting_since"))
    taken = property(attrgetter("_frames.taken"))

    def begin(self) -> None:
        """Start the run, unless it has ended before."""
        request, turn = self._request, self._request.turn
        if turn is not None:
            turn.on_evicted(lambda: self.fail(RunReplaced()))
        if self.end is not None:
            return
        if turn is None or turn.start is not None:
            self._begin(request)
        else:
            self._run = WaitingRun(request, turn, self._tasks, self._begin, self.fail)

    def _begin(self, request: RunRequest) -> None:
        try:
            self._start(request)
        except Exception as error:
            self.fail(error)

    def _start(self, request: RunRequest) -> None:
        if usage := self._observed.usage:
            config = merge_configs(cast(Any, request.config), {"callbacks": [usage]})
            request = replace(request, config=config)
        with self._observed.within():
            grace = self._route.limits.grace
            self._run = run = Run(request, sink=self, grace=grace, tasks=self._tasks)
        run.on_end = request.held.pop_all().close
        self._deadlines.start()

    # The run's `Sink`.

    def accepts(self, step: Step) -> bool:
        """Return whether the text of `step` is part of the answer."""
        answer = self._route.answer
        if answer and step.type != "chain" and not is_answer_step(step, answer):
            return False
        return all(each.admits(f"on_{step.type}_stream", step) for each in self._filters)

    def admits(self, event: Event) -> bool:
        """Return whether the filters let `event` pass."""
        # `accepts` has checked events without a name; a run's start and end always pass.
        about: Any = event
        passes = not hasattr(event, "event") or isinstance(event, self._request.format.unfiltered)
        return passes or all(each.admits(about.event, about.step) for each in self._filters)

    def public_message(self, failure: BaseException) -> str:
        """Return the message that the client gets for the failure of a tool."""
        return public_text(failure, self._route)

    def alive(self) -> None:
        """Restart the ``limits.idle`` deadline."""
        if self._idle is not None:
            self._deadlines.alive_at = self._time()

    def put(self, event: Event) -> None:
        """Write an event's frame. Nothing is written after a terminal event."""
        # This runs for every token.
        if self.end is not None:
            return
        if self._idle is not None:
            self._deadlines.alive_at = self._time()
        if self._filters and not self.admits(event):
            return
        if isinstance(event, (RunFinished, RunError)):
            self._finish(event)
            return
        frames = self._frames
        if frames.full and frames.overflowing:
            self.fail(ReaderTooSlow())
            return
        try:
            frame = self._encode(event)
        except Exception as error:
            # Handled here, because LangChain swallows what its callback handlers raise.
            self.fail(error)
            return
        if not self.shown:
            frame = self._first(event, frame)
        if frame:
            if isinstance(event, Custom):
                frames.exempt(len(frame))
            self._append(frame)

    def fail(self, exception: BaseException) -> None:
        """End the run with an error, unless it has ended."""
        if self.end is None and self._run is not None:
            self._run.settle()  # which may overflow the frames, and so end the run itself
        if self.end is None:
            self._finish(reported(exception, self._route, self.run_id))
            self._stop_run()

    # What the answer, or the recorder, does with the run.

    async def opened(self, hold: float | None) -> RunError | None:
        """Wait for the first frame of the run's output, for at most `hold` seconds.

        Returns:
            The error, if the run failed before it had any output.
        """
        if not self.shown and self.end is None:
            self._opening = asyncio.get_running_loop().create_future()
            await asyncio.wait({self._opening}, timeout=hold)
        return self.end if isinstance(self.end, RunError) and not self.shown else None

    def abandon(self, error: RunError) -> None:
        """End the run with an error that can no longer be written."""
        if self.end is None:
            self.end = error
            self._ended(error)
        self.leave()

    def leave(self, reason: str = "disconnect") -> None:
        """Stop the run, because it has no reader. Returns at once.

        Args:
            reason: Why, for telemetry, if the run has not ended before.
        """
        if self.end is None:
            self.end = RunError("incomplete", "", "")
            self._ended(None, reason)
        self._deadlines.stop()
        self._stop_run()

    def _stop_run(self) -> None:
        if self._run is not None:
            self._run.leave()

    def _finish(self, end: RunFinished | RunError) -> None:
        try:
            frame = self._encode(end)
        except Exception as error:
            end = reported(error, self._route, self.run_id)
            frame = self._encode(end)
        self.end = end
        self._ended(end)
        self._deadlines.stop()
        if frame:
            frame, self._prefix = self._prefix + frame, b""
            self.shown = self.shown or self._replies or isinstance(end, RunFinished)
        self._frames.finish(frame)
        self._wake_opening()

    def _ended(self, end: RunFinished | RunError | None, reason: str = "disconnect") -> None:
        """Report the end of the run; None: its reader has left."""
        self._observed.ended(end, reason)
        turn = self._request.turn
        if turn is not None:
            self._tasks.spawn(turn.ended(end))

    def _first(self, event: Event, frame: bytes) -> bytes:
        """Return a frame that may be the first one, or the first of the run's output."""
        if opens(event) and (frame or self._replies):
            self._deadlines.answer()
            if frame:
                self.shown = True
                self._wake_opening()
        if frame:
            frame, self._prefix = self._prefix + frame, b""
        return frame

    def _wake_opening(self) -> None:
        if self._opening is not None and not self._opening.done():
            self._opening.set_result(None)
