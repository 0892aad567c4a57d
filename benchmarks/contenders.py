"""The same Runnables, served in several ways. Each ASGI app here is one contender.

``POST /{runnable}`` with ``{"tokens": n, "per_second": r}`` streams n tokens, ``t0 t1 t2 ...``, as
fast as they can be made (r = 0) or r a second.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.prompts import ChatPromptTemplate
from langgraph.graph import START, MessagesState, StateGraph
from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from asgi_stream import EventFilter, StreamApp, StreamRoute


class Counting(BaseChatModel):
    """Says ``t0 t1 t2 ...``; how many and how fast is what it is asked."""

    @property
    def _llm_type(self) -> str:
        return "counting"

    def _generate(self, *_: Any, **__: Any) -> ChatResult:
        raise NotImplementedError

    async def _astream(
        self, messages: Any, *_: Any, **__: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        asked = json.loads(messages[-1].content)
        per_second, loop = asked["per_second"], asyncio.get_running_loop()
        begun = loop.time()
        for n in range(asked["tokens"]):
            if per_second:
                await asyncio.sleep(begun + n / per_second - loop.time())
            yield ChatGenerationChunk(message=AIMessageChunk(content=f"t{n} "))


async def answer(state: MessagesState) -> dict[str, Any]:
    return {"messages": [await Counting().ainvoke(state["messages"])]}


model = Counting()
chain = ChatPromptTemplate.from_messages([("human", "{asked}")]) | model | StrOutputParser()
graph = StateGraph(MessagesState).add_node("answer", answer).add_edge(START, "answer").compile()

RUNNABLES: dict[str, tuple[Any, Callable[[str], Any]]] = {
    "model": (model, lambda asked: asked),
    "chain": (chain, lambda asked: {"asked": asked}),
    "graph": (graph, lambda asked: {"messages": [["human", asked]]}),
}


def by_hand(respond: Callable[[Any, Any], Response]) -> Starlette:
    async def endpoint(request: Request) -> Response:
        runnable, _ = RUNNABLES[request.path_params["name"]]
        return respond(runnable, await request.json())

    return Starlette(routes=[Route("/{name}", endpoint, methods=["POST"])])


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


async def constant(scope: Any, receive: Any, send: Any) -> None:
    """What the server and the socket cost: frames that nobody makes."""
    if scope["type"] != "http":
        return
    value = json.dumps(await Request(scope, receive).json())
    asked = {key: int(re.search(rf"{key}\W+(\d+)", value)[1]) for key in ("tokens", "per_second")}  # type: ignore[index]
    loop = asyncio.get_running_loop()

    async def frames() -> AsyncIterator[bytes]:
        begun = loop.time()
        for n in range(asked["tokens"]):
            if asked["per_second"]:
                await asyncio.sleep(begun + n / asked["per_second"] - loop.time())
            yield b'data: {"token": "t%d "}\n\n' % n
        yield b"data: [DONE]\n\n"

    await EventSourceResponse(frames())(scope, receive, send)


def table(**options: Any) -> StreamApp:
    return StreamApp(
        [StreamRoute(f"/{name}", runnable) for name, (runnable, _) in RUNNABLES.items()], **options
    )


ours = table()
ours_events = table(format="events")
ours_models = table(format="events", filter=EventFilter(types=("chat_model",)))
