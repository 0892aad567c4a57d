"""The Runnables, served in several ways. Each ASGI app here is one contender.

``POST /{runnable}`` with what the Runnable takes as JSON streams its tokens.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.tracers._streaming import _StreamingCallbackHandler
from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from asgi_stream import EventFilter, Resume, StreamApp, StreamRoute

from .common import FAKE, RUNNABLES
from .counted import counted


def by_hand(respond: Callable[[Any, Any], Response]) -> ASGIApp:
    async def endpoint(request: Request) -> Response:
        runnable, _ = RUNNABLES[request.path_params["name"]]
        return respond(runnable, await request.json())

    return counted(Starlette(routes=[Route("/{name}", endpoint, methods=["POST"])]))


def token_frames(runnable: Any, value: Any, framed: Callable[[str], Any]) -> Any:
    """The loop that everyone writes."""

    async def frames() -> AsyncIterator[Any]:
        async for event in runnable.astream_events(value, version="v2"):
            if event["event"] == "on_chat_model_stream":
                content = event["data"]["chunk"].content
                if content:
                    yield framed(json.dumps({"token": content}))
        yield framed("[DONE]")

    return frames()


def event_frames(runnable: Any, value: Any, *, only_models: bool) -> Any:
    types = ["chat_model"] if only_models else None

    async def frames() -> AsyncIterator[Any]:
        async for event in runnable.astream_events(value, version="v2", include_types=types):
            yield {"data": json.dumps(event, default=str)}
        yield {"data": "[DONE]"}

    return frames()


def as_event(data: str) -> dict[str, str]:
    return {"data": data}


def as_line(data: str) -> str:
    return f"data: {data}\n\n"


hand = by_hand(lambda r, v: EventSourceResponse(token_frames(r, v, as_event)))
hand_sr = by_hand(
    lambda r, v: StreamingResponse(token_frames(r, v, as_line), media_type="text/event-stream")
)
hand_events = by_hand(lambda r, v: EventSourceResponse(event_frames(r, v, only_models=False)))
hand_models = by_hand(lambda r, v: EventSourceResponse(event_frames(r, v, only_models=True)))


def constant_frames(value: Any) -> AsyncIterator[bytes]:
    """What the server and the socket cost: frames that nobody makes."""
    value = json.dumps(value)
    order = {key: int(re.findall(rf"{key}\W+(\d+)", value)[0]) for key in ("tokens", "per_second")}

    async def frames() -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for n in range(order["tokens"]):
            if order["per_second"]:
                await asyncio.sleep(begun + n / order["per_second"] - loop.time())
            yield b'data: {"token": "t%d "}\n\n' % n
        yield b"data: [DONE]\n\n"

    return frames()


constant = by_hand(lambda r, v: EventSourceResponse(constant_frames(v)))
constant_sr = by_hand(
    lambda r, v: StreamingResponse(constant_frames(v), media_type="text/event-stream")
)


class Tokens(BaseCallbackHandler, _StreamingCallbackHandler[Any]):
    """Puts a frame that nobody makes into a queue for each token."""

    run_inline = True

    def __init__(self) -> None:
        self.frames: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._tokens = 0

    def on_llm_new_token(self, token: Any, **_: Any) -> None:
        if token:
            self.frames.put_nowait(b'data: {"token": "t%d "}\n\n' % self._tokens)
            self._tokens += 1

    def tap_output_aiter(self, run_id: Any, output: Any) -> Any:
        return output

    def tap_output_iter(self, run_id: Any, output: Any) -> Any:
        return output


def floor_frames(runnable: Any, value: Any) -> AsyncIterator[bytes]:
    """What LangChain costs: one handler, called inline, and frames that nobody makes."""
    tokens = Tokens()

    async def run() -> None:
        async for _ in runnable.astream(value, config={"callbacks": [tokens]}):
            pass
        tokens.frames.put_nowait(None)

    async def frames() -> AsyncIterator[bytes]:
        running = asyncio.create_task(run())
        while (frame := await tokens.frames.get()) is not None:
            yield frame
        await running
        yield b"data: [DONE]\n\n"

    return frames()


floor = by_hand(lambda r, v: StreamingResponse(floor_frames(r, v), media_type="text/event-stream"))


def table(**options: Any) -> ASGIApp:
    routes = [StreamRoute(f"/{name}", runnable) for name, (runnable, _) in RUNNABLES.items()]
    return counted(StreamApp(routes, **options))


def of_front_end(format: str) -> ASGIApp:
    names = [name for name in FAKE if format != "langgraph" or name == "graph"]
    routes = [StreamRoute(f"/{name}", RUNNABLES[name][0], format=format) for name in names]
    return counted(StreamApp(routes))


ours = table()
ours_memory = table(resume=True)
ours_redis = table(resume=Resume(store=os.environ.get("REDIS", "redis://127.0.0.1:6379/0")))
ours_chunks = table(format="chunks")
ours_events = table(format="events")
ours_agui = of_front_end("agui")
ours_langgraph = of_front_end("langgraph")
ours_langserve = of_front_end("langserve")
ours_mcp = of_front_end("mcp")
ours_openai = of_front_end("openai")
ours_text = of_front_end("text")
ours_vercel = of_front_end("vercel")
ours_models = table(format="events", filter=EventFilter(types=("chat_model",)))
