"""The one pump: a run's events through filter and format to the bytes that a reader takes.

All deadlines of a run live here, and all failures become a `RunError` here, once.
"""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections.abc import Callable, Set
from dataclasses import replace
from typing import Any, cast

from .._langchain.inline_parser import with_inline_parser
from .._langchain.run import Run
from .._langchain.runnables import merge_configs
from .._langchain.sink import opens
from .._langchain.tasks import RunTasks
from .._request.prepare import Prepared
from .._routing.bound import BoundRoute
from ..errors import ReaderTooSlow, RunTimeout
from ..events import Custom, Event, RunError, RunFinished, Step
from ..filters import is_answer_step
from ..formats import Format
from ..limits import Limits
from ..serialize import to_json
from .buffer import Due, FrameBuffer
from .observability import Observed, public_text, reported

JSON_PING = b" "
"""What JSON allows in front of a document (https://www.rfc-editor.org/rfc/rfc8259#section-2)."""


class LiveStream(FrameBuffer):
    """One run on its way to one reader.

    The run puts events in, as they happen. At half of ``limits.buffer`` bytes it is told to wait;
    one that cannot is ended when they are full. What a graph's stream writer is given does not
    count: it comes from plain functions, which cannot wait.

    Args:
        prepared: What to run, and how to answer.
        route: The route's options.
        limits: Instead of the route's.
        first_line: Bytes in front of the first frame (a browser's event id).
        tasks: Keeps the run's tasks alive.
    """

    def __init__(
        self,
        prepared: Prepared,
        route: BoundRoute,
        *,
        limits: Limits | None = None,
        first_line: bytes = b"",
        tasks: RunTasks,
    ) -> None:
        run_id = str(prepared.request.run_id)
        limits = limits or route.limits
        super().__init__(run_id, prepared.format, limits, gathered=prepared.gathered)
        self._route = route
        if self.gathered and route.json_pings:
            self._ping = JSON_PING
        self._filters = prepared.filters
        self._observed = Observed(run_id, route, prepared.telemetry)
        encode = self._gathered if self.gathered else self._format.encode
        self._encode = self._observed.listening(encode, self.held)
        self._first_line = first_line
        self.wants: Set[type[Event]] = self._format.wants
        self._opening: Future[None] | None = None
        self._shown = self._answering = False
        self._begun = self._alive = self._sent
        self._prepared = prepared
        self._tasks = tasks
        self._run: Run | None = None

    def begin(self) -> None:
        """Start the run, unless it has been ended before."""
        if self._end is not None:
            return
        try:
            self._begin()
        except Exception as error:
            self.fail(error)

    def _begin(self) -> None:
        runnable, request = self._prepared.runnable, self._prepared.request
        if usage := self._observed.usage:
            config = merge_configs(cast(Any, request.config), {"callbacks": [usage]})
            request = replace(request, config=config)
        with self._observed.within():
            self._run = Run(
                with_inline_parser(runnable),
                request,
                sink=self,
                grace=self._limits.grace,
                tasks=self._tasks,
            )
        self._run.on_end = self._prepared.held.pop_all().close
        self._watch()

    # What the run sees of it: a Sink, with what an outbox has.

    def accepts(self, step: Step) -> bool:
        answer = self._route.answer
        if answer and step.type != "chain" and not is_answer_step(step, answer):
            return False
        return all(each.admits(f"on_{step.type}_stream", step) for each in self._filters)

    def admits(self, event: Event) -> bool:
        # What is said has been settled by `accepts`, and start and end are for everyone.
        name: str | None = getattr(event, "event", None)
        step: Any = getattr(event, "step", None)
        return name is None or all(each.admits(name, step) for each in self._filters)

    def public_message(self, failure: BaseException) -> str:
        return public_text(failure, self._route)

    def alive(self) -> None:
        self._alive = self._loop.time()

    def put(self, event: Event) -> None:
        if self._end is not None:
            return
        self._alive = self._loop.time()
        if self._filters and not self.admits(event):
            return
        if isinstance(event, (RunFinished, RunError)):
            self._finish(event)
        elif self._size - self._unpaced >= self._capacity:
            self.fail(ReaderTooSlow())
        else:
            try:
                frame = self._encode(event)
            except Exception as error:
                # Here, because LangChain swallows what its handlers raise.
                self.fail(error)
            else:
                if isinstance(event, Custom):
                    self._unpaced += len(frame)  # a stream writer cannot wait for its reader
                self._put(frame, opens=not self._shown and opens(event))

    def fail(self, exception: BaseException) -> None:
        if self._end is None and self._run is not None:
            self._run.settle()  # that may be too much for the reader, which is an end too
        if self._end is None:
            self._finish(reported(exception, self._route, self.run_id))
            self._leave_run()

    # What the response sees of it, with what an outbox has.

    async def opened(self) -> RunError | None:
        """Wait for the first frame of the run's output, for at most ``limits.hold`` seconds.

        A JSON answer is waited for to its end, unless the route wants signs of life before it.
        Returns the run's error, if it ended before it had anything to show: then the answer is
        that error, with its status.
        """
        if not self._shown and self._end is None:
            self._opening = self._loop.create_future()
            hold = self._limits.hold if self._ping or not self.gathered else None
            await asyncio.wait({self._opening}, timeout=hold)
        if isinstance(self._end, RunError) and not self._shown:
            return self._end
        if self.gathered and not self._shown:
            self._send_ping()  # some servers send the headers with the first byte behind them
        return await super().opened()

    def leave(self) -> None:
        """Nobody reads any more: end the run, if it goes on. Returns at once."""
        if self._end is None:
            self._observed.ended(None, "stalled" if self._stalled else "disconnect")
        super().leave()
        self._leave_run()

    def _leave_run(self) -> None:
        if self._run is not None:
            self._run.leave()

    def _gathered(self, event: Event) -> bytes:
        """The answer's one document, at its end."""
        document = self._format.gather(event)
        if isinstance(event, RunFinished):
            return to_json(self._format.document(self.run_id, document, event))
        return self._failed(event) if isinstance(event, RunError) else b""

    def _failed(self, error: RunError) -> bytes:
        """The document of a run that has failed; ``b""`` if the answer is an error's."""
        failure = self._format.failure(error)
        if failure is not None:
            return to_json(failure)
        if not self._headers_sent:
            return b""
        body, media_type = self._format.refusal(error)
        return body if media_type == "application/json" else Format.refusal(error)[0]

    def _finish(self, end: RunFinished | RunError) -> None:
        try:
            frame = self._encode(end)
        except Exception as error:
            end = reported(error, self._route, self.run_id)
            frame = self._encode(end)
        self._end = end
        self._observed.ended(end)
        self._put(frame, opens=isinstance(end, RunFinished) or (self.gathered and frame != b""))
        self._wake(self._opening)
        self._wake(self._reader)
        self._wake(self._room)
        self._watch()

    def _put(self, frame: bytes, *, opens: bool) -> None:
        if opens and not self._answering and (frame or self.gathered):
            self._answering = True
            self._watch()
        if not frame:
            return
        if self._first_line:
            frame, self._first_line = self._first_line + frame, b""
        self.add(frame)
        if opens and not self._shown:
            self._shown = True
            self._wake(self._opening)

    def _deadlines(self) -> Due:
        due = super()._deadlines()
        if self._end is not None:
            return due
        limits = self._limits
        if limits.run is not None:
            due.append((self._begun + limits.run, self._too_long("The run took too long.")))
        if limits.first is not None and not self._answering:
            late = self._too_long("The run did not begin to answer in time.")
            due.append((self._begun + limits.first, late))
        if limits.idle is not None and self._answering:
            silent = self._too_long("The run gave no sign of life for too long.")
            due.append((self._alive + limits.idle, silent))
        return due

    def _tick(self) -> None:
        if self._waiting:
            self._alive = self._loop.time()
        super()._tick()

    def _too_long(self, message: str) -> Callable[[], None]:
        return lambda: self.fail(RunTimeout(message))
