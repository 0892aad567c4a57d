"""What can go wrong, with the HTTP status and the code that a client is told.

StreamError
├── InvalidRequest            400  invalid_request
│   └── InvalidInput          422  invalid_request
├── NotFound                  404  not_found
│   └── RunNotFound           404  not_found
├── MethodNotAllowed          405  method_not_allowed
├── BodyTimeout               408  timeout
├── RunCancelled              409  cancelled
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

TableError(ValueError)        a route table that cannot work, raised while it is built
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

MESSAGE_CHARACTERS = 2000
PATH_CHARACTERS = 200
METHOD_CHARACTERS = 20
MOST_LISTED = 5

_unprintable = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

RETRY_AFTER_SECONDS = 5


_passwords = re.compile(
    r"(?P<user>//[^\s:/@]*:).+(?=@)"
    # Mistyped addresses too: "redis:/user:password@host", "user:password@host".
    r"|(?P<start>(?:\w[\w+.-]*:)?/*[^\s:/@]*:)(?!//)\S+(?=@)"
    r"|(?P<key>passw(?:or)?d=)[^\s&]+?(?=['\"]?(?:[\s&]|$))",
    re.IGNORECASE,
)


def mask_passwords(text: str) -> str:
    """Return `text` with ``***`` for the passwords of the URLs in it.

    It masks too much rather than too little, because a password in a wrong URL may hold any
    character: ``redis://user:***@host:6379/0``.
    """
    return _passwords.sub(lambda match: f"{match[match.lastgroup or 0]}***", text)


def one_line(text: str, most: int = MESSAGE_CHARACTERS) -> str:
    """Return `text` as one line of at most `most` characters, for a log or an error's message.

    Control characters, line separators, directional overrides and halves of surrogate pairs are
    escaped as in Python's literals. Of a longer text the middle is left out.
    """
    if len(text) > most:
        tail = most // 3
        text = f"{text[: most - tail - 3]}...{text[-tail:]}"
    return _unprintable.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def listed(names: Sequence[str], most: int = MOST_LISTED) -> str:
    """Return `names` as a list in a sentence: the first `most` of them, and how many more."""
    shown = [one_line(name, PATH_CHARACTERS) for name in names[:most]]
    if len(names) > most:
        shown.append(f"{len(names) - most} more")
    *first, last = shown
    return f"{', '.join(first)} and {last}" if first else last


class TableError(ValueError):
    """A wrong route table. The message names each route and what was expected, a line each.

    Passwords in URLs are masked.

    Attributes:
        problems: The lines of the message.
    """

    def __init__(self, *problems: str) -> None:
        self.problems = tuple(map(mask_passwords, problems))
        super().__init__("\n".join(self.problems))


class StreamError(Exception):
    """An error whose code, status and message are meant for the client.

    Raise one in ``configure`` or in a Runnable to say in your own words what the client is told,
    or give one as a value of a route's ``errors`` to say it for another exception class.

    Args:
        message: Sent to the client as it is.
        code: A fixed word that programs can compare, ``"rate_limited"`` for example.
        status: The HTTP status, used while no frame has been sent (400 to 599).
        headers: HTTP headers that go with that status.
        fields: For bad input, each field's dotted path with what is wrong with it.

    Attributes:
        id: As told by the server, if it was raised by `asgi_stream.client`.
    """

    id: str | None = None
    code: str = "run_failed"
    status: int = 500
    message: str = "The run failed."

    def __init__(
        self,
        message: str | None = None,
        *,
        code: str | None = None,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> None:
        self.message = type(self).message if message is None else message
        self.code = type(self).code if code is None else code
        self.status = type(self).status if status is None else status
        self.headers = dict(headers or {})
        self.fields = dict(fields or {})
        super().__init__(self.message)


class InvalidRequest(StreamError):
    """Its message and fields may repeat what the client has sent: escaped, and cut."""

    code, status, message = "invalid_request", 400, "The request is not valid."

    def __init__(self, message: str | None = None, **about: Any) -> None:
        fields = about.pop("fields", None) or {}
        about["fields"] = {
            one_line(path, PATH_CHARACTERS): one_line(what) for path, what in fields.items()
        }
        super().__init__(None if message is None else one_line(message), **about)


class InvalidInput(InvalidRequest):
    status, message = 422, "The input is not valid."


class NotFound(StreamError):
    code, status, message = "not_found", 404, "There is no route at this path."


class RunNotFound(NotFound):
    message = "There is no such run, or it is no longer kept."


class MethodNotAllowed(StreamError):
    code, status, message = "method_not_allowed", 405, "This route does not take this method."

    @classmethod
    def of(cls, method: str, allowed: Sequence[str]) -> MethodNotAllowed:
        """Return the error for `method` at a path that has the methods `allowed`."""
        methods = ", ".join(allowed)
        return cls(
            f"This path takes {methods}, not {one_line(method, METHOD_CHARACTERS)}.",
            headers={"Allow": methods},
        )


class BodyTimeout(StreamError):
    code, status, message = "timeout", 408, "The request's body did not arrive in time."


class RunCancelled(StreamError):
    code, status, message = "cancelled", 409, "The run was cancelled."


class FramesGone(StreamError):
    code, status, message = "gap", 410, "A part of the answer is no longer kept."


class BodyTooLarge(StreamError):
    code, status, message = "body_too_large", 413, "The request's body is too large."


class UnsupportedMediaType(StreamError):
    code, status = "unsupported_media_type", 415
    message = "Send the input as JSON, with the header Content-Type: application/json."


class RunFailed(StreamError):
    pass


class RunIncomplete(StreamError):
    code, message = "incomplete", "The run stopped before its end."


class ReaderTooSlow(StreamError):
    code = "slow_reader"
    message = "The stream was not read as fast as the run, which cannot be paused, makes it."


class TooManyRuns(StreamError):
    code, status, message = "too_many_runs", 503, "Too many runs at once; try again later."

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})


class TooManyOwned(TooManyRuns):
    status, message = 429, "Too many of your runs at once; try again later."


class ShuttingDown(StreamError):
    code, status, message = "shutdown", 503, "The server is shutting down; try again later."

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})


class StoreUnavailable(StreamError):
    code, status = "store_unavailable", 503
    message = "The runs cannot be reached at the moment; try again later."


class WorkerLost(StreamError):
    code, status = "worker_lost", 503
    message = "The server that ran it has gone; what it had said before is all there is."


class RunTimeout(StreamError):
    code, status, message = "timeout", 504, "The run took too long."


def statuses() -> dict[int, list[type[StreamError]]]:
    """The errors of this package, by their HTTP status."""
    found: dict[int, list[type[StreamError]]] = {}
    kinds: list[type[StreamError]] = StreamError.__subclasses__()
    for kind in kinds:
        if kind.__module__ == __name__:
            kinds += kind.__subclasses__()
            found.setdefault(kind.status, []).append(kind)
    return dict(sorted(found.items()))


def public_error(
    exception: BaseException, table: Mapping[type[BaseException], StreamError]
) -> StreamError:
    """What the client is told of `exception`: nothing of a foreign one but that the run failed.

    The most specific class in `table` wins. An exception group stands for its first member
    that has an answer.
    """
    for kind in type(exception).__mro__:
        if kind in table:
            return table[kind]
    if isinstance(exception, StreamError):
        return exception
    if isinstance(exception, BaseExceptionGroup):
        for member in exception.exceptions:
            told = public_error(member, table)
            if not isinstance(told, RunFailed):
                return told
    return RunFailed()
