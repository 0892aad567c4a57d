"""What keeps the runs of a route from going on with another worker, found when a table is built."""

from __future__ import annotations

from typing import Any, TypedDict

import pytest
from langchain_core.runnables import RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import StateGraph

from asgi_stream import Resume, StreamRoute, Threads
from asgi_stream.errors import TableError
from asgi_stream.stores.redis import RedisStore
from asgi_stream.stores.redis_threads import RedisThreadStore

from ..bound import bound
from ..resume.shared_store import SharedSaver

REDIS = "redis://127.0.0.1:1/0"


class State(TypedDict):
    text: str


def graph_of(saver: Any) -> Any:
    graph = StateGraph(State)
    graph.add_node("node", lambda state: state)
    graph.set_entry_point("node")
    return graph.compile(checkpointer=saver)


def resume(store: Any = None, **options: Any) -> Resume:
    return Resume(store=store or RedisStore(REDIS), on_worker_lost="continue", **options)


def threads() -> Threads:
    return Threads(store=RedisThreadStore(REDIS))


GOOD: dict[str, Any] = {"format": "chunks", "resume": resume(), "threads": threads()}


def problems_of(runnable: Any = None, **options: Any) -> list[str]:
    runnable = graph_of(SharedSaver()) if runnable is None else runnable
    try:
        bound(StreamRoute("/r", runnable, **{**GOOD, **options}))
    except TableError as error:
        return [each for each in str(error).split("\n") if "on_worker_lost" in each]
    return []


@pytest.mark.parametrize("format", ["chunks", "events", "vercel", "langgraph"])
def test_runs_can_go_on(format: str) -> None:
    conversation = (lambda messages: {"text": ""}) if format == "vercel" else None
    assert problems_of(format=format, conversation=conversation) == []
    assert bound(StreamRoute("/r", graph_of(SharedSaver()), **GOOD)).continues
    assert not bound(StreamRoute("/r", RunnableLambda(str))).continues


@pytest.mark.filterwarnings("ignore:route '/r'")  # of its checkpointer, without threads
@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"resume": resume("memory")}, "needs a store of runs that all workers share"),
        ({"threads": Threads()}, "needs a store of threads that all workers share"),
        ({"threads": True}, "needs a store of threads that all workers share"),
        ({"threads": False}, "needs threads, whose checkpoints runs go on from"),
        ({"format": "tokens"}, "clients of the tokens format cannot tell what is streamed again"),
        ({"runnable": graph_of(InMemorySaver())}, "an InMemorySaver keeps threads in one process"),
    ],
)
def test_what_cannot_take_effect_is_an_error(options: dict[str, Any], problem: str) -> None:
    [message] = problems_of(**options)
    assert problem in message


def test_other_mistakes_are_told_beside() -> None:
    number: Any = 3
    for options in (
        {"resume": resume(number)},
        {"threads": Threads(store=number)},
        {"threads": number},
    ):
        with pytest.raises(TableError) as caught:
            bound(StreamRoute("/r", graph_of(SharedSaver()), **{**GOOD, **options}))
        assert "on_worker_lost" not in str(caught.value)
    bad = Resume(on_worker_lost="retry")  # type: ignore[arg-type]
    [problem] = problems_of(resume=bad)
    assert problem.endswith("must be one of ('fail', 'continue'), not 'retry'")
