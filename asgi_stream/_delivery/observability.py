"""What there is to say of a run besides its frames: one line in the log, and its telemetry."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from time import monotonic
from typing import TYPE_CHECKING, Any

from .._langchain.sink import opens
from .._langchain.usage import Usage
from .._logs import logger
from ..events import Event, RunError, RunFinished
from ..routes import StreamRoute

if TYPE_CHECKING:
    from ..telemetry import Telemetry

CANCELLED = {
    "cancelled": "stopped",
    "incomplete": "cancelled inside",
    "shutdown": "shutdown",
    "slow_reader": "slow reader",
    "timeout": "timeout",
}
"""Why runs are cancelled, by the code of the error that they end with."""


class Observed:
    """One run, as it is seen from outside.

    Args:
        run_id: Its id.
        route: Its route.
        telemetry: Where it is told, besides the log.
    """

    def __init__(self, run_id: str, route: StreamRoute, telemetry: Telemetry | None) -> None:
        self._run_id, self._route, self._telemetry = run_id, route, telemetry
        self._began = monotonic()
        self._first: float | None = None
        self._high = 0
        self._span: Any = None
        self.usage = Usage() if telemetry else None
        """A callback handler for the run, if anyone is to be told."""

    def within(self) -> AbstractContextManager[Any]:
        """Where the run is to be started, so that what it does is told as part of it."""
        if self._telemetry is None:
            return nullcontext()
        self._span = self._telemetry.begin(self._run_id, self._route.path, self._route.format)
        return self._telemetry.within(self._span)

    def listening(
        self, encode: Callable[[Event], bytes], waiting: Callable[[], int]
    ) -> Callable[[Event], bytes]:
        """`encode`, with an ear for what it is given; itself, if nobody is to be told.

        Args:
            encode: Makes frames of events.
            waiting: How many bytes wait for the reader.
        """
        if self._telemetry is None:
            return encode

        def encoded(event: Event) -> bytes:
            frame = encode(event)
            if frame:
                self._high = max(self._high, waiting() + len(frame))
                if self._first is None and opens(event) and not isinstance(event, RunError):
                    self._first = monotonic() - self._began
            return frame

        return encoded

    def ended(self, end: RunFinished | RunError | None, reason: str = "disconnect") -> None:
        """Tell of the run's end.

        Args:
            end: How it ended; None if its reader has gone.
            reason: Why it was cancelled then.
        """
        error = end if isinstance(end, RunError) else None
        state = "failed"
        if isinstance(end, RunFinished):
            state = "interrupted" if end.interrupts else "done"
        if error is not None:
            reason = CANCELLED.get(error.code, "")
        if end is None or (reason and error is not None):
            state = "cancelled"
        told = {
            "run_id": self._run_id,
            "route": self._route.path,
            "format": self._route.format,
            "state": state,
            "reason": reason if state == "cancelled" else None,
            "code": error.code if error else None,
            "error_id": error.id if error else None,
            "seconds": monotonic() - self._began,
            "first_seconds": self._first,
            "tokens": self.usage.tokens if self.usage else None,
            "high_water": self._high,
            "usage": self.usage.counts if self.usage else {},
        }
        try:
            self._tell(told)
        except Exception as error:
            # A log's filter, or a span's processor; the run's reader shall not miss its end by it.
            context = {"message": "A run's end could not be told", "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)

    def _tell(self, told: Mapping[str, Any]) -> None:
        logger.info(
            "run %(run_id)s of %(route)s: %(state)s after %(seconds).3f s", told, extra=told
        )
        if self._telemetry is not None and self._span is not None:
            self._telemetry.end(self._span, self._route.path, self._route.format, told)
