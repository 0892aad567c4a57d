"""Checks of docs/pages/reference/errors.md."""

from __future__ import annotations

from typing import Any

from langchain_core.runnables import RunnableLambda

from ...asgi import post
from ..names import RateLimitError
from ..python_blocks import Ran


def too_often(question: str) -> str:
    raise RateLimitError(question)


NAMES: dict[str, Any] = {"failing": RunnableLambda(too_often)}


async def the_error_is_sent(ran: Ran) -> None:
    response = await post(ran.names["app"], "/chat", "Hi?")
    assert response.status == 429
    error = response.json()["error"]
    assert (error["code"], error["message"]) == ("rate_limited", "Slow down.")
    assert len(error["id"]) == 32, "the id in the example has this length"
