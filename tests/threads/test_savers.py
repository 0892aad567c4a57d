"""Threads in the checkpointers that people use: SQLite, PostgreSQL and Redis, besides memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from redis.asyncio import Redis

from asgi_stream import StreamApp, StreamRoute, TableError
from asgi_stream._langchain.threads.copies import copy_thread
from asgi_stream._langchain.threads.graph_thread import GraphThread
from asgi_stream.requests import StreamRequest

from .. import redis_modules
from ..asgi import call, get, post
from ..postgres_server import postgres_server
from ..redis_server import redis_server
from .agents import Listener, agent_of
from .chat import CHAT, Client, user
from .test_asked_in_tasks import Chat, agents, app_of, graph_of

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["memory", "sqlite", "postgres", "redis"])
async def saver(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Any]:
    match request.param:
        case "memory":
            yield InMemorySaver()
        case "sqlite":
            async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "db")) as sqlite:
                yield sqlite
        case "postgres":
            url = new_database(request.getfixturevalue("postgres"))
            async with AsyncPostgresSaver.from_conn_string(url) as postgres:
                await postgres.setup()
                yield postgres
        case "redis":
            # Nothing else needs it, and it brings much along.
            from langgraph.checkpoint.redis.aio import AsyncRedisSaver

            url = request.getfixturevalue("redis_with_modules")
            prefixes: Any = {
                "checkpoint_prefix": uuid4().hex,
                "checkpoint_write_prefix": uuid4().hex,
            }
            async with (
                Redis.from_url(url) as client,
                AsyncRedisSaver.from_conn_string(redis_client=client, **prefixes) as redis,
            ):
                await redis.asetup()
                yield redis


def new_database(url: str) -> str:
    name = f"test_{uuid4().hex}"
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
    return f"{url.rpartition('/')[0]}/{name}"


@pytest.fixture(scope="module")
def postgres() -> Any:
    with postgres_server() as url:
        yield url


@pytest.fixture(scope="module")
def redis_with_modules(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    redis_modules.install()
    folder, program = tmp_path_factory.mktemp("redis"), redis_modules.SERVER
    options = redis_modules.module_options()
    with redis_server(folder, options=options, program=program) as server:
        yield server.url


class Ann(Client):
    """A client of one owner, whose app may be a new one each time."""

    def __init__(self, agent: Any) -> None:
        self.agent = agent
        super().__init__(self.restarted())

    def restarted(self) -> StreamApp:
        """An app that has nothing but the checkpointer."""
        options: Any = {"threads": True, "authorize": lambda _: "ann"}
        return StreamApp(
            [
                StreamRoute("/chat", self.agent, format=CHAT, **options),
                StreamRoute("/ask", self.agent, **options),
            ]
        )


async def test_a_thread_outlives_the_app(saver: Any) -> None:
    model = Listener()
    client = Ann(agent_of(model, saver=saver))
    await client.say("1", "u1")
    await client.say("refund A", "u2")
    client.app = client.restarted()
    assert (await client.decide(**{"u2-0": {"type": "approve"}})).status == 200
    client.app = client.restarted()
    await client.say("3", "u3")
    assert model.hears[-1] == [
        *("user: 1", "ai: re: 1", "user: refund A", "calls: A"),
        *("tool: refunded A", "ai: done", "user: 3"),
    ]
    client.messages[2:] = [user("u2", "two")]
    client.app = client.restarted()
    await client.send()
    assert model.hears[-1] == ["user: 1", "ai: re: 1", "user: two"]


async def test_threads_are_listed_and_deleted(saver: Any) -> None:
    client = Ann(agent_of(Listener(), saver=saver))
    for n in range(3):
        client.thread, client.messages = f"thread {n}/é", []
        await client.say(f"{n}", "u")
        await client.say("again", "v")
    # That for Redis does not keep whose thread it is, so that only the store of threads knows it.
    knows_owners = type(saver).__name__ != "AsyncRedisSaver"
    again = client.restarted() if knows_owners else client.app
    for app in (client.app, again):
        listed = (await get(app, "/chat/threads")).json()["threads"]
        assert [each["thread_id"] for each in listed] == [f"thread {n}/é" for n in (2, 1, 0)]
    path = "/chat/threads/thread%201%2F%C3%A9"
    assert (await get(client.app, f"{path}/messages")).status == 200
    assert (await call(client.app, "DELETE", path)).status == 204
    assert (await get(client.app, path)).status == 404
    listed = (await get(again, "/chat/threads")).json()["threads"]
    assert len(listed) == 2


async def test_a_run_that_is_rolled_back_leaves_nothing(saver: Any) -> None:
    model = Listener()
    agent = agent_of(model, saver=saver)
    client = Ann(agent)
    await client.say("1", "u1")
    thread = GraphThread(agent, "t", "ann")
    before = await thread.state()
    last = await client.say("2", "u2")
    await thread.roll_back([last.headers["x-run-id"]])
    assert (await thread.state()).values == before.values
    await thread.roll_back(["another"])
    assert (await thread.state()).values == before.values


async def test_a_first_run_that_is_rolled_back_leaves_nothing(saver: Any) -> None:
    agent = agent_of(Listener(), saver=saver)
    client = Ann(agent)
    first = await client.say("1", "u1")
    thread = GraphThread(agent, "t", "ann")
    await thread.roll_back([first.headers["x-run-id"]])
    assert (await thread.state()).values == {}


async def test_a_thread_that_waits_is_copied_with_what_it_waits_for(saver: Any) -> None:
    model = Listener()
    agent = agent_of(model, saver=saver)
    client = Ann(agent)
    await client.say("1", "u1")
    await client.say("refund A", "u2")
    source, target = GraphThread(agent, "t", "ann"), GraphThread(agent, "u", "ann")
    await copy_thread(source, target)
    states = [[each async for each in thread.history()] for thread in (source, target)]
    [of_source, of_target] = [
        [(each.values, each.next, each.interrupts, each.created_at) for each in some]
        for some in states
    ]
    assert len(of_source) > 4
    assert of_target == of_source
    client.thread = "u"
    assert (await client.decide(**{"u2-0": {"type": "approve"}})).status == 200
    assert model.hears[-1][-1] == "tool: refunded A"
    assert (await source.state()).interrupts


async def test_a_call_of_an_agent_in_a_task_is_decided_by_its_id(saver: Any) -> None:
    model = Listener()
    client = Chat(app_of(graph_of("node", *agents(model, model), saver=saver)))
    for question in (await client.ask(), "u1-0"):
        assert client.seen == [question]
        assert await client.answer(question) == 200
    assert await client.answer("u1-0") == 409
    assert model.hears[-1][-1] == "tool: refunded A"


async def test_a_checkpointer_that_is_opened_for_each_request(tmp_path: Path) -> None:
    model = Listener()

    async def agent(request: StreamRequest) -> AsyncIterator[Any]:
        async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "db")) as saver:
            yield agent_of(model, saver=saver)

    app = StreamApp([StreamRoute("/chat", agent, format=CHAT, threads=True)])
    client = Client(app)
    await client.say("1", "u1")
    await client.say("2", "u2")
    assert model.hears[-1] == ["user: 1", "ai: re: 1", "user: 2"]
    assert (await get(app, "/chat/threads/t/messages")).status == 200
    await app.aclose()  # which closes the last one, too


async def test_a_function_may_not_return_a_graph_without_a_checkpointer() -> None:
    app = StreamApp(
        [
            StreamRoute(
                "/chat", lambda _: agent_of(Listener(), saver=False), format=CHAT, threads=True
            )
        ]
    )
    assert (await post(app, "/chat", {"id": "t", "messages": [user("u1", "1")]})).status == 500
    assert (await get(app, "/chat/threads/t")).status == 500


def test_a_checkpointer_must_be_async() -> None:
    with SqliteSaver.from_conn_string(":memory:") as saver, pytest.raises(TableError) as error:
        StreamApp([StreamRoute("/chat", agent_of(Listener(), saver=saver), threads=True)])
    assert "SqliteSaver" in str(error.value)
