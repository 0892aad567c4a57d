"""From exceptions to the errors that clients receive."""

from __future__ import annotations

from collections.abc import Mapping
from traceback import walk_tb

from . import RunFailed, StreamError


def public_error(
    exception: BaseException, table: Mapping[type[BaseException], StreamError]
) -> StreamError:
    """Return the error that the client receives for `exception`.

    The entry of `table` for the most specific class wins. An exception group stands for its first
    member that has an error. Any other exception is `RunFailed`: its text is never sent.
    """
    for kind in type(exception).__mro__:
        if kind in table:
            return table[kind]
    if isinstance(exception, StreamError):
        return exception
    if isinstance(exception, BaseExceptionGroup):
        for member in exception.exceptions:
            error = public_error(member, table)
            if not isinstance(error, RunFailed):
                return error
    return RunFailed()


def statuses() -> dict[int, list[type[StreamError]]]:
    """Return the error classes of this package by HTTP status, in ascending order."""
    by_status: dict[int, list[type[StreamError]]] = {}
    kinds: list[type[StreamError]] = StreamError.__subclasses__()
    for kind in kinds:
        if kind.__module__ == StreamError.__module__:
            kinds += kind.__subclasses__()
            by_status.setdefault(kind.status, []).append(kind)
    return dict(sorted(by_status.items()))


def kinds_of(code: str) -> list[type[StreamError]]:
    """Return the error classes of this package with a code, in ascending order of their statuses.

    Of two with one code, the last is that of a run's error. Any other code is `StreamError` itself.
    """
    kinds = [kind for kinds in statuses().values() for kind in kinds if kind.code == code]
    return kinds or [StreamError]


def raised_in(error: BaseException, *packages: str) -> bool:
    """Return whether code of one of these packages has raised an error, and none that it calls."""
    *_, (frame, _) = walk_tb(error.__traceback__)
    return frame.f_globals["__name__"].partition(".")[0] in packages
