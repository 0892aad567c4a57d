"""`Threads`, and what can be wrong with the threads of a route."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from langchain_core.runnables import RunnableLambda
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver

from asgi_stream import StreamApp, StreamRoute, TableError, Threads
from asgi_stream.stores.memory_threads import MemoryThreadStore
from asgi_stream.threads import checkpoint_thread_id, thread_scope

from .corpus import graph_of
from .models import Scripted
from .threads.agents import Listener, agent_of


class SyncOnly(BaseCheckpointSaver[str]):
    """Has sync methods only."""


AGENT = agent_of(Listener())


OWN = "tests.formats.own:Lines"


@pytest.mark.parametrize(
    ("runnable", "options", "problem"),
    [
        (AGENT, {"threads": 1}, "threads must be a Threads or True, not an int"),
        (AGENT, {"threads": True, "multitask": "both"}, "multitask must be one of"),
        (AGENT, {"multitask": "enqueue"}, "multitask: needs threads"),
        (AGENT, {"threads": True, "format": OWN}, "Lines format have no threads"),
        (AGENT, {"threads": Threads(store="postgres://x")}, "threads.store: "),
        (AGENT, {"threads": Threads(store=object())}, "has no create"),  # type: ignore[arg-type]
        (AGENT, {"threads": Threads(user_messages_only=1)}, "must be True or False, not 1"),  # type: ignore[arg-type]
        (RunnableLambda(str), {"threads": True}, "need a LangGraph graph with a checkpointer"),
        (graph_of(Scripted(script=["a"])), {"threads": True}, "no checkpointer"),
        (agent_of(Listener(), saver=True), {"threads": True}, "no checkpointer"),
        (agent_of(Listener(), saver=SyncOnly()), {"threads": True}, "sync methods only"),
    ],
)
def test_mistakes_are_reported(runnable: Any, options: Any, problem: str) -> None:
    with pytest.raises(TableError) as error:
        StreamApp([StreamRoute("/chat", runnable, **options)])
    assert problem in str(error.value)


@pytest.mark.parametrize("format", ["vercel", "agui"])
def test_a_conversation_that_would_double_is_warned_of(format: str) -> None:
    with pytest.warns(UserWarning, match="set threads=True"):
        StreamApp([StreamRoute("/chat", AGENT, format=format)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        StreamApp([StreamRoute("/chat", AGENT, format=format, threads=True)])
        of_ids: Any = {"configurable": ["thread_id"]}
        StreamApp([StreamRoute("/chat", AGENT, format=format, conversation=lambda _: {}, **of_ids)])
        StreamApp([StreamRoute("/chat", AGENT, format="tokens", **of_ids)])
        StreamApp([StreamRoute("/chat", graph_of(Scripted(script=[])), format=format)])


def test_a_route_has_one_store_wherever_it_is_served() -> None:
    route = StreamRoute("/chat", AGENT, threads=True)
    policies = [StreamApp([route]).table[0].thread_policy for _ in range(2)]
    assert policies[0] is not None
    assert policies[0] is policies[1]
    by_default = StreamApp([StreamRoute("/chat", AGENT)], threads=True).table[0].thread_policy
    assert by_default is not None


def test_stores_with_one_url_are_shared_within_an_app() -> None:
    url = "redis://:secret@127.0.0.1:1/0"
    routes = [StreamRoute(f"/{n}", AGENT, threads=Threads(store=url)) for n in range(2)]
    first, second = (each.thread_policy for each in StreamApp(routes).table)
    assert first is not None
    assert second is not None
    assert first.opened is second.opened
    assert "secret" not in repr(first) + repr(Threads(store=url)) + repr(first.opened)
    own = MemoryThreadStore()
    assert Threads(store=own).within("x", {}).opened is own


def test_ids_in_the_checkpointer_cannot_be_chosen_to_be_another_owner_s() -> None:
    of_ann = checkpoint_thread_id("t", "ann")
    assert of_ann != checkpoint_thread_id("t", "bob")
    assert checkpoint_thread_id("t") == "t"
    assert checkpoint_thread_id(of_ann) not in (of_ann, "t")
    assert checkpoint_thread_id(of_ann, "bob") != of_ann
    odd = ["", "\x00", "a/b", "é", "x" * 129, "~t", " t"]
    assert all(each.startswith("~") for each in map(checkpoint_thread_id, odd))
    assert len({*map(checkpoint_thread_id, odd)}) == len(odd)
    scopes = {thread_scope(path, owner) for path in ("/a", "/b") for owner in ("ann", "bob", None)}
    assert len(scopes) == 6


def test_memory_is_an_async_checkpointer() -> None:
    StreamApp([StreamRoute("/chat", agent_of(Listener(), saver=InMemorySaver()), threads=True)])
