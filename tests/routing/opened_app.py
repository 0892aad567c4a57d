"""An app whose functions of the request open something, for tests with real servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
from langchain_core.runnables import RunnableGenerator

from asgi_stream import StreamApp, StreamRoute
from asgi_stream.requests import StreamRequest

from ..guarantees.probes import noted


async def ticks(values: AsyncIterator[Any]) -> AsyncIterator[str]:
    async for value in values:
        with noted(value["key"], "run"):
            for n in range(int(value.get("count", 1_000))):
                yield f"t{n} "
                await asyncio.sleep(0.02)


async def agen(request: StreamRequest) -> AsyncIterator[Any]:
    with noted(request.data["key"], "opened"):
        # As an MCP client's session has: it has to be closed in the task that has opened it.
        async with anyio.create_task_group() as group:
            group.start_soon(asyncio.sleep, 0)
            yield RunnableGenerator(ticks)


def gen(request: StreamRequest) -> Iterator[Any]:
    with noted(request.data["key"], "opened"):
        yield RunnableGenerator(ticks)


app = StreamApp(
    [
        StreamRoute("/agen", agen),
        StreamRoute("/gen", gen),
        StreamRoute("/kept", agen, resume=True),
    ]
)
