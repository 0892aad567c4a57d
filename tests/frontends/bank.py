"""Agents whose tools a person has to approve, for the real clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.chat_models import agenerate_from_stream
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt
from starlette.applications import Starlette
from starlette.routing import Mount

from asgi_stream import StreamApp, StreamRoute

from .browser_pages import ROUTES


class Teller(BaseChatModel):
    """Calls the tools that the user's words name, and then says what it was given.

    ``"refund 5, refund 7, look 1"`` is three calls. Any other words are repeated, with the
    number of messages that the model got.
    """

    calls: str = "call"
    """What the ids of the calls begin with."""

    @property
    def _llm_type(self) -> str:
        return "teller"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self

    def _generate(self, *_: Any, **__: Any) -> ChatResult:
        raise NotImplementedError

    async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
        return await agenerate_from_stream(self._astream(*args, **kwargs))

    async def _astream(
        self, messages: Any, *_: Any, **__: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in self._script(messages):
            if chunk.get("content") == "slowly":
                await asyncio.sleep(0.05)
            yield ChatGenerationChunk(message=AIMessageChunk(**{"content": "", **chunk}))

    def _script(self, messages: list[Any]) -> list[dict[str, Any]]:
        last = messages[-1]
        if isinstance(last, ToolMessage):
            results: list[str] = []
            for each in reversed(messages):
                if not isinstance(each, ToolMessage):
                    break
                results.insert(0, str(each.text).split("\n")[0])
            end = ["slowly"] * 60 + ["."] if "refunded 99" in results else []
            text = [f"{len(messages)}: ", "; ".join(results), *end]
            return [{"content": each} for each in text]
        words = str(last.text)
        calls = [each.split() for each in words.split(", ")]
        if calls[0][0] not in ("refund", "look"):
            count = 100 if words == "slowly" else 1
            return [{"content": f"{len(messages)}: "}, *[{"content": words}] * count]
        made = sum(isinstance(each, HumanMessage) for each in messages)
        return [{"content": "Let me see. "}] + [
            {"tool_call_chunks": [chunk]}
            for n, (name, amount) in enumerate(calls)
            for chunk in (
                tool_call_chunk(name=name, args="", id=f"{self.calls}_{made}_{n}", index=n),
                tool_call_chunk(args=f'{{"amount": {amount}}}', index=n),
            )
        ]


@tool
async def refund(amount: int) -> str:
    """Refund."""
    return f"refunded {amount}"


@tool
async def look(amount: int) -> str:
    """Look."""
    return f"looked at {amount}"


def bank(mode: Any = "batched", **options: Any) -> Any:
    """An agent that asks before it refunds."""
    asks = HumanInTheLoopMiddleware({"refund": True}, interrupt_mode=mode)
    saver = options.pop("checkpointer", None) or InMemorySaver()
    return create_agent(Teller(), [refund, look], middleware=[asks], checkpointer=saver, **options)


def nested(mode: Any = "batched", *names: str) -> Any:
    """A graph that has such agents as subgraphs, which run side by side."""
    graph = StateGraph(MessagesState)
    for name in names or ("call",):
        asks = HumanInTheLoopMiddleware({"refund": True}, interrupt_mode=mode)
        agent = create_agent(Teller(calls=name), [refund, look], middleware=[asks])
        graph.add_node(name, agent).add_edge(START, name)
    return graph.compile(checkpointer=InMemorySaver())


def asking() -> Any:
    """A graph that asks for something else than an approval."""

    def node(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage(f"Hello, {interrupt({'name': '?'})}.")]}

    graph = StateGraph(MessagesState).add_node("node", node).add_edge(START, "node")
    return graph.compile(checkpointer=InMemorySaver())


def owner_of(request: Any) -> str | None:
    """Who asks, if they say so."""
    name: str | None = request.headers.get("x-user")
    return name


def routes() -> list[StreamRoute]:
    return [
        StreamRoute("/batched", bank("batched")),
        StreamRoute("/per_call", bank("per_call")),
        StreamRoute("/nested", nested()),
        StreamRoute("/asking", asking()),
        StreamRoute("/old", bank(), sdk_version=5),
        StreamRoute("/seven", bank(), sdk_version=7),
        StreamRoute("/kept", bank("per_call"), resume=True),
        StreamRoute("/kept_old", bank(), resume=True, sdk_version=5),
    ]


streams = StreamApp(routes(), format="vercel", threads=True, authorize=owner_of)


app = Starlette(routes=[*ROUTES, Mount("/", streams)])
