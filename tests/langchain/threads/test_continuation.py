"""Where a run goes on whose worker has died, for graphs that have stopped in each way."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, AnyMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import interrupt

from asgi_stream._langchain.threads.continuation import NotContinuable, continuation_of
from asgi_stream._langchain.threads.graph_thread import GraphThread
from asgi_stream._langchain.threads.waiting import has_stopped
from asgi_stream.events import BREAKPOINT

pytestmark = pytest.mark.anyio


class State(TypedDict, total=False):
    done: Annotated[list[str], operator.add]
    messages: Annotated[list[AnyMessage], add_messages]


def step(name: str) -> Any:
    async def run(state: State) -> State:
        if name == "asks":
            interrupt("?")
        if name == "fails":
            raise ZeroDivisionError
        call = {"id": f"call-{name}", "name": "look", "args": {}}
        return {"done": [name], "messages": [AIMessage("", tool_calls=[call])]}

    return run


def graph_of(*layers: str, nested: Mapping[str, Any] | None = None, **options: Any) -> Any:
    """A graph that runs one layer after the other, each with nodes side by side."""
    graph, before = StateGraph(State), START
    for layer in layers:
        names = layer.split("+")
        for name in names:
            graph.add_node(name, (nested or {}).get(name) or step(name))
            graph.add_edge(before, name)
        before = names[0]
    return graph.compile(checkpointer=InMemorySaver(), **options)


async def stopped(
    graph: Any, *, run_id: str = "r", stops: dict[str, Any] | None = None, **kwargs: Any
) -> GraphThread:
    """A thread on which the run ``r`` has come as far as it does, or has failed.

    Its next runs have the breakpoints ``stops``.
    """
    thread = GraphThread(graph, "t", None, astream_kwargs=kwargs if stops is None else stops)
    config = {"configurable": thread.configurable(), "metadata": {"run_id": run_id}}
    with suppress(ZeroDivisionError):
        await graph.ainvoke({"done": ["go"]}, config, **kwargs)
    return thread


async def test_a_run_that_had_come_to_its_end_has_nothing_left() -> None:
    thread = await stopped(graph_of("a", "b"))
    point = await continuation_of(thread, "r")
    assert point.interrupts is None
    assert point.snapshot.next == ()
    assert point.calls == {"call-a", "call-b"}


async def test_a_run_that_had_asked_does_not_ask_again() -> None:
    thread = await stopped(graph_of("a", "asks+b"))
    point = await continuation_of(thread, "r")
    assert [each.value for each in point.interrupts or ()] == ["?"]


@pytest.mark.parametrize(
    "stops",
    [{"interrupt_before": ["b"]}, {"interrupt_after": ["a"]}, {"interrupt_before": "*"}],
)
@pytest.mark.parametrize("compiled", [True, False])
async def test_a_run_stays_at_a_breakpoint(stops: dict[str, Any], compiled: bool) -> None:
    thread = await stopped(graph_of("a", "b", **(stops if compiled else {})), **stops)
    point = await continuation_of(thread, "r")
    assert point.interrupts == [BREAKPOINT]


@pytest.mark.parametrize(
    "stops", [{"interrupt_before": ["c"]}, {"interrupt_after": ["b"]}, {"interrupt_after": ["c"]}]
)
async def test_a_run_goes_on_to_its_next_breakpoint(stops: dict[str, Any]) -> None:
    thread = await stopped(graph_of("a", "b", "c"), stops=stops, interrupt_before=["b"])
    point = await continuation_of(thread, "r")
    assert point.interrupts is None
    assert point.snapshot.next == ("b",)


async def test_the_first_checkpoint_has_none_before() -> None:
    stops = {"interrupt_after": "*", "interrupt_before": "*"}
    thread = await stopped(graph_of("a", "b"), stops=stops)
    after = GraphThread(thread.graph, "t", None, astream_kwargs={"interrupt_after": "*"})
    *_, second, first = [each async for each in thread.history()]
    assert (first.next, first.parent_config) == (("__start__",), None)
    assert not await has_stopped(thread, first)
    assert not await has_stopped(after, second)
    assert await has_stopped(thread, second)


async def test_a_thread_that_another_run_has_written_is_left_alone() -> None:
    thread = await stopped(graph_of("a", "b"), run_id="other")
    with pytest.raises(NotContinuable, match="no checkpoint"):
        await continuation_of(thread, "r")
    with pytest.raises(NotContinuable, match="no checkpoint"):
        await continuation_of(GraphThread(graph_of("a"), "new", None), "r")


async def test_a_node_that_has_failed_does_not_run_again() -> None:
    thread = await stopped(graph_of("a", "fails"))
    with pytest.raises(NotContinuable, match="a node has failed"):
        await continuation_of(thread, "r")


async def test_a_subgraph_goes_on_too() -> None:
    thread = await stopped(graph_of("a", "b", nested={"b": graph_of("x", "y")}))
    assert (await continuation_of(thread, "r")).interrupts is None


async def test_breakpoints_of_subgraphs_are_not_passed() -> None:
    nested = {"b": graph_of("x", "y", interrupt_before=["y"])}
    thread = await stopped(graph_of("a", "b", nested=nested))
    with pytest.raises(NotContinuable, match="subgraph 'b' has breakpoints"):
        await continuation_of(thread, "r")
