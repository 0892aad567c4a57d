"""A run that is streamed to the reader who started it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from .._langchain.run_request import RunRequest
from .._langchain.tasks import RunTasks
from .._routing.bound import BoundRoute
from ..errors import ShuttingDown
from ..events import Event, RunError, RunFinished
from ..formats import Format
from ..serialize import to_json
from .buffer import FrameBuffer
from .delivery import Delivery
from .pump import EventPump

JSON_PING = b" "
"""JSON allows whitespace in front (https://www.rfc-editor.org/rfc/rfc8259#section-2)."""


class LiveStream:
    """One run and its one reader: a pump that fills a buffer, and a delivery that empties it.

    The run is cancelled when its reader leaves.

    Args:
        request: The run.
        route: The route's options.
        tasks: Keeps the run's tasks alive.

    Attributes:
        run_id: The run's id.
        thread_id: The client's id of the run's thread, if it has one.
        gathered: Whether the response is one JSON document instead of frames.
        delivery: Sends the frames.
        cancel_key: What a request can cancel it by: its route, its owner and their key.
        on_leave: Called once, when the reader leaves or has been sent everything.
    """

    def __init__(self, request: RunRequest, route: BoundRoute, *, tasks: RunTasks) -> None:
        self.run_id = str(request.run_id)
        self.thread_id = request.thread_id
        self.gathered = request.gathered
        spec = request.spec
        self.cancel_key = spec.cancel_key and (route.path, spec.owner, spec.cancel_key)
        self.on_leave: Callable[[], None] | None = None
        self._format = request.format
        ping = request.format.ping
        if request.gathered:
            ping = JSON_PING if route.json_pings else b""
        # Without pings, the headers of a JSON response wait for its document.
        self._hold = route.limits.hold if ping or not self.gathered else None
        # An ``EventSource`` that reconnects sends the last id that it had, and starts no run then.
        has_id = request.format.runs and request.format.id_prefix(self.run_id)
        prefix = f"id: {self.run_id}\n".encode() if has_id and not self.gathered else b""
        self._buffer = FrameBuffer(route.limits.buffer)
        self._pump = EventPump(
            request,
            route,
            self._buffer,
            tasks=tasks,
            encode=self._gather if self.gathered else None,
            prefix=prefix,
        )
        self.delivery = Delivery(self._buffer, self, route.limits, ping)

    def begin(self) -> None:
        """Start the run, unless it has ended before."""
        self._pump.begin()

    @property
    def headers(self) -> Mapping[str, str]:
        """The format's response headers."""
        return self._format.headers_of(self.run_id, thread_id=self.thread_id)

    @property
    def broken(self) -> bool:
        """Whether the run failed in a format without an error frame.

        The response must not look complete then.
        """
        failed = isinstance(self._pump.end, RunError) and not self.gathered
        return failed and self._format.breaks_on_error

    async def opened(self) -> RunError | None:
        """Wait until the response can start: for output, but at most ``limits.hold`` seconds.

        Returns:
            The run's error, if that is the whole response, with its own status.
        """
        error = await self._pump.opened(self._hold)
        if error is not None:
            return error
        if self.gathered and not self._pump.shown:
            self.delivery.send_ping()  # some servers send the headers with the body's first bytes
        self.delivery.start()
        return None

    def refill(self) -> Awaitable[None]:
        """Wait for the next frame, or the end."""
        return self._buffer.arrival()

    def fail(self, exception: BaseException) -> None:
        """End the run with an error, unless it has ended."""
        self._pump.fail(exception)

    def shut_down(self) -> None:
        """End the run because the server is shutting down."""
        self.fail(ShuttingDown())

    def leave(self) -> None:
        """Cancel the run, if it has not ended: its reader has left. Returns at once."""
        self._pump.leave("stalled" if self.delivery.stalled else "disconnect")
        self.delivery.stop()
        on_leave, self.on_leave = self.on_leave, None
        if on_leave is not None:
            on_leave()

    def _gather(self, event: Event) -> bytes:
        """Return the response's one document, at the end of the run."""
        gathered = self._format.gather(event)
        if isinstance(event, RunFinished):
            return to_json(self._format.document(self.run_id, gathered, event))
        return self._failure(event) if isinstance(event, RunError) else b""

    def _failure(self, error: RunError) -> bytes:
        """Return the document of a failed run; ``b""`` if the response has the error's status."""
        failure = self._format.failure(error)
        if failure is not None:
            return to_json(failure)
        if not self.delivery.started:
            return b""
        body, media_type = self._format.refusal(error)
        return body if media_type == "application/json" else Format.refusal(error)[0]
