"""The graphs in a Runnable: how they are found, what they write, and what stays private."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from langchain_core.runnables import RunnableBranch, RunnableLambda, RunnableParallel
from langchain_core.tools import BaseTool, tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.config import get_stream_writer
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.runtime import get_runtime
from langgraph.store.memory import InMemoryStore
from langgraph.types import interrupt

from asgi_stream import StreamApp, StreamRoute
from asgi_stream._langchain.graph_parts import (
    MANY_PARTS,
    graphs_in,
    with_output_only,
    writer_config,
)
from asgi_stream.events import ALL_EVENTS, OutputChunk, RunFinished

from ..asgi import post
from ..corpus import record
from ..models import PROMPT, chain_of
from .test_agents import HI
from .test_graphs import Narrow, Wide, graph_of, narrow, says, seen

pytestmark = pytest.mark.anyio

GRAPH = graph_of(says)


@tool
async def uses(city: str = "") -> str:
    """Lets a graph work that a variable names."""
    return str((await GRAPH.ainvoke(HI))["messages"][-1].content)


class Uses(BaseTool):
    """The same, as a class."""

    name: str = "uses"
    description: str = "Uses a graph."

    def _run(self) -> Any:
        return [GRAPH.invoke(HI) for _ in range(1)]


class Service:
    """What has a graph, and methods that run it."""

    def __init__(self, graph: Any = GRAPH) -> None:
        self.graph = graph

    async def run(self, value: Any) -> Any:
        return await self.graph.ainvoke(HI)


SERVICE = Service()


async def calls_the_tool(value: Any) -> Any:
    return await uses.ainvoke({})


async def asks_the_service(value: Any) -> Any:
    return await SERVICE.graph.ainvoke(HI)


async def runs(graph: Any, value: Any) -> Any:
    return await graph.ainvoke(HI)


def closes_over(graph: Any) -> Any:
    async def runs_it(value: Any) -> Any:
        return await graph.ainvoke(HI)

    return runs_it


HOLDERS: dict[str, Any] = {
    "a parallel step": PROMPT | {"a": RunnableLambda(lambda x: x), "b": GRAPH},
    "a fallback": RunnableLambda(says).with_fallbacks([GRAPH]),
    "a tool in a chain": RunnableLambda(lambda value: {}) | uses,
    "a tool in a function": RunnableLambda(calls_the_tool),
    "a tool that is a class": Uses(),
    "a method": RunnableLambda(Service().run),
    "a graph's own method": RunnableLambda(GRAPH.ainvoke),
    "an attribute": RunnableLambda(asks_the_service),
    "a partial function": RunnableLambda(partial(runs, GRAPH)),
    "a closure": RunnableLambda(closes_over(GRAPH)),
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_a_graph_is_found_in(holder: str) -> None:
    assert graphs_in(HOLDERS[holder]) == [GRAPH]


@pytest.mark.parametrize("holder", ["a tool in a chain", "a tool in a function", "a method"])
async def test_data_that_a_graph_inside_writes_is_emitted(holder: str) -> None:
    written = seen(await record(HOLDERS[holder], HI, ALL_EVENTS))
    assert [each for each in written if each in ("before", "after")] == ["before", "after"]


def test_only_a_runnable_with_a_graph_gets_a_writer() -> None:
    def is_early(value: Any) -> Any:
        return early.invoke(value)

    assert not graphs_in(chain_of("a"))
    assert not graphs_in(RunnableLambda(is_early))
    many = RunnableLambda(says)
    many.documents = [*range(MANY_PARTS), GRAPH]  # type: ignore[attr-defined]
    many.itself = many  # type: ignore[attr-defined]
    assert not graphs_in(many)
    assert not writer_config(graphs_in(chain_of("a")), print, print)
    assert set(writer_config([GRAPH], print, print)) == {"__pregel_runtime", "__pregel_stream"}
    early: Any = GRAPH


async def test_a_graph_keeps_its_store() -> None:
    def tells(state: MessagesState) -> Any:
        get_stream_writer()(get_runtime().store)

    first, second = InMemoryStore(), InMemoryStore()
    graph = graph_of(tells, store=first)
    chain: Any = RunnableLambda(lambda value: value) | graph
    for runnable in (graph, chain, chain | RunnableLambda(Service().run)):
        assert first in seen(await record(runnable, HI, ALL_EVENTS))
    assert not writer_config(graphs_in(graph | graph_of(tells, store=second)), print, print)


# Which part of its state is for the client.


def same(value: Any) -> Any:
    return value


def fails(value: Any) -> Any:
    raise ConnectionError


CHAINS: dict[str, Any] = {
    "a chain": RunnableLambda(same) | narrow(),
    "a chain in a chain": RunnableLambda(same) | (RunnableLambda(same) | narrow()).with_retry(),
    "a parallel step": RunnableLambda(same) | RunnableParallel(a=narrow(), b=RunnableLambda(same)),
    "a branch": RunnableBranch((bool, narrow()), RunnableLambda(same)),
    "a fallback": RunnableLambda(same) | RunnableLambda(fails).with_fallbacks([narrow()]),
}


@pytest.mark.parametrize("json_", [False, True])
@pytest.mark.parametrize("format", ["chunks", "langserve"])
@pytest.mark.parametrize("chain", CHAINS)
async def test_private_channels_of_a_chain_s_graph_stay_private(
    chain: str, format: str, json_: bool
) -> None:
    app = StreamApp([StreamRoute("/x", CHAINS[chain], format=format)])
    path = "/x"
    body: Any = {"text": "?"}
    headers = {"accept": "application/json"} if json_ else {}
    if format == "langserve":
        path, body = "/x/invoke" if json_ else "/x/stream", {"input": body}
    answer = await post(app, path, body, headers=headers)
    assert answer.status == 200
    assert b'"text":"yes"' in answer.body
    assert b"s3cret" not in answer.body


async def test_a_chain_may_give_more_of_its_graph_s_state() -> None:
    graph = narrow().bind(output_keys=["secret"])
    [*_, output, _] = await record(RunnableLambda(same) | graph, {"text": "?"}, {OutputChunk})
    assert isinstance(output, OutputChunk)
    assert output.data == {"works": {"secret": "s3cret"}}


async def test_what_a_graph_yields_to_the_next_step_is_left_alone() -> None:
    chain: Any = narrow() | RunnableLambda(same)
    assert with_output_only(chain) is chain
    assert with_output_only(RunnableLambda(same) | GRAPH).last is GRAPH


async def test_a_chain_s_narrow_graph_that_stops_says_so() -> None:
    graph = StateGraph(Wide, output_schema=Narrow)
    graph.add_node("asks", lambda state: {"text": interrupt("Sure?")})
    graph.add_edge(START, "asks")
    chain: Any = RunnableLambda(same) | graph.compile(checkpointer=InMemorySaver())
    run = chain.with_config({"configurable": {"thread_id": "t"}})
    *_, end = await record(run, {"text": "?"}, {OutputChunk})
    assert isinstance(end, RunFinished)
    assert [stop.value for stop in end.interrupts] == ["Sure?"]
