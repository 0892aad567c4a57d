"""The one pump: a run's events through filter and format to the bytes that a reader takes.

All deadlines live here, and all failures become a `RunError` here, once.
"""

from __future__ import annotations

import asyncio
from asyncio import CancelledError, Future, Task, TimerHandle
from collections.abc import Awaitable, Callable, Mapping, Set
from math import inf
from time import monotonic
from typing import Any, cast

from starlette.types import Message, Send

from .errors import ReaderTooSlow, RunTimeout, ShuttingDown
from .events import Event, RunError, RunFinished, Step
from .filters import speaks
from .parsers import with_inline_parser
from .prepare import Prepared
from .reports import public_text, reported
from .routes import StreamRoute
from .runs import Run
from .serialize import to_json
from .sink import opens


class ReaderStalled(Exception):
    """A send has waited for the reader for ``limits.send`` seconds."""


class Stream:
    """One run on its way to one reader.

    The run puts events in, as they happen; the reader takes what has piled up, in one piece. At
    half of ``limits.buffer`` bytes the run is told to wait; one that cannot is ended when they are
    full. All of it happens on one event loop, and nothing here waits but `opened`, `deliver`,
    `in_time` and `room`.

    Args:
        prepared: What to run, and how to answer.
        route: The route's options.
        first_line: Bytes in front of the first frame (a browser's event id).
        tasks: A set that keeps the run's tasks alive.
    """

    def __init__(
        self,
        prepared: Prepared,
        route: StreamRoute,
        *,
        first_line: bytes = b"",
        tasks: set[Task[None]],
    ) -> None:
        self.run_id = str(prepared.request.run_id)
        self.reader_left = False
        self._route = route
        self._limits = route.limits
        self._filters = prepared.filters
        self._format = prepared.format
        self.gathered = prepared.gathered
        self._encode = self._gathered if self.gathered else self._format.encode
        self._first_line = first_line

        self._loop = asyncio.get_running_loop()
        self.waiting_since: float | None = None
        self.taken = 0
        self.full = False
        self.wants: Set[type[Event]] = self._format.wants
        self._waiting: list[bytes] = []
        self._size = 0
        self._capacity = inf if self._limits.buffer is None else self._limits.buffer
        self._reader: Future[None] | None = None
        self._room: Future[None] | None = None
        self._opening: Future[None] | None = None
        self._shown = self._answering = False
        self._end: RunFinished | RunError | None = None

        self._begun = self._alive = self._sent = self._loop.time()
        self._headers_sent = False
        self._sender: Task[Any]  # set from the first send on
        self._sending_since: float | None = None
        self._stalled = False
        self._timer: TimerHandle | None = None
        runnable = prepared.runnable
        self._run = Run(
            with_inline_parser(runnable) if route.inline_parser else runnable,
            prepared.request,
            sink=self,
            grace=self._limits.grace,
            tasks=tasks,
        )
        self._watch()

    # What the run sees of it: a Sink.

    async def room(self) -> None:
        if self.full and self._end is None:
            if self._room is None or self._room.done():
                self._room = self._loop.create_future()
            # Several branches of a run may wait for the same room.
            await asyncio.shield(self._room)

    def hears(self, step: Step) -> bool:
        answer = self._route.answer
        if answer and step.type != "chain" and not speaks(step, answer):
            return False
        return all(each.admits(f"on_{step.type}_stream", step) for each in self._filters)

    def admits(self, event: Event) -> bool:
        # What is said has been settled by `hears`, and start and end are for everyone.
        name: str | None = getattr(event, "event", None)
        step: Any = getattr(event, "step", None)
        return name is None or all(each.admits(name, step) for each in self._filters)

    def told_of(self, failure: BaseException) -> str:
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
        elif self._size >= self._capacity:
            self.fail(ReaderTooSlow())
        else:
            try:
                frame = self._encode(event)
            except Exception as error:
                # Here, because LangChain swallows what its handlers raise.
                self.fail(error)
            else:
                self._add(frame, opens=not self._shown and opens(event))

    def fail(self, exception: BaseException) -> None:
        if self._end is None:
            self._finish(reported(exception, self._route, self.run_id))
            self._run.leave()

    # What the response sees of it.

    async def opened(self) -> RunError | None:
        """Wait for the first frame of the run's output, for at most ``limits.hold`` seconds.

        A JSON answer is waited for to its end. Returns the run's error, if it ended before it had
        anything to show: then the answer is that error, with its status.
        """
        if not self._shown and self._end is None:
            self._opening = self._loop.create_future()
            hold = None if self.gathered else self._limits.hold
            await asyncio.wait({self._opening}, timeout=hold)
        if isinstance(self._end, RunError) and not self._shown:
            return self._end
        self._headers_sent = True
        self._sent = self._loop.time()
        self._watch()
        return None

    async def deliver(self, send: Send) -> None:
        """Send what has piled up since the last time, in one piece, until the run's end.

        Raises:
            ReaderStalled: As `in_time`, for each piece.
        """
        await self.in_time(self._deliver(send))

    async def _deliver(self, send: Send) -> None:
        while not self.reader_left:
            if self._waiting:
                await send(self._message())
            elif self._end is not None:
                return
            else:
                self._sending_since = None
                self._reader = self._loop.create_future()
                try:
                    await self._reader
                except CancelledError:
                    if self.reader_left or self.gathered:
                        raise
                    # The server ends this connection and the reader does not know: tell it.
                    self.fail(ShuttingDown())
                    await send(self._message())
                    raise

    async def in_time(self, sending: Awaitable[None]) -> None:
        """Await a send, for at most ``limits.send`` seconds.

        Raises:
            ReaderStalled: It took longer, and was cancelled.
        """
        task = cast(Task[Any], asyncio.current_task())
        self._sender, self._sending_since = task, self._loop.time()
        try:
            await sending
        except CancelledError:
            if self._stalled:
                task.uncancel()
                raise ReaderStalled from None
            raise
        finally:
            self._sending_since = None

    @property
    def headers(self) -> Mapping[str, str]:
        """What the format has to say of the answer."""
        return self._format.headers_of(self.run_id)

    @property
    def broken(self) -> bool:
        """Whether the run failed in a format that cannot say so: the answer must not look whole."""
        return self._format.breaks_on_error and isinstance(self._end, RunError)

    def shut_down(self) -> None:
        """End the stream because the server goes away."""
        self.fail(ShuttingDown())

    def leave(self) -> None:
        """Nobody reads any more: end the run, if it goes on. Returns at once."""
        if self._timer is not None:
            self._timer.cancel()
        self._end = self._end or RunError("incomplete", "", "")
        self._wake(self._room)
        self._wake(self._reader)
        self._run.leave()

    def _gathered(self, event: Event) -> bytes:
        """The answer's one document, at its end."""
        document = self._format.gather(event)
        if isinstance(event, RunFinished):
            return to_json(self._format.document(self.run_id, document, event))
        return b""

    def _finish(self, end: RunFinished | RunError) -> None:
        try:
            frame = self._encode(end)
        except Exception as error:
            end = reported(error, self._route, self.run_id)
            frame = self._encode(end)
        self._end = end
        self._add(frame, opens=isinstance(end, RunFinished))
        self._wake(self._opening)
        self._wake(self._reader)
        self._wake(self._room)
        self._watch()

    def _add(self, frame: bytes, *, opens: bool) -> None:
        if opens and not self._answering and (frame or self.gathered):
            self._answering = True
            self._watch()
        if not frame:
            return
        if self._first_line:
            frame, self._first_line = self._first_line + frame, b""
        if not self._waiting:
            self.waiting_since = monotonic()
        self._waiting.append(frame)
        self._size += len(frame)
        self.full = self._size * 2 >= self._capacity
        if opens and not self._shown:
            self._shown = True
            self._wake(self._opening)
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def _message(self) -> Message:
        """All that waits, as one ASGI message."""
        waiting = self._waiting
        data = waiting[0] if len(waiting) == 1 else b"".join(waiting)
        self._waiting = []
        self._size = 0
        self.full = False
        self.waiting_since = None
        self.taken += 1
        self._sent = self._sending_since = self._loop.time()
        self._wake(self._room)
        return {"type": "http.response.body", "body": data, "more_body": True}

    @staticmethod
    def _wake(future: Future[None] | None) -> None:
        if future is not None and not future.done():
            future.set_result(None)

    # Deadlines: one timer, set for the nearest and set again when it finds that time has moved on.

    def _deadlines(self) -> list[tuple[float, Callable[[], None]]]:
        limits = self._limits
        due: list[tuple[float, Callable[[], None]]] = []
        if limits.send is not None and not self._stalled:
            since = self._sending_since
            if since is None:
                since = self._loop.time()
            due.append((since + limits.send, self._drop))
        if self._end is not None:
            return due
        if limits.run is not None:
            due.append((self._begun + limits.run, self._too_long("The run took too long.")))
        if limits.first is not None and not self._answering:
            late = self._too_long("The run did not begin to answer in time.")
            due.append((self._begun + limits.first, late))
        if limits.idle is not None and self._answering:
            silent = self._too_long("The run gave no sign of life for too long.")
            due.append((self._alive + limits.idle, silent))
        if limits.ping and self._format.ping and self._headers_sent and not self.gathered:
            due.append((self._sent + limits.ping, self._ping))
        return due

    def _watch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if due := self._deadlines():
            self._timer = self._loop.call_at(min(at for at, _ in due), self._tick)

    def _tick(self) -> None:
        now = self._loop.time()
        if self._waiting:
            # The reader is what we wait for; that is for the send's own deadline to see.
            self._alive = self._sent = now
        for at, act in self._deadlines():
            if at <= now:
                act()
                break
        self._watch()

    def _too_long(self, message: str) -> Callable[[], None]:
        return lambda: self.fail(RunTimeout(message))

    def _drop(self) -> None:
        self._stalled = True
        self._sender.cancel()

    def _ping(self) -> None:
        self._waiting.append(self._format.ping)
        self._sent = self._loop.time()
        self._wake(self._reader)
