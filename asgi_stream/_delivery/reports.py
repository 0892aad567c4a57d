"""One failure, told twice: to the log with all that is known, to the client with what is safe."""

from __future__ import annotations

import logging
from uuid import uuid4

from .._logs import logger
from ..errors import (
    ReaderTooSlow,
    RunFailed,
    RunTimeout,
    ShuttingDown,
    StoreUnavailable,
    TooManyRuns,
    one_line,
    public_error,
)
from ..events import RunError
from ..routes import StreamRoute

LEVELS = {
    ShuttingDown.code: logging.INFO,
    TooManyRuns.code: logging.WARNING,
    ReaderTooSlow.code: logging.WARNING,
    RunTimeout.code: logging.WARNING,
    StoreUnavailable.code: logging.WARNING,  # the store itself tells once what is wrong
}
"""Log levels of the server errors that are expected in operation, by code. See `level`."""


def reported(
    exception: BaseException, route: StreamRoute | None = None, run_id: str = "(none)"
) -> RunError:
    """What the client is told of `exception`; the log is told the rest, under the same id."""
    error = public(exception, route)
    log_error(error, exception, route, run_id)
    return error


def public(exception: BaseException, route: StreamRoute | None = None) -> RunError:
    """Return the error that the client is sent for `exception`, with an id of its own."""
    told = public_error(exception, route.errors if route else {})
    detail = f"{type(exception).__name__}: {_said(exception)}" if route and route.debug else None
    return RunError(
        told.code, told.message, uuid4().hex, told.status, detail, told.fields, told.headers
    )


def log_error(
    error: RunError, exception: BaseException, route: StreamRoute | None, run_id: str
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


def public_text(failure: BaseException, route: StreamRoute) -> str:
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
