"""The error whose text a client may see."""

from __future__ import annotations

import re
from collections.abc import Mapping

_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~]*")
"""A field's name and value (RFC 9110, sections 5.1 and 5.5)."""


class StreamError(Exception):
    """An error whose code, status and message are sent to the client.

    Raise one in ``configure`` or in a Runnable to choose the error that the client receives, or
    map another exception class to one in a route's ``errors``.

    Args:
        message: Sent to the client unchanged.
        code: A constant for programs to compare, for example ``"rate_limited"``.
        status: The HTTP status (400 to 599), used as long as no frame has been sent.
        headers: HTTP headers of the response with that status, in ASCII.
        fields: For invalid input, the problem with each field, by the field's dotted path.

    Raises:
        ValueError: A header cannot be sent.

    Attributes:
        id: The error id that the server sent, if `asgi_stream.client` raised the error.

    Example:
        >>> raise StreamError("Slow down.", code="rate_limited", status=429)
        Traceback (most recent call last):
        asgi_stream.errors.StreamError: Slow down.
    """

    id: str | None = None
    code: str = "run_failed"
    status: int = 500
    message: str = "The run failed."
    default_headers: Mapping[str, str] = {}

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
        self.headers = {**self.default_headers, **(headers or {})}
        for name, value in self.headers.items():
            if not _HEADER.fullmatch(f"{name}:{value}"):
                raise ValueError(f"{name!r}: {value!r} is no HTTP header")
        self.fields = dict(fields or {})
        super().__init__(self.message)


StreamError.__module__ = "asgi_stream.errors"  # where it is public
