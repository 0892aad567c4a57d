"""Agents with threads that write down what they do, and what their model hears.

A conversation begins with its key, ``NAME-...``, whose name says what the agent does then. Anything
that the user says later is answered at once.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.chat_models import agenerate_from_stream
from langchain_core.messages import AIMessageChunk, BaseMessage, HumanMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import START, MessagesState, StateGraph
from starlette.applications import Starlette
from starlette.routing import Mount

from asgi_stream import Resume, StreamApp, StreamRoute
from asgi_stream.requests import StreamRequest

from ..threads.agents import refuse_open_calls
from .probes import TICK_SECONDS, TICKS, note, noted, tick

CALLS = {
    "tool": ["slow"],
    "tools": ["quick", "slow", "slow"],
    "nested": ["quick", "slow"],
    "gated": ["gated"],
}
"""The tools that the model calls, by the names of conversations."""


def key_of(messages: list[BaseMessage]) -> str:
    """The key of a conversation, which is all that the user has said first."""
    return str(next(each for each in messages if isinstance(each, HumanMessage)).text)


def heard(message: BaseMessage) -> str:
    """A message as a test compares it."""
    calls = getattr(message, "tool_calls", ())
    return f"{message.type}: {', '.join(each['name'] for each in calls) or message.text}"


class ThreadProbe(BaseChatModel):
    """Ticks at the first turn, or calls tools that do; then says that it has heard."""

    @property
    def _llm_type(self) -> str:
        return "probe"

    def bind_tools(self, tools: Any, **_: Any) -> Any:
        return self

    def _generate(self, *_: Any, **__: Any) -> ChatResult:
        raise NotImplementedError

    async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
        return await agenerate_from_stream(self._astream(*args, **kwargs))

    async def _astream(
        self, messages: list[BaseMessage], *_: Any, **__: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        refuse_open_calls(messages)
        key = key_of(messages)
        name = key.partition("-")[0]
        if str(messages[-1].text) != key:
            note(key, "hears", json.dumps([heard(each) for each in messages]))
            yield ChatGenerationChunk(message=AIMessageChunk(content="heard"))
            return
        for n, called in enumerate(CALLS.get(name, ())):
            args = json.dumps({"key": key})
            chunk = tool_call_chunk(name=called, args=args, id=f"{key}.{n}", index=n)
            yield ChatGenerationChunk(message=AIMessageChunk(content="", tool_call_chunks=[chunk]))
        if name in CALLS:
            return
        with noted(key, "model"):
            for n in range(TICKS):
                note(key, "tick", "model")
                yield ChatGenerationChunk(message=AIMessageChunk(content=f"w{n} "))
                await asyncio.sleep(TICKS * TICK_SECONDS if name == "silent" else TICK_SECONDS)


@tool
async def quick(key: str) -> str:
    """Returns at once."""
    return "done"


@tool
async def slow(key: str) -> str:
    """Takes its time."""
    return await tick(key, "tool")


@tool
async def gated(key: str) -> str:
    """Takes its time, if a person approves."""
    return await tick(key, "tool")


def agent_of(saver: Any) -> Any:
    asks = HumanInTheLoopMiddleware({"gated": True})
    return create_agent(ThreadProbe(), [quick, slow, gated], middleware=[asks], checkpointer=saver)


def nested_of(saver: Any) -> Any:
    """A graph that has the agent as a subgraph."""
    graph = StateGraph(MessagesState).add_node("agent", agent_of(None)).add_edge(START, "agent")
    return graph.compile(checkpointer=saver)


opened: dict[str, Any] = {}


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    async with AsyncSqliteSaver.from_conn_string(os.environ["DATABASE"]) as sqlite:
        for name, saver in (("memory", InMemorySaver()), ("sqlite", sqlite)):
            opened[name], opened[f"{name}-nested"] = agent_of(saver), nested_of(saver)
        async with streams.lifespan():
            yield


def opened_graph(name: str) -> Any:
    def graph(request: StreamRequest) -> Any:
        return opened[name]

    return graph


FORMATS = ("tokens", "events", "chunks", "vercel", "agui", "langgraph", "openai")


def routes() -> list[StreamRoute]:
    return [
        StreamRoute(
            f"/{format}/{name}",
            {"agent": opened_graph(name)}
            if format in ("langgraph", "openai")
            else opened_graph(name),
            format=format,
            resume=Resume(on_disconnect="cancel") if format == "openai" else False,
        )
        for format in FORMATS
        for name in ("memory", "sqlite", "memory-nested", "sqlite-nested")
    ]


streams = StreamApp(routes(), threads=True)
app = Starlette(routes=[Mount("/", streams)], lifespan=lifespan)
