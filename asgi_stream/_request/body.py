"""A request's body: its media type, and where it may come from."""

from __future__ import annotations

import re
from typing import Any

from starlette.requests import Request

from ..errors import UnsupportedMediaType
from ..requests import StreamRequest


async def read_body(request: StreamRequest) -> Any:
    """The JSON in the request's body.

    Raises:
        UnsupportedMediaType: It is not declared as JSON, or it is compressed.
        StreamError: What `StreamRequest.json` raises.
        ClientDisconnect: The client left.
    """
    _check_media_type(request.headers.get("content-type", ""))
    return await request.json()


def check_origin(request: Request) -> None:
    """Refuse what a page of another origin can send without asking the server first.

    A POST with any other media type than JSON's, or none, is sent without a CORS preflight, with
    the user's cookies (https://fetch.spec.whatwg.org/#simple-request). Programs send neither
    ``Sec-Fetch-Site`` nor ``Origin``.

    Raises:
        UnsupportedMediaType: It is such a request.
    """
    if request.method != "POST" or _is_json(request.headers.get("content-type", "")):
        return
    site = request.headers.get("sec-fetch-site")
    if site is None:
        # Only sent over HTTPS and to localhost.
        origin = request.headers.get("origin")
        own = origin is None or origin.partition("://")[2] == request.headers.get("host", "")
    else:
        own = site in ("same-origin", "none")
    if not own:
        raise UnsupportedMediaType(
            "From a page of another origin, send this with the header"
            " Content-Type: application/json."
        )


def _check_media_type(content_type: str) -> None:
    # A missing type is refused too: a page of another site can send that without being asked.
    if not _is_json(content_type):
        raise UnsupportedMediaType
    charset = re.search(r'charset="?([^\s;"]+)', content_type.lower().partition(";")[2])
    if charset and charset[1] not in ("utf-8", "utf8", "us-ascii"):
        raise UnsupportedMediaType("Send the JSON in UTF-8.")


def _is_json(content_type: str) -> bool:
    kind = content_type.lower().partition(";")[0].strip()
    return kind == "application/json" or bool(re.fullmatch(r"application/[\w.-]+\+json", kind))
