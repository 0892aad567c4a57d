"""Checks of docs/pages/reference/openapi.md."""

from __future__ import annotations

from ..python_blocks import Ran


def the_routes_are_described(ran: Ran) -> None:
    assert "/ai/chat" in ran.names["app"].openapi()["paths"]
