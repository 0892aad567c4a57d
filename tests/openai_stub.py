"""Answers one chat completion, as OpenAI's API does."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route


async def complete(request: Request) -> StreamingResponse:
    body = await request.json()
    assert body["stream"] is True

    async def chunks() -> AsyncIterator[str]:
        about = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "local"}
        for delta, reason in (
            ({"role": "assistant", "content": ""}, None),
            ({"content": "Hel"}, None),
            ({"content": "lo"}, None),
            ({}, "stop"),
        ):
            choice = {"index": 0, "delta": delta, "finish_reason": reason}
            yield f"data: {json.dumps({**about, 'choices': [choice]})}\n\n"
        yield "data: [DONE]\n\n"

    return StreamingResponse(chunks(), media_type="text/event-stream")


app = Starlette(routes=[Route("/v1/chat/completions", complete, methods=["POST"])])
