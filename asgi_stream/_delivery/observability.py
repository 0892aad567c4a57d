"""What there is to say of a run besides its frames: one line in the log, and its telemetry."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from time import monotonic
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from .._langchain.sink import opens
from .._langchain.usage import Usage
from .._logs import logger
from .._routing.bound import BoundRoute
from ..errors import (
    ReaderTooSlow,
    RunFailed,
    RunTimeout,
    ShuttingDown,
    StoreUnavailable,
    TooManyRuns,
    one_line,
)
from ..errors.mapping import public_error
from ..events import Event, RunError, RunFinished

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

    def __init__(self, run_id: str, route: BoundRoute, telemetry: Telemetry | None) -> None:
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


LEVELS = {
    ShuttingDown.code: logging.INFO,
    TooManyRuns.code: logging.WARNING,
    ReaderTooSlow.code: logging.WARNING,
    RunTimeout.code: logging.WARNING,
    StoreUnavailable.code: logging.WARNING,  # the store itself tells once what is wrong
}
"""Log levels of the server errors that are expected in operation, by code. See `level`."""


def reported(
    exception: BaseException, route: BoundRoute | None = None, run_id: str = "(none)"
) -> RunError:
    """What the client is told of `exception`; the log is told the rest, under the same id."""
    error = public(exception, route)
    log_error(error, exception, route, run_id)
    return error


def public(exception: BaseException, route: BoundRoute | None = None) -> RunError:
    """Return the error that the client is sent for `exception`, with an id of its own."""
    told = public_error(exception, route.errors if route else {})
    detail = f"{type(exception).__name__}: {_said(exception)}" if route and route.debug else None
    return RunError(
        told.code, told.message, uuid4().hex, told.status, detail, told.fields, told.headers
    )


def log_error(
    error: RunError, exception: BaseException, route: BoundRoute | None, run_id: str
) -> None:
    """Log an error with all that is known of it."""
    foreign = public_error(exception, route.errors if route else {}) is not exception
    logger.log(
        level(error, foreign),
        "run %s of %s: %s, %s (error id %s)",
        run_id,
        route.path if route else "no route",
        one_line(error.code),
        one_line(error.message),
        error.id,
        exc_info=exception if foreign else None,
        extra={"run_id": run_id, "error_id": error.id, "code": error.code},
    )


def level(error: RunError, foreign: bool) -> int:
    """Return the log level of an error response: ERROR only if something has failed.

    A status below 500 is the client's doing, or what it asked for: INFO. A limit or a shutdown that
    does what it is meant to do has its level in `LEVELS`.

    Args:
        error: The error that the client is sent.
        foreign: Whether another exception is behind it, which is a failure whatever its code is.
    """
    if error.status < 500:
        return logging.INFO
    return logging.ERROR if foreign else LEVELS.get(error.code, logging.ERROR)


def public_text(failure: BaseException, route: BoundRoute) -> str:
    """What the client is told of a tool's failure, after which the run may go on."""
    told = public_error(failure, route.errors)
    if route.debug:
        return f"{type(failure).__name__}: {_said(failure)}"
    return "The tool failed." if isinstance(told, RunFailed) else told.message


def _said(exception: BaseException) -> str:
    try:
        return str(exception)
    except Exception:
        return "(its text cannot be had)"
