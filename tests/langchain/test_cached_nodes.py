"""What nodes had returned when their run stopped is not sent again; what a cache has is."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import pytest
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda
from langgraph.cache.memory import InMemoryCache
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import entrypoint, task
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import CachePolicy, interrupt

from asgi_stream import StreamApp, StreamRoute

from ..asgi import frames, post

pytestmark = pytest.mark.anyio

since_1_2 = pytest.mark.skipif(
    tuple(map(int, version("langgraph").split(".")[:2])) < (1, 2),
    reason="older versions of LangGraph run the finished branches of graphs in graphs again",
)

HI = {"messages": [["human", "hi"]]}


def asks(_: Any) -> Any:
    return {"messages": AIMessage(f"answered {interrupt('?')}. ")}


def parallel(free: Any = None, **options: Any) -> Any:
    """A graph that asks in one branch; the other one has an answer, and a node follows both."""
    builder: Any = StateGraph(MessagesState)
    builder.add_node("asks", asks)
    builder.add_node("free", free or (lambda _: {"messages": AIMessage("free. ")}))
    builder.add_node(
        "last", lambda _: {"messages": AIMessage("last. ")}, cache_policy=CachePolicy()
    )
    builder.add_edge(START, "asks")
    builder.add_edge(START, "free")
    builder.add_edge(["asks", "free"], "last")
    return builder.compile(**options)


def around(graph: Any, **options: Any) -> Any:
    builder: Any = StateGraph(MessagesState)
    builder.add_node("inner", graph)
    builder.add_edge(START, "inner")
    return builder.compile(checkpointer=InMemorySaver(), **options)


def calling(graph: Any) -> Any:
    called = {"graph": graph}  # hidden from LangGraph

    async def call(state: Any) -> Any:
        return await called["graph"].ainvoke(state)

    return around(call)


async def answers(graph: Any, thread: str = "t") -> list[str]:
    """What a client reads of the run that asks, and of the one that goes on."""
    app = StreamApp([StreamRoute("/ask", graph, threads=True)])
    bodies = [await post(app, f"/ask?thread_id={thread}", each) for each in (HI, {"resume": "yes"})]
    return ["".join(each.get("token", "") for each in frames(body.body)[:-1]) for body in bodies]


GRAPHS: dict[str, Any] = {
    "a graph": lambda: parallel(checkpointer=InMemorySaver()),
    "one with a cache": lambda: parallel(checkpointer=InMemorySaver(), cache=InMemoryCache()),
    "a subgraph": lambda: around(parallel()),
    "a subgraph of one with a cache": lambda: around(parallel(), cache=InMemoryCache()),
    "a graph that is called": lambda: calling(parallel()),
    "a graph beside another": lambda: parallel(
        around(lambda _: {"messages": AIMessage("free. ")}), checkpointer=InMemorySaver()
    ),
}


NESTED = ("a subgraph", "a subgraph of one with a cache", "a graph that is called")


@pytest.mark.parametrize(
    "kind", [pytest.param(each, marks=since_1_2 if each in NESTED else ()) for each in GRAPHS]
)
async def test_a_finished_branch_is_not_sent_again(kind: str) -> None:
    assert await answers(GRAPHS[kind]()) == ["free. ", "answered yes. last. "]


async def test_a_cache_answers_in_a_run_that_goes_on() -> None:
    graph = parallel(checkpointer=InMemorySaver(), cache=InMemoryCache())
    for thread in ("one", "two"):
        assert await answers(graph, thread) == ["free. ", "answered yes. last. "]


@since_1_2
async def test_a_task_of_an_entrypoint_may_be_cached() -> None:
    policy: Any = CachePolicy()

    @task(cache_policy=policy)
    async def greets(name: str) -> Any:
        return await GenericFakeChatModel(messages=iter([AIMessage(f"hi {name}. ")])).ainvoke("")

    @entrypoint(checkpointer=InMemorySaver(), cache=InMemoryCache())
    async def graph(_: Any) -> Any:
        await greets("ann")
        interrupt("?")
        await greets("bob")
        return "end"

    for thread in ("one", "two"):
        assert await answers(graph, thread) == ["hi ann. ", "hi bob. "]


async def test_graphs_in_a_chain_with_nodes_of_the_same_name() -> None:
    first: Any = StateGraph(MessagesState)
    first.add_node("last", lambda _: {"messages": AIMessage("other. ")})
    first.add_edge(START, "last")
    second: Any = StateGraph(MessagesState)
    second.add_node(
        "last",
        lambda _: {"messages": AIMessage("cached. ")},
        cache_policy=CachePolicy(key_func=lambda *_: "k"),
    )
    second.add_edge(START, "last")
    chain: Any = (
        first.compile() | second.compile(cache=InMemoryCache()) | RunnableLambda(lambda _: _)
    )
    app = StreamApp([StreamRoute("/ask", chain)])
    for _ in range(2):
        body = frames((await post(app, "/ask", HI)).body)[:-1]
        assert "".join(each["token"] for each in body) == "other. cached. "
