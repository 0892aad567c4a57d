"""Checks of docs/pages/observe.md."""

from __future__ import annotations

import json
import logging

from ...asgi import post
from ..python_blocks import Ran


class Records(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


async def the_fields_are_in_the_records(ran: Ran) -> None:
    handler, logger = Records(), logging.getLogger("asgi_stream")
    handler.setFormatter(ran.names["Fields"]())
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        response = await post(ran.names["app"], "/chat", {"question": "Hi?"})
        await ran.names["app"].aclose()
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
    [record] = map(json.loads, handler.lines)
    assert record["run_id"] == response.headers["x-run-id"]
    assert (record["route"], record["state"]) == ("/chat", "done")
