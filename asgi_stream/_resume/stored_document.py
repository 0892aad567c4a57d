"""The JSON document of a stored run: the response to the request that has started it."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from contextlib import ExitStack
from dataclasses import replace

from .._delivery.buffer import FrameBuffer
from .._delivery.delivery import Delivery
from .._delivery.live import JSON_PING
from .._delivery.observability import reported
from .._langchain.tasks import RunTasks
from .._routing.bound import BoundRoute
from ..errors.mapping import kinds_of
from ..events import RunError
from ..formats import Format, Frame
from ..serialize import to_json
from .reader import StoredRunReader


class StoredDocument:
    """Reads a stored run to its end, and sends its document.

    To the response it is a `FrameStream`, to its delivery a `Source`. The run goes on without it,
    and its client may come back for the document.

    Args:
        reader: Reads the run from its first frame on.
        format: The format of the request.
        route: The route's options.
        tasks: Keeps the task alive that reads the run.

    Attributes:
        run_id: The run's id.
        thread_id: The client's id of the run's thread, if it has one.
        gathered: Whether the response is one JSON document, which this always is.
        delivery: Sends the document.
        reader: Reads the run.
    """

    gathered, broken = True, False

    def __init__(
        self, reader: StoredRunReader, format: Format, route: BoundRoute, tasks: RunTasks
    ) -> None:
        self.reader = reader
        self._document = format.run_resource.reading()
        reader.skips = self._document.skips
        self._failure: RunError | None = None
        self.run_id, self.thread_id = reader.run_id, reader.thread_id
        self._format, self._route, self._tasks = format, route, tasks
        self._returns = format.run_resource.returns
        self._pings = JSON_PING if self._returns or route.json_pings else b""
        self._buffer = FrameBuffer(None)
        self.delivery = Delivery(self._buffer, self, route.limits, self._pings)
        self._leaving = ExitStack()
        self._leaving.callback(reader.leave)
        self._leaving.callback(self.delivery.stop)

    @property
    def headers(self) -> Mapping[str, str]:
        """The response headers: where the run is, and the format's."""
        own = self._format.headers_of(self.run_id, resumable=True, thread_id=self.thread_id)
        return {**self.reader.headers, **own}

    async def opened(self) -> RunError | None:
        """Wait for the run's end; with pings for its first output, but not for long.

        A client that can come back has to know where, so the headers leave at once.

        Returns:
            The run's error, if that is the whole response, with its own status.
        """
        self._leaving.callback(self._tasks.spawn(self._finished()).cancel)
        recorder = self.reader.recorder
        if not self._pings:
            await self._buffer.arrival()
        elif recorder is not None and not self._returns:
            await recorder.opened()
        if (error := self._error()) is not None and self._format.failure(error) is None:
            return error
        if self._pings:
            self.delivery.send_ping()  # some servers send the headers with the body's first bytes
        self.delivery.start()
        return None

    def refill(self) -> Awaitable[None]:
        """Wait for the document."""
        return self._buffer.arrival()

    def fail(self, exception: BaseException) -> None:
        """End the response, not the run, with an error."""
        if not self._buffer.ended:
            self._failure = reported(exception, self._route, self.run_id)
            self._finish(self._failure)

    def shut_down(self) -> None:
        """End the response because the server is shutting down."""
        self.reader.shut_down()

    def leave(self) -> None:
        """Stop waiting: the client has left. Returns at once."""
        self._leaving.close()

    async def _finished(self) -> None:
        try:
            await self._read()
        except Exception as exception:  # of the format, which may be the user's own
            self.fail(exception)
        finally:
            self._buffer.finish()

    async def _read(self) -> None:
        """Read the run to its end, and put its document into the buffer."""
        frame = Frame("", "")
        async for each in self.reader.frames():
            frame = Frame.parse(each)
            self._document.read(frame)
        if self.reader.recorder is None:
            self._failure = self._failed(frame)
        error = self._error()
        if error is not None:
            self._finish(error)
        else:
            self._buffer.finish(to_json(self._document.document(self.reader.record)))

    def _failed(self, frame: Frame) -> RunError | None:
        """Return the error that a run has ended with, as to the request that has started it."""
        for end in self._format.decode(frame):
            if isinstance(end, RunError) and self._format.failure(end) is None:
                return replace(end, status=end.status or kinds_of(end.code)[-1].status)
        return None

    def _finish(self, error: RunError) -> None:
        failure = self._format.failure(error)
        body = self._format.refusal(error)[0] if failure is None else to_json(failure)
        self._buffer.finish(body)

    def _error(self) -> RunError | None:
        recorder = self.reader.recorder
        of_run = None if recorder is None else recorder.error
        return self.reader.error or self._failure or of_run
