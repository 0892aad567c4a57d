"""Reports about a run besides its frames: a line in the log, errors, and telemetry."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from time import monotonic
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from .._langchain.callbacks.sink import opens
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
)
from ..errors.mapping import public_error
from ..errors.text import one_line
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
"""The reasons why runs are cancelled, by the code of the error that they end with."""


class RunObserver:
    """Reports one run to the log and to telemetry.

    Args:
        run_id: The id of the run.
        route: The route of the run.
        telemetry: Where the run is reported besides the log.

    Attributes:
        usage: A callback handler for the run, which counts tokens; ``None`` without telemetry.
    """

    def __init__(self, run_id: str, route: BoundRoute, telemetry: Telemetry | None) -> None:
        self.usage = Usage() if telemetry else None
        self._run_id, self._route, self._telemetry = run_id, route, telemetry
        self._started = monotonic()
        self._first: float | None = None
        self._high_water = 0
        self._span: Any = None

    def within(self) -> AbstractContextManager[Any]:
        """Return a context to start the run in, so that its own spans belong to the run's."""
        if self._telemetry is not None:
            with guarded_telemetry():
                self._span = self._telemetry.begin(
                    self._run_id, self._route.path, self._route.format
                )
                return self._telemetry.within(self._span)
        return nullcontext()

    def observe(
        self, encode: Callable[[Event], bytes], held: Callable[[], int]
    ) -> Callable[[Event], bytes]:
        """Return `encode`, wrapped to measure what it returns if there is telemetry.

        Args:
            encode: Encodes an event as frames.
            held: Returns the number of bytes that wait for the reader.
        """
        if self._telemetry is None:
            return encode

        def measured(event: Event) -> bytes:
            frame = encode(event)
            if frame:
                self._high_water = max(self._high_water, held() + len(frame))
                if self._first is None and opens(event) and not isinstance(event, RunError):
                    self._first = monotonic() - self._started
            return frame

        return measured

    def ended(self, end: RunFinished | RunError | None, reason: str = "disconnect") -> None:
        """Report the end of the run.

        Args:
            end: How it ended; ``None`` if its reader left.
            reason: Why it was cancelled, if its reader left.
        """
        record = self._record(end, reason)
        logger.info(
            "run %(run_id)s of %(route)s: %(state)s after %(seconds).3f s", record, extra=record
        )
        if self._telemetry is not None and self._span is not None:
            with guarded_telemetry():
                self._telemetry.end(self._span, self._route.path, self._route.format, record)

    def _record(self, end: RunFinished | RunError | None, reason: str) -> dict[str, Any]:
        error = end if isinstance(end, RunError) else None
        state = "failed"
        if isinstance(end, RunFinished):
            state = "interrupted" if end.interrupts else "done"
        if error is not None:
            reason = CANCELLED.get(error.code, "")
        if end is None or (reason and error is not None):
            state = "cancelled"
        return {
            "run_id": self._run_id,
            "route": self._route.path,
            "format": self._route.format,
            "state": state,
            "reason": reason if state == "cancelled" else None,
            "code": error.code if error else None,
            "error_id": error.id if error else None,
            "seconds": monotonic() - self._started,
            "first_seconds": self._first,
            "tokens": self.usage.tokens if self.usage else None,
            "high_water": self._high_water,
            "usage": self.usage.counts if self.usage else {},
        }


@contextmanager
def guarded_telemetry() -> Iterator[None]:
    """Log what a span processor or an exporter raises: clients must not notice its failure."""
    try:
        yield
    except Exception:
        logger.exception("telemetry failed")


LEVELS = {
    ShuttingDown.code: logging.INFO,
    TooManyRuns.code: logging.WARNING,
    ReaderTooSlow.code: logging.WARNING,
    RunTimeout.code: logging.WARNING,
    StoreUnavailable.code: logging.WARNING,  # the store itself logs the cause once
}
"""Log levels of the server errors that are expected in operation, by code. See `level`."""


def reported(
    exception: BaseException, route: BoundRoute | None = None, run_id: str | None = None
) -> RunError:
    """Return the error to send to the client for `exception`, and log it under the same id."""
    error = to_run_error(exception, route)
    log_error(error, exception, route, run_id)
    return error


def to_run_error(exception: BaseException, route: BoundRoute | None = None) -> RunError:
    """Return the error to send to the client for `exception`, with a new id."""
    error = public_error(exception, route.errors if route else {})
    detail = _detail(exception) if route and route.debug else None
    return RunError(
        error.code, error.message, uuid4().hex, error.status, detail, error.fields, error.headers
    )


def log_error(
    error: RunError, exception: BaseException, route: BoundRoute | None, run_id: str | None
) -> None:
    """Log the error that is sent to a client, with a traceback if another exception caused it."""
    foreign = public_error(exception, route.errors if route else {}) is not exception
    if route is None:
        subject = "unrouted request"
    else:
        subject = f"run {run_id} of {route.path}" if run_id else f"request to {route.path}"
    logger.log(
        level(error, foreign),
        "%s: %s (%s, error id %s)",
        subject,
        one_line(error.message),
        one_line(error.code),
        error.id,
        exc_info=exception if foreign else None,
        extra={"run_id": run_id, "error_id": error.id, "code": error.code},
    )


def level(error: RunError, foreign: bool) -> int:
    """Return the log level of an error: ``ERROR`` only if something has failed.

    A status below 500 is the client's mistake or wish: ``INFO``. A limit or a shutdown that works
    as intended has its level in `LEVELS`.

    Args:
        error: The error that is sent to the client.
        foreign: Whether another exception caused it, which is a failure whatever its code.
    """
    if error.status < 500:
        return logging.INFO
    return logging.ERROR if foreign else LEVELS.get(error.code, logging.ERROR)


def public_text(failure: BaseException, route: BoundRoute) -> str:
    """Return the message that the client gets for the failure of a tool; the run may go on."""
    if route.debug:
        return _detail(failure)
    error = public_error(failure, route.errors)
    return "The tool failed." if isinstance(error, RunFailed) else error.message


def _detail(exception: BaseException) -> str:
    try:
        text = str(exception)
    except Exception:
        text = "(no message: its __str__ failed)"
    return f"{type(exception).__name__}: {text}"
