"""Checks of docs/pages/reference/options.md."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from asgi_stream import StreamApp, StreamRoute

from ...asgi import post, tokens
from ...models import chain_of
from ..python_blocks import Ran

LOG: list[str] = []


@asynccontextmanager
async def connect(user: str) -> AsyncIterator[str]:
    LOG.append(user)
    yield "tools"
    LOG.append("closed")


def make_agent(tools: str) -> Any:
    LOG.append(tools)
    return chain_of("a")


NAMES: dict[str, Any] = {"connect": connect, "make_agent": make_agent}


async def what_is_open_is_closed_after_the_run(ran: Ran) -> None:
    app = StreamApp([StreamRoute("/x", ran.names["with_tools"])])
    assert tokens((await post(app, "/x", {"question": "Hi?"})).body) == ["a"]
    await app.aclose()
    assert LOG == ["ann", "tools", "closed"]
    LOG.clear()
