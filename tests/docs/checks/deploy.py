"""Checks of docs/pages/deploy.md."""

from __future__ import annotations

from ...asgi import post
from ..python_blocks import Ran

READABLE_BY_A_PAGE = {
    *("content-location", "location", "retry-after", "x-pagination-next"),
    *("x-run-id", "x-stream-format", "x-thread-id"),
}


async def the_headers_are_exposed(ran: Ran) -> None:
    origin = {"origin": "https://app.example.com"}
    response = await post(ran.names["app"], "/chat", {"question": "Hi?"}, headers=origin)
    exposed = response.headers["access-control-expose-headers"].lower().split(", ")
    assert {*exposed} == READABLE_BY_A_PAGE
    assert {"content-location", "x-run-id", "x-stream-format"} <= response.headers.keys()
