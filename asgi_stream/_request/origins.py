"""Checks of the origin of a request: pages of other sites may not send some of them."""

from __future__ import annotations

from starlette.requests import Request

from .._routing.hosts import AllowedHosts
from ..errors import ForeignOrigin, UnsupportedMediaType
from .body import is_json


def check_origin(request: Request) -> None:
    """Refuse a POST that a page of another origin can send without a CORS preflight.

    A POST without a media type, or with any other than JSON's, needs no preflight and carries the
    user's cookies (https://fetch.spec.whatwg.org/#simple-request). Clients other than browsers
    send neither ``Sec-Fetch-Site`` nor ``Origin``.

    Raises:
        UnsupportedMediaType: The request is such a POST.
    """
    if request.method != "POST" or is_json(request.headers.get("content-type", "")):
        return
    site = request.headers.get("sec-fetch-site")
    if site is None:
        # Browsers send Sec-Fetch-Site over HTTPS and to localhost only.
        origin = request.headers.get("origin")
        allowed = origin is None or origin.partition("://")[2] == request.headers.get("host", "")
    else:
        allowed = site in ("same-origin", "none")
    if not allowed:
        raise UnsupportedMediaType(
            "A cross-origin request needs the header Content-Type: application/json."
        )


def check_page(request: Request, hosts: AllowedHosts) -> None:
    """Refuse a request of a page whose host is not allowed, as MCP asks of its servers.

    A page whose own name resolves to this machine (DNS rebinding) has an ``Origin`` of its name.
    Clients other than browsers send none, and neither do browsers with a GET of the page's own
    origin: the ``Host`` has the page's name then.

    Raises:
        ForeignOrigin: The request is of such a page.
    """
    origin = request.headers.get("origin")
    if origin is not None:
        allowed = hosts.allow_name(origin.partition("://")[2])
    else:
        allowed = request.method not in ("GET", "HEAD") or hosts.allow(request.scope)
    if not allowed:
        raise ForeignOrigin
