"""Checks of docs/pages/reference/toml.md."""

from __future__ import annotations

from ..python_blocks import Ran


def the_file_is_an_app(ran: Ran) -> None:
    assert [route.path for route in ran.names["app"].table] == ["/chat", "/v1"]
