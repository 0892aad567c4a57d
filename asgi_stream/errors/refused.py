"""The errors of requests that somebody, or some page, may not make."""

from __future__ import annotations

from .stream_error import StreamError


class Refused(StreamError):
    """A function of the route raised an ``HTTPException``, whose status this error has."""

    code, status, message = "refused", 403, "The request is refused."


class ForeignHost(Refused):
    """The playground is requested by a host that is not one of ``allowed_hosts``."""

    message = "The playground is not served for this host; see the app's allowed_hosts."


class ForeignOrigin(Refused):
    """A page whose host is not one of ``allowed_hosts`` uses a route of the format ``mcp``."""

    message = "Pages of this origin or host may not use this route; see the app's allowed_hosts."


for kind in (Refused, ForeignHost, ForeignOrigin):
    kind.__module__ = StreamError.__module__  # where it is public
