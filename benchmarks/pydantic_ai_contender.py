"""Pydantic AI's adapter for the AI SDK, in an environment of its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from pydantic_ai import Agent
from pydantic_ai.models.function import FunctionModel
from pydantic_ai.ui.vercel_ai import VercelAIAdapter
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .counted import counted


async def counting(messages: list[Any], info: Any) -> AsyncIterator[str]:
    """Say ``t0 t1 t2 ...``; how many and how fast is what it is asked."""
    order = json.loads(messages[-1].parts[-1].content)
    per_second, loop = order["per_second"], asyncio.get_running_loop()
    begun = loop.time()
    for n in range(order["tokens"]):
        if per_second:
            await asyncio.sleep(begun + n / per_second - loop.time())
        yield f"t{n} "


agent = Agent(FunctionModel(stream_function=counting))


async def chat(request: Request) -> Response:
    response: Response = await VercelAIAdapter.dispatch_request(request, agent=agent, sdk_version=7)
    return response


app = counted(Starlette(routes=[Route("/model", chat, methods=["POST"])]))
