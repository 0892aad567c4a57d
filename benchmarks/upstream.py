"""A model's provider on loopback: OpenAI's chat completions, which say ``t0 t1 t2 ...``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

CHUNK = (
    b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":'
    b'[{"index":0,"delta":{%b},"finish_reason":%b}]}\n\n'
)


async def complete(request: Request) -> StreamingResponse:
    order = json.loads((await request.json())["messages"][-1]["content"])

    async def chunks() -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        yield CHUNK % (b'"role":"assistant","content":""', b"null")
        for n in range(order["tokens"]):
            if order["per_second"]:
                await asyncio.sleep(begun + n / order["per_second"] - loop.time())
            yield CHUNK % (b'"content":"t%d "' % n, b"null")
        yield CHUNK % (b"", b'"stop"') + b"data: [DONE]\n\n"

    return StreamingResponse(chunks(), media_type="text/event-stream")


app = Starlette(routes=[Route("/v1/chat/completions", complete, methods=["POST"])])
