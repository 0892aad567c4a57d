"""What is wrong with the threads of a route is reported when its app is built."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver

from asgi_stream import StreamApp, StreamRoute, TableError, Threads
from asgi_stream.requests import StreamRequest
from asgi_stream.stores.memory_threads import MemoryThreadStore
from asgi_stream.threads import checkpoint_thread_id

from ..asgi import get, post
from ..models import chain_of
from .native_graphs import counts, graph_of

pytestmark = pytest.mark.anyio

OWN = "tests.formats.own:Lines"

HI = {"messages": [["human", "hi"]]}
NUMBER: Any = 5
WORD: Any = "no"


def without_checkpointer() -> Any:
    graph = graph_of(counts)
    graph.checkpointer = None
    return graph


class SyncSaver(BaseCheckpointSaver[str]):
    """Has no async methods."""


def with_sync_saver() -> Any:
    graph = graph_of(counts)
    graph.checkpointer = SyncSaver()
    return graph


@pytest.mark.parametrize(
    ("runnable", "options", "problem"),
    [
        (graph_of(counts), {"threads": 5}, "threads must be a Threads or True, not an int"),
        (
            chain_of("a"),
            {"threads": True},
            "threads: need a LangGraph graph with a",
        ),
        (without_checkpointer(), {"threads": True}, "compile it with one"),
        (with_sync_saver(), {"threads": True}, "SyncSaver has sync methods only"),
        (graph_of(counts), {"threads": True, "format": OWN}, "Lines format have no threads"),
        (graph_of(counts), {"multitask": "reject"}, "multitask: needs threads"),
        (graph_of(counts), {"threads": True, "multitask": "queue"}, "multitask must be one of"),
        (graph_of(counts), {"threads": Threads(store="ftp://x")}, "threads.store: "),
        (graph_of(counts), {"threads": Threads(store=NUMBER)}, "is not a store of threads"),
        (
            graph_of(counts),
            {"threads": Threads(user_messages_only=WORD)},
            "threads.user_messages_only must be True or False, not 'no'",
        ),
    ],
)
def test_each_mistake_is_a_problem(runnable: Any, options: Any, problem: str) -> None:
    with pytest.raises(TableError) as error:
        StreamApp([StreamRoute("/x", runnable, **options)])
    assert problem in str(error.value)


KEYED: Any = {"configurable": {"thread_id": "a"}}


def bound() -> Any:
    return graph_of(counts).with_config(KEYED)


@pytest.mark.parametrize(
    ("format", "options", "runnable", "problem"),
    [
        (
            "vercel",
            {"config": KEYED},
            graph_of,
            "reaches the model twice; set threads=True$",
        ),
        ("vercel", {"configurable": ["thread_id"]}, graph_of, "every message reaches the model"),
        ("vercel", {"configure": lambda request: KEYED}, graph_of, "every message reaches"),
        ("vercel", {}, lambda _: bound(), "every message reaches the model twice"),
        (
            "vercel",
            {},
            graph_of,
            "every run fails, because the graph",
        ),
        ("tokens", {}, graph_of, "gets no thread_id; set threads=True$"),
        ("openai", {}, graph_of, "gets no thread_id; set threads=True and resume=True$"),
    ],
)
def test_a_checkpointer_that_cannot_work_is_warned_of(
    format: str, options: Any, runnable: Any, problem: str
) -> None:
    with pytest.warns(UserWarning, match=problem):
        StreamApp([StreamRoute("/x", runnable(counts), format=format, **options)])


def test_a_checkpointer_that_works_is_not_warned_of() -> None:
    quiet = [
        StreamRoute("/a", graph_of(counts), format="vercel", threads=True),
        StreamRoute("/b", without_checkpointer(), format="vercel"),
        StreamRoute("/c", graph_of(counts), format="vercel", conversation=list, config=KEYED),
        StreamRoute("/d", bound()),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        StreamApp(quiet)


async def test_a_function_that_returns_a_graph_without_a_checkpointer_fails() -> None:
    def make(request: StreamRequest) -> Any:
        return without_checkpointer()

    app = StreamApp([StreamRoute("/x", make, threads=True, debug=True)])
    for response in (await post(app, "/x", HI), await get(app, "/x/threads/a")):
        assert response.status == 500
        assert "no checkpointer to keep threads in" in response.json()["error"]["detail"]


@pytest.mark.parametrize("path", ["/x", "/x/runs/stream", "/x/threads/a/runs/stream"])
async def test_a_first_run_without_an_input_is_refused(path: str) -> None:
    app = StreamApp([StreamRoute("/x", graph_of(counts), format="langgraph", threads=True)])
    await post(app, "/x/threads", {"thread_id": "a"})
    url = path if "threads" in path else f"{path}?thread_id=a"
    response = await post(app, url, {"assistant_id": "x"})
    assert response.status == 422
    assert "input: the first run on a thread needs one" in response.body.decode()


async def test_a_thread_in_the_query_outlives_a_run_that_would_have_none() -> None:
    app = StreamApp([StreamRoute("/x", graph_of(counts), format="langgraph", threads=True)])
    for n in (1, 3):
        body = {"assistant_id": "x", "input": HI}
        response = await post(app, "/x/runs/stream?thread_id=a", body)
        assert f"{n} so far" in response.body.decode()
        assert response.headers["x-thread-id"] == "a"
    state = (await get(app, "/x/threads/a/state")).json()
    assert len(state["values"]["messages"]) == 4


async def test_the_state_is_where_other_code_finds_it() -> None:
    graph = graph_of(counts)
    app = StreamApp([StreamRoute("/x", graph, threads=True, authorize=lambda request: "ann")])
    await post(app, "/x/threads/a", HI)
    key = checkpoint_thread_id("a", "ann")
    state = await graph.aget_state({"configurable": {"thread_id": key}})
    assert len(state.values["messages"]) == 2


def test_its_repr_has_no_password() -> None:
    assert repr(Threads()) == "Threads(store='memory', user_messages_only=False)"
    assert "secret" not in repr(Threads(store="redis://ann:secret@h/0"))
    assert isinstance(Threads().opened, MemoryThreadStore)
