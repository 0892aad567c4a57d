"""Runnables that write down what they do, and apps that serve them.

A probe writes ``start``, ``tick``, ``cancel`` and ``end`` with a clock that all processes share
into the file named by ``PROBE_LOG``, under the key that it got as its input.
"""

from __future__ import annotations

import asyncio
import json
import operator
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any, TypedDict

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import (
    Runnable,
    RunnableGenerator,
    RunnableLambda,
    RunnableParallel,
    RunnablePassthrough,
)
from langchain_core.tools import tool
from langgraph.graph import END, START, StateGraph
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from asgi_stream import Limits, StreamApp, StreamRoute

TICKS = 80
TICK_SECONDS = 0.05


def note(key: str, what: str, who: str = "") -> None:
    line = json.dumps({"key": key, "what": what, "who": who, "at": time.monotonic()})
    log = os.open(os.environ["PROBE_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(log, line.encode() + b"\n")
    os.close(log)


class noted:
    """Notes the start and the end of a piece of work, and whether it was cancelled."""

    def __init__(self, key: str, who: str) -> None:
        self.key, self.who = key, who

    def __enter__(self) -> None:
        note(self.key, "start", self.who)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and issubclass(kind, asyncio.CancelledError | GeneratorExit):
            note(self.key, "cancel", self.who)
        note(self.key, "end", self.who)


def key_of(value: Any) -> str:
    """The key of a run in whatever a probe gets as its input."""
    if isinstance(value, list):
        value = value[-1]
    if isinstance(value, BaseMessage):
        value = value.content
    if isinstance(value, dict):
        value = value["key"]
    return str(value)


class ProbeModel(BaseChatModel):
    """Says ``w0 w1 w2 ...``, a word a tick; or one word and then, silently, nothing for long."""

    who: str = "model"
    ticks: int = TICKS
    silent: bool = False

    @property
    def _llm_type(self) -> str:
        return "probe"

    def _generate(self, messages: Any, *_: Any, **__: Any) -> ChatResult:
        raise NotImplementedError

    async def _agenerate(self, messages: Any, *_: Any, **__: Any) -> ChatResult:
        text = await tick(key_of(messages), self.who)
        return ChatResult(generations=[ChatGeneration(message=AIMessage(content=text))])

    async def _astream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **_: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        key = key_of(messages)
        with noted(key, self.who):
            for n in range(self.ticks):
                note(key, "tick", self.who)
                yield ChatGenerationChunk(message=AIMessageChunk(content=f"w{n} "))
                await asyncio.sleep(TICKS * TICK_SECONDS if self.silent else TICK_SECONDS)


class SyncProbeModel(ProbeModel):
    """The same for a thread."""

    _agenerate = BaseChatModel._agenerate
    _astream = BaseChatModel._astream

    def _stream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **_: Any
    ) -> Iterator[ChatGenerationChunk]:
        key = key_of(messages)
        with noted(key, self.who):
            for n in range(self.ticks):
                note(key, "tick", self.who)
                yield ChatGenerationChunk(message=AIMessageChunk(content=f"w{n} "))
                time.sleep(TICK_SECONDS)


async def tick(key: str, who: str = "work") -> str:
    with noted(key, who):
        for _ in range(TICKS):
            note(key, "tick", who)
            await asyncio.sleep(TICK_SECONDS)
    return "done"


def ticking(who: str) -> Callable[[Any], Any]:
    async def work(value: Any) -> str:
        return await tick(key_of(value), who)

    return work


class State(TypedDict, total=False):
    key: str
    words: Annotated[list[str], operator.add]


def graph(*nodes: Any, in_a_row: bool = False) -> Runnable[Any, Any]:
    built = StateGraph(State)
    names = [f"n{i}" for i in range(len(nodes))]
    for name, node in zip(names, nodes, strict=True):
        built.add_node(name, node)
    for before, name in zip([START, *names], names, strict=False):
        built.add_edge(before if in_a_row else START, name)
        if not in_a_row:
            built.add_edge(name, END)
    return built.compile()


def ticking_node(who: str) -> Any:
    async def node(state: State) -> State:
        return {"words": [await tick(state["key"], who)]}

    return node


def asking_node(model: ProbeModel) -> Any:
    async def node(state: State) -> State:
        answer = await model.ainvoke(state["key"])
        return {"words": [str(answer.content)]}

    return node


def sync_asking_node(state: State) -> State:
    return {"words": [str(SyncProbeModel().invoke(state["key"]).content)]}


@tool
async def slow_tool(key: str) -> str:
    """Takes its time."""
    return await tick(key, "tool")


async def tool_node(state: State) -> State:
    return {"words": [await slow_tool.ainvoke({"key": state["key"]})]}


async def ticking_words(values: AsyncIterator[Any]) -> AsyncIterator[str]:
    async for value in values:
        with noted(key_of(value), "generator"):
            for n in range(TICKS):
                note(key_of(value), "tick", "generator")
                yield f"w{n} "
                await asyncio.sleep(TICK_SECONDS)


def sync_step(value: Any) -> Any:
    with noted(key_of(value), "sync"):
        for _ in range(24):
            note(key_of(value), "tick", "sync")
            time.sleep(TICK_SECONDS)
    return value


PROMPT = ChatPromptTemplate.from_messages([("human", "{key}")])
CHAIN = PROMPT | ProbeModel() | StrOutputParser()

STOPPABLE: dict[str, Runnable[Any, Any]] = {
    "model": ProbeModel(),
    "silent_model": ProbeModel(silent=True),
    "chain": CHAIN,
    "lambda": RunnableLambda(ticking("lambda")),
    "generator": RunnableGenerator(ticking_words),
    "fallbacks": ProbeModel().with_fallbacks([ProbeModel()]),
    "retry": RunnableLambda(ticking("retry")).with_retry(),
    "tool": RunnableLambda(lambda value: {"key": key_of(value)}) | slow_tool,
    "parallel_invoke": RunnableParallel(a=ticking("a"), b=ticking("b")),
    "assign": RunnableLambda(lambda value: {"key": key_of(value)})
    | RunnablePassthrough.assign(a=ticking("a"), b=ticking("b")),
    "parallel_models": RunnableParallel(a=ProbeModel(who="a"), b=ProbeModel(who="b")),
    "parallel_silent": RunnableParallel(
        a=ProbeModel(who="a", silent=True), b=ProbeModel(who="b", silent=True)
    ),
    "graph": graph(asking_node(ProbeModel())),
    "graph_parallel": graph(ticking_node("a"), ticking_node("b")),
    "graph_parallel_models": graph(
        asking_node(ProbeModel(who="a")), asking_node(ProbeModel(who="b"))
    ),
    "graph_silent": graph(asking_node(ProbeModel(silent=True))),
    "graph_tool": graph(tool_node),
    "graph_in_graph": graph(graph(ticking_node("a"), ticking_node("b")), ticking_node("c")),
    "graph_sync_model": graph(sync_asking_node),
}

GRAPHS = [name for name in STOPPABLE if name.startswith("graph")]

SEVERAL_MODES = {"stream_mode": ["values", "messages", "custom"], "subgraphs": True}


def probe_routes() -> list[StreamRoute]:
    routes = []
    for name, runnable in STOPPABLE.items():
        routes.append(StreamRoute(f"/tokens/{name}", runnable))
        routes.append(StreamRoute(f"/events/{name}", runnable, format="events"))
        routes.append(StreamRoute(f"/chunks/{name}", runnable, format="chunks"))
    for name in GRAPHS:
        modes: list[tuple[str, Any]] = [
            ("messages", {"stream_mode": "messages"}),
            ("several", SEVERAL_MODES),
        ]
        for mode, stream in modes:
            path, runnable = f"/{mode}/{name}", STOPPABLE[name]
            routes.append(StreamRoute(path, runnable, format="chunks", astream_kwargs=stream))
    after = RunnableLambda(sync_step) | RunnableLambda(ticking("after"))
    routes.append(StreamRoute("/tokens/sync_step", after, limits=Limits(grace=0.5)))
    routes.append(StreamRoute("/batches", CHAIN, format="langserve"))
    routes += [StreamRoute(f"/mcp/{name}", run, format="mcp") for name, run in STOPPABLE.items()]
    return routes


async def health(request: Request) -> PlainTextResponse:
    return PlainTextResponse("ok")


async def pass_on(request: Request, call_next: Any) -> Any:
    return await call_next(request)


streams = StreamApp(probe_routes())
BASE = Middleware(BaseHTTPMiddleware, dispatch=pass_on)
ROUTES = [Route("/health", health), Mount("/", app=streams)]

app = Starlette(routes=ROUTES)
wrapped_once = Starlette(routes=ROUTES, middleware=[BASE])
wrapped_twice = Starlette(routes=ROUTES, middleware=[BASE, BASE])
gzipped = Starlette(routes=ROUTES, middleware=[Middleware(GZipMiddleware)])
