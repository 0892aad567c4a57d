"""The same Runnables in the format of every front end, for its real clients."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import wrap_tool_call
from langchain_core.callbacks import adispatch_custom_event
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.chat_models import agenerate_from_stream
from langchain_core.messages import AIMessage, AIMessageChunk, ToolMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, MessagesState, StateGraph
from starlette.applications import Starlette
from starlette.routing import Mount

from asgi_stream import Limits, StreamApp, StreamRoute

from ..apps import after_a_word, waits
from ..corpus import RUNS
from ..guarantees.probes import note, noted
from ..models import chain_of
from .bank import asking, bank, nested

USAGE = {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}


class Fills(BaseChatModel):
    """Answers in the form that it is asked for, as a provider that knows ``response_format``."""

    @property
    def _llm_type(self) -> str:
        return "fills"

    def _generate(self, *_: Any, **__: Any) -> ChatResult:
        raise NotImplementedError

    async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
        return await agenerate_from_stream(self._astream(*args, **kwargs))

    async def _astream(
        self, messages: Any, *_: Any, response_format: Any = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        schema = ((response_format or {}).get("json_schema") or {}).get("schema", {})
        known = {"string": "Paris", "integer": 20}
        filled = {
            name: known[about["type"]] for name, about in schema.get("properties", {}).items()
        }
        answer_text = json.dumps(filled) if response_format else "as you like"
        for piece in (answer_text[:5], answer_text[5:]):
            yield ChatGenerationChunk(message=AIMessageChunk(content=piece))


class Thinker(BaseChatModel):
    """Thinks; calls two tools at once if it has any, the second in one piece; then answers."""

    @property
    def _llm_type(self) -> str:
        return "thinker"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self.bind(tools=tools, **kwargs)

    def _generate(self, *_: Any, **__: Any) -> ChatResult:
        raise NotImplementedError

    async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
        return await agenerate_from_stream(self._astream(*args, **kwargs))

    async def _astream(
        self, messages: Any, *_: Any, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in self._script(messages[-1], kwargs.get("tools")):
            await asyncio.sleep(0.01)
            yield ChatGenerationChunk(message=AIMessageChunk(**{"content": "", **chunk}))

    def _script(self, last: Any, tools: Any) -> list[dict[str, Any]]:
        thoughts = ("Let me ", "think.")
        thought = [{"additional_kwargs": {"reasoning_content": word}} for word in thoughts]
        if not tools or last.type != "human":
            words: list[dict[str, Any]] = [{"content": word} for word in ("It ", "rains", ".")]
            if last.type == "tool":
                words.append({"content": f" ({last.content})"})
            end = {"response_metadata": {"finish_reason": "stop"}, "usage_metadata": USAGE}
            return [*thought, *words, end]
        calls = [
            tool_call_chunk(name="weather", args="", id="call_1", index=1),
            tool_call_chunk(args='{"city": ', index=1),
            tool_call_chunk(args='"Paris"}', index=1),
            tool_call_chunk(name="fails", args='{"city": "Rome"}', id="call_2", index=2),
        ]
        end = {"response_metadata": {"finish_reason": "tool_calls"}, "usage_metadata": USAGE}
        call_chunks = [{"tool_call_chunks": [call]} for call in calls]
        return [*thought, {"content": "I look. "}, *call_chunks, end]


class Slow(BaseChatModel):
    """Says a word each 20 ms, and writes down when it begins and ends under the user's words."""

    @property
    def _llm_type(self) -> str:
        return "slow"

    def _generate(self, *_: Any, **__: Any) -> ChatResult:
        raise NotImplementedError

    async def _astream(
        self, messages: Any, *_: Any, **__: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        with noted(str(messages[-1].content), "slow"):
            for n in range(1000):
                yield ChatGenerationChunk(message=AIMessageChunk(content=f"w{n} "))
                await asyncio.sleep(0.02)


class Counting(Slow):
    """Counts to 60, a number each 50 ms."""

    async def _astream(
        self, messages: Any, *_: Any, **__: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        with noted(str(messages[-1].content), "counting"):
            for n in range(60):
                yield ChatGenerationChunk(message=AIMessageChunk(content=f"w{n} "))
                await asyncio.sleep(0.05)


@tool
async def weather(city: str) -> str:
    """The weather."""
    get_stream_writer()({"looked": city})
    await adispatch_custom_event("progress", {"id": "p", "percent": 50})
    return f"rain in {city}"


@tool
async def fails(city: str) -> str:
    """Fails."""
    raise ValueError("secret")


@wrap_tool_call
async def forgiving(request: Any, handler: Any) -> Any:
    """Tells the model of a tool's failure, as people do."""
    try:
        return await handler(request)
    except ValueError as error:
        content = f"it failed: {error!r}"
        return ToolMessage(content, tool_call_id=request.tool_call["id"], status="error")


def echo(messages: Any) -> str:
    """What the last message has in it."""
    content = messages[-1].content
    blocks = [{"type": "text"}] if isinstance(content, str) else content
    return " ".join(f"{b['type']}:{b.get('mime_type', '-')}" for b in blocks)


def node_of(runnable: Any) -> Any:
    """A graph's node that runs `runnable` with the user's words."""

    async def node(state: MessagesState) -> dict[str, Any]:
        words = state["messages"][-1].content
        value = {"question": words} if "question" in str(runnable.get_input_jsonschema()) else words
        text = "".join([str(getattr(c, "content", c)) async for c in runnable.astream(value)])
        return {"messages": [AIMessage(text)]}

    return node


agent = create_agent(Thinker(), tools=[weather, fails], middleware=[forgiving])


class KitState(MessagesState):
    """What CopilotKit's runtime and AG-UI's adapters put into the state of a graph."""

    copilotkit: dict[str, Any]


async def call_model(state: KitState) -> dict[str, Any]:
    model = Thinker().bind_tools([weather, *state["copilotkit"]["actions"]])
    return {"messages": [await model.ainvoke(state["messages"])]}


async def run_own_tools(state: Any) -> dict[str, Any]:
    theirs = {each["name"] for each in state["copilotkit"]["actions"]}
    calls = [call for call in state["messages"][-1].tool_calls if call["name"] not in theirs]
    return {"messages": [await weather.ainvoke(call) for call in calls]}


def after_model(state: Any) -> str:
    return "run_own_tools" if state["messages"][-1].tool_calls else END


kit = StateGraph(KitState).add_node(call_model).add_node(run_own_tools)
kit.add_edge(START, "call_model").add_conditional_edges("call_model", after_model)


def acts_and_fails(messages: Any) -> Any:
    """Act, which is noted under the user's words, and fail."""
    note(messages[-1].content, "acted")
    raise ConnectionError("the model's provider is down")


CASES: dict[str, Any] = {
    "agent": agent,
    "model": Thinker(),
    "chain": chain_of("Hel", "lo"),
    "echo": RunnableLambda(echo),
    "slow": Slow(),
    "first": chain_of(ValueError("secret")),
    "fails": chain_of("Hel", ValueError("secret")),
    "cut": after_a_word(waits),
    "kit": kit.compile(),
    "fills": Fills(),
    "acts": RunnableLambda(acts_and_fails),
}


def graph_of(runnable: Any) -> Any:
    built = StateGraph(MessagesState).add_node("node", node_of(runnable))
    return built.add_edge(START, "node").compile()


GRAPHS = {"agent": agent} | {
    name: graph_of(CASES[name]) for name in ("slow", "first", "fails", "cut")
}
LASTS = {"cut": 1}


def routes_of(format: str) -> list[StreamRoute]:
    return [
        StreamRoute(f"/{name}", runnable, format=format, limits=Limits(run=LASTS.get(name, 60)))
        for name, runnable in CASES.items()
    ]


def always(value: Any) -> Any:
    return lambda messages: value


def corpus_of(format: str) -> list[StreamRoute]:
    """The corpus, each run with its own input whatever the client says."""
    return [
        StreamRoute(f"/{n}", runnable, format=format, conversation=always(value))
        for n, (runnable, value) in enumerate(RUNS.values())
    ]


FORMATS = ("agui", "langserve", "text", "vercel")

BANKS = {
    "batched": bank(),
    "per_call": bank("per_call"),
    "nested": nested(),
    "asking": asking(),
}

SERVERS = [
    StreamRoute("/bank/v1", BANKS, format="openai", resume=True, threads=True),
    StreamRoute("/openai/v1", CASES, format="openai"),
    StreamRoute("/langgraph", GRAPHS, format="langgraph"),
    *[
        StreamRoute(f"/langgraph/only/{name}", graph, format="langgraph")
        for name, graph in GRAPHS.items()
    ],
]

KEPT = [
    StreamRoute("/chat", Counting(), format="vercel"),
    StreamRoute("/graph", {"counting": graph_of(Counting())}, format="langgraph"),
    StreamRoute("/openai/v1", CASES, format="openai"),
]

app = Starlette(
    routes=[
        Mount("/kept", StreamApp(KEPT, resume=True)),
        *[Mount(f"/corpus/{name}", StreamApp(corpus_of(name))) for name in ("agui", "vercel")],
        *[Mount(f"/{name}", StreamApp(routes_of(name))) for name in FORMATS],
        Mount("/", StreamApp(SERVERS, limits=Limits(run=3))),
    ]
)
