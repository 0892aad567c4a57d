"""From exceptions to the errors that clients receive."""

from __future__ import annotations

from collections.abc import Mapping

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
