"""Checks of docs/pages/reference/requests.md."""

from __future__ import annotations

from ..python_blocks import Ran


def one_document(ran: Ran) -> None:
    response = ran.names["response"]
    assert response.json()["output"] == "Hello"
    assert {"x-run-id", "x-stream-format", "cache-control"} <= response.headers.keys()
    assert response.headers["cache-control"] == "no-store, no-transform"
    assert response.headers["x-accel-buffering"] == "no"
