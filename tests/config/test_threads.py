"""Threads in a route table in TOML."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from asgi_stream import StreamApp, TableError, Threads
from asgi_stream._config.loader import load_routes
from asgi_stream.stores.memory_threads import MemoryThreadStore
from asgi_stream.threads import thread_scope

from ..asgi import get, post, tokens
from ..threads.native_graphs import counts, graph_of
from .table_schema import schema

pytestmark = pytest.mark.anyio

HI = {"messages": [["human", "hi"]]}
graph = graph_of(counts)
forgetful = graph_of(counts)
forgetful.checkpointer = None
store = MemoryThreadStore()


def user(request: Any) -> str:
    return "ann"


ROUTE = """
[[route]]
path = "/x"
runnable = "tests.config.test_threads:graph"
authorize = "tests.config.test_threads:user"
"""
WHOLE = f"""
[defaults]
threads = true
{ROUTE}
[[route]]
path = "/own"
runnable = "tests.config.test_threads:graph"
authorize = "tests.config.test_threads:user"
multitask = "enqueue"

[route.threads]
store = "tests.config.test_threads:store"
user_messages_only = true
"""


def routes(folder: Path, text: str) -> list[Any]:
    path = folder / "asgi_stream.toml"
    path.write_text(text)
    return load_routes(path)


async def test_a_switch_and_a_table(tmp_path: Path) -> None:
    switched, own = routes(tmp_path, WHOLE)
    assert switched.threads is True
    assert isinstance(own.threads, Threads)
    assert own.threads.opened is store
    assert (own.threads.user_messages_only, own.multitask) == (True, "enqueue")
    Draft202012Validator(schema()).validate(tomllib.loads(WHOLE))
    app = StreamApp(routes=[switched, own])
    for path in ("/x", "/own"):
        assert tokens((await post(app, f"{path}/threads/{path[1:]}", HI)).body) == ["1 so far"]
    [thread] = (await get(app, "/own/threads?limit=1")).json()["threads"]
    assert thread["thread_id"] == "own"
    [record] = await store.list(thread_scope("/own", "ann"))
    assert record.route == "/own"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("threads = 1", "threads: expected"),
        ('threads = {store = "ftp://x"}', 'threads.store: expected "memory" or'),
        ("threads = {stor = 1}", "threads.stor: unknown key; did you mean store?"),
        ('threads = {user_messages_only = "yes"}', "threads.user_messages_only: expected"),
        ('multitask = "enqueue"', "multitask: needs threads"),
        ('threads = true\nmultitask = "queue"', "multitask must be one of"),
        ('threads = true\nformat = "openai"', "threads: the openai format also needs resume"),
        (
            'threads = {store = "tests.config.test_threads:user"}',
            "is not a store of threads (it has no create)",
        ),
    ],
)
def test_each_mistake_is_reported(text: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(TableError) as error:
        routes(tmp_path, ROUTE + text)
    assert problem in str(error.value)


def test_a_graph_without_a_checkpointer_is_reported(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="has no checkpointer to keep them in"):
        routes(tmp_path, ROUTE.replace(":graph", ":forgetful") + "threads = true")
