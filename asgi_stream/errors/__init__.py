"""The errors that a client can receive, each with its HTTP status and its code.

    StreamError
    ├── InvalidRequest            400  invalid_request
    │   └── InvalidInput          422  invalid_request
    ├── Refused                   403  refused
    │   ├── ForeignHost           403  refused
    │   └── ForeignOrigin         403  refused
    ├── NotFound                  404  not_found
    │   ├── NotOffered            404  not_offered
    │   ├── RunNotFound           404  not_found
    │   └── ThreadNotFound        404  not_found
    ├── MethodNotAllowed          405  method_not_allowed
    ├── BodyTimeout               408  timeout
    ├── NotPending                409  not_pending
    ├── RunCancelled              409  cancelled
    │   └── RunReplaced           409  cancelled
    ├── ThreadBusy                409  thread_busy
    ├── ThreadExists              409  thread_exists
    ├── FramesGone                410  gap
    ├── BodyTooLarge              413  body_too_large
    ├── UnsupportedMediaType      415  unsupported_media_type
    ├── RunFailed                 500  run_failed
    ├── RunIncomplete             500  incomplete
    ├── ReaderTooSlow             500  slow_reader
    ├── TooManyRuns               503  too_many_runs
    │   └── TooManyOwned          429  too_many_runs
    ├── ShuttingDown              503  shutdown
    ├── StoreUnavailable          503  store_unavailable
    ├── WorkerLost                503  worker_lost
    └── RunTimeout                504  timeout

`TableError`, a ``ValueError``, is an invalid route table. It is raised while the app is built.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from .refused import ForeignHost, ForeignOrigin, Refused
from .stream_error import StreamError
from .table import TableError
from .text import PATH_CHARACTERS, one_line

__all__ = [
    "BodyTimeout",
    "BodyTooLarge",
    "ForeignHost",
    "ForeignOrigin",
    "FramesGone",
    "InvalidInput",
    "InvalidRequest",
    "MethodNotAllowed",
    "NotFound",
    "NotOffered",
    "NotPending",
    "ReaderTooSlow",
    "Refused",
    "RunCancelled",
    "RunFailed",
    "RunIncomplete",
    "RunNotFound",
    "RunReplaced",
    "RunTimeout",
    "ShuttingDown",
    "StoreUnavailable",
    "StreamError",
    "TableError",
    "ThreadBusy",
    "ThreadExists",
    "ThreadNotFound",
    "TooManyOwned",
    "TooManyRuns",
    "UnsupportedMediaType",
    "WorkerLost",
]

RETRY = {"Retry-After": "5"}


class InvalidRequest(StreamError):
    """A malformed request. What it repeats of the request is escaped and truncated."""

    code, status, message = "invalid_request", 400, "The request is not valid."

    def __init__(self, message: str | None = None, **options: Any) -> None:
        fields = options.pop("fields", None) or {}
        options["fields"] = {one_line(k, PATH_CHARACTERS): one_line(v) for k, v in fields.items()}
        super().__init__(None if message is None else one_line(message), **options)

    @classmethod
    def at(cls, path: str, problem: str) -> Self:
        """Return the error for one field, named by its dotted `path`."""
        return cls(f"{path}: {problem}", fields={path: problem})


class InvalidInput(InvalidRequest):
    """Well-formed input that does not fit the route."""

    status, message = 422, "The input is not valid."


class NotFound(StreamError):
    """No route, model or assistant with this name."""

    code, status, message = "not_found", 404, "There is no route at this path."


class NotOffered(NotFound):
    """An endpoint that clients of the route's format know, and this server does not have."""

    code, message = "not_offered", "This server does not offer that."


class RunNotFound(NotFound):
    """A run that never existed, has expired or belongs to another owner."""

    message = "There is no such run, or it has expired."


class ThreadNotFound(NotFound):
    """A thread that never existed, has been deleted or belongs to another owner."""

    message = "There is no such thread."


class MethodNotAllowed(StreamError):
    """A path that exists, requested with a method that it does not allow."""

    code, status, message = "method_not_allowed", 405, "This route does not support this method."

    @classmethod
    def of(cls, method: str, allowed: Sequence[str]) -> MethodNotAllowed:
        """Return the error for `method` at a path with the methods `allowed`."""
        methods = ", ".join(allowed)
        message = f"This path does not allow {one_line(method, 20)}; allowed: {methods}."
        return cls(message, headers={"Allow": methods})


class BodyTimeout(StreamError):
    """The body took longer than ``limits.receive``."""

    code, status, message = "timeout", 408, "The request body did not arrive in time."


class NotPending(StreamError):
    """An answer to an interrupt that the thread does not wait for, perhaps not any more."""

    code, status, message = "not_pending", 409, "The thread does not wait for this answer."


class RunCancelled(StreamError):
    """The run was cancelled on request, or because it had no reader for too long."""

    code, status, message = "cancelled", 409, "The run was cancelled."


class RunReplaced(RunCancelled):
    """The run was cancelled because another one has taken its thread over."""

    message = "Another run on this thread has replaced this one."


class ThreadBusy(StreamError):
    """Another run on the thread is in progress, and the route rejects a second one."""

    code, status, message = "thread_busy", 409, "Another run on this thread is in progress."


class ThreadExists(StreamError):
    """A thread that was to be created exists."""

    code, status, message = "thread_exists", 409, "The thread exists."


class FramesGone(StreamError):
    """Frames that a reader asked to replay have been dropped from the store."""

    code, status, message = "gap", 410, "Part of the stream is no longer available."


class BodyTooLarge(StreamError):
    """The body, its files or the query string exceed their limit."""

    code, status, message = "body_too_large", 413, "The request body is too large."


class UnsupportedMediaType(StreamError):
    """The body is not declared as JSON, or it is compressed."""

    code, status = "unsupported_media_type", 415
    message = "Send the input as JSON, with the header Content-Type: application/json."


class RunFailed(StreamError):
    """The Runnable raised an exception that no route maps to another error."""


class RunIncomplete(StreamError):
    """The Runnable's stream ended without its final event."""

    code, message = "incomplete", "The run stopped before it was complete."


class ReaderTooSlow(StreamError):
    """The buffer is full, and the run cannot be paused."""

    code = "slow_reader"
    message = "The client read the stream too slowly, and this run cannot be paused."


class TooManyRuns(StreamError):
    """``limits.concurrent`` runs of the route are in progress."""

    code, status, message = "too_many_runs", 503, "Too many concurrent runs; try again later."
    default_headers = RETRY


class TooManyOwned(TooManyRuns):
    """The caller owns ``resume.per_owner`` unfinished runs."""

    status, message = 429, "You have too many concurrent runs; try again later."


class ShuttingDown(StreamError):
    """The server is stopping and accepts no more runs."""

    code, status, message = "shutdown", 503, "The server is shutting down; try again later."
    default_headers = RETRY


class StoreUnavailable(StreamError):
    """The event store cannot be reached."""

    code, status = "store_unavailable", 503
    message = "The run store is unavailable; try again later."


class WorkerLost(StreamError):
    """The process that ran the run has died; its lease has expired."""

    code, status = "worker_lost", 503
    message = "The server that ran this run was lost; the stream ends with what it had sent."


class RunTimeout(StreamError):
    """The run exceeded ``limits.run``, ``limits.first`` or ``limits.idle``."""

    code, status, message = "timeout", 504, "The run took too long."
