"""Positions in a run, and the URLs of runs, as clients send and receive them."""

from __future__ import annotations

import re
from posixpath import relpath
from urllib.parse import quote

from starlette.requests import Request

from ..errors import InvalidRequest

AHEAD_OF_RUN = "The position is ahead of this run."
"""The error message for a position that a run has not reached."""

_id = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_run_id = re.compile(_id)
_position = re.compile(f"(?:(?P<run>{_id}):)?(?P<n>-1|[0-9]{{1,18}})")
_no_segment = re.compile(r"[/?#\\\x00-\x1f]|%[0-9a-fA-F]{2}|^\.\.?$")
"""Finds what a URL parser changes in, or takes for more than, one segment of a path.

See https://url.spec.whatwg.org/#url-parsing.
"""


def is_run_id(text: str) -> bool:
    """Return whether `text` has the form of a run's id."""
    return _run_id.fullmatch(text) is not None


def is_segment(text: str) -> bool:
    """Return whether `text` can be one segment of a URL's path."""
    return _no_segment.search(text) is None


def read_position(text: str) -> tuple[str | None, int]:
    """Parse a ``Last-Event-ID``.

    Returns:
        The id of the run, if the position names one, and the number of the frame.

    Raises:
        InvalidRequest: This server has never sent such an id.
    """
    match = _position.fullmatch(text)
    if match is None:
        raise InvalidRequest("The Last-Event-ID was not sent by this server.")
    return match["run"], max(0, int(match["n"]))


def route_path(path: str, endpoint: str) -> str:
    """Return the route's part of a request's `path`, which ends with its `endpoint`."""
    return "/".join(path.rstrip("/").split("/")[: -endpoint.count("/") or None])


def client_path(request: Request) -> str:
    """Return the request's path, with a trailing slash only if the client has sent one.

    Litestar appends one to the path that a mounted app sees.
    """
    path: str = request.scope["path"]
    raw: bytes = request.scope.get("raw_path") or path.encode()
    return path if raw.endswith(b"/") else path.rstrip("/")


def run_location(run_path: str, path: str, endpoint: str) -> str:
    """Return the URL of a run, relative to a request's.

    It is relative because a mounted app does not know where its client's path begins.

    Args:
        run_path: The path of the run, below the route's own.
        path: The request's path, perhaps with a trailing slash.
        endpoint: The part of it below the route's own.
    """
    folder = path.rpartition("/")[0] or "/"
    return quote(relpath(f"{route_path(path, endpoint)}/{run_path}", folder))
