"""Routes whose graphs have one checkpointer share the states of threads: one run writes to each."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from asgi_stream import StreamApp, StreamRoute, Threads
from asgi_stream.stores import Claim
from asgi_stream.stores.memory_threads import MemoryThreadStore
from asgi_stream.stores.shared_claims import SharedClaims
from asgi_stream.testing.claim_checks import RecordingClaimant

from ..asgi import JSON, Exchange, call, get, post
from ..clients import until
from ..redis_server import RedisServer
from .agents import Listener, agent_of
from .chat import CHAT, user

pytestmark = pytest.mark.anyio


@pytest.fixture
def model() -> Listener:
    return Listener()


def routes_of(first: Any, second: Any, **options: Any) -> list[StreamRoute]:
    return [
        StreamRoute("/ask", first, **options),
        StreamRoute("/chat", second, format=CHAT, **options),
    ]


def chat(id_: str, text: str) -> Any:
    return {"id": "t", "messages": [user(id_, text)]}


def asking(app: StreamApp) -> Exchange:
    body = {"messages": [["human", "slow"]]}
    return Exchange(app, "POST", "/ask/threads/t", body, headers=JSON)


async def statuses(app: StreamApp) -> list[Any]:
    paths = "/ask/threads/t", "/chat/threads/t"
    return [(await get(app, path)).json().get("status") for path in paths]


async def check_one_at_a_time(first: StreamApp, second: StreamApp, model: Listener) -> None:
    """Check that a run of a route of the first app has the thread for the other route, too."""
    async with asking(first) as running:
        await until(lambda: model.slow)
        refused = await post(second, "/chat", chat("u2", "2"))
        assert (refused.status, refused.json()["error"]["code"]) == (409, "thread_busy")
        model.slow[0].set()
        await running.finished()
    assert (await post(second, "/chat", chat("u2", "2"))).status == 200
    assert model.hears[1:] == [["user: slow", "ai: re: slow", "user: 2"]]
    assert await statuses(second) == ["idle", "idle"]


@pytest.mark.parametrize("of_app", [True, False])
async def test_one_run_at_a_time_writes_to_a_thread_of_two_routes(
    of_app: bool, model: Listener
) -> None:
    agent = agent_of(model)
    if of_app:
        app = StreamApp(routes_of(agent, agent), threads=True)
    else:
        app = StreamApp(routes_of(agent, agent, threads=True))
    await check_one_at_a_time(app, app, model)


async def test_two_graphs_with_one_checkpointer_count_as_one(model: Listener) -> None:
    saver = InMemorySaver()
    first, second = (agent_of(model, saver=saver) for _ in range(2))
    app = StreamApp(routes_of(first, second), threads=True)
    await check_one_at_a_time(app, app, model)


async def test_two_routes_with_one_function_count_as_one(model: Listener) -> None:
    agent = agent_of(model)
    app = StreamApp(routes_of(lambda _: agent, lambda _: agent), threads=True)
    async with asking(app) as running:
        await until(lambda: model.slow)
        # What two functions return is known only when they are called.
        assert (await post(app, "/chat", chat("u2", "2"))).status == 200
        model.slow[0].set()
        await running.finished()
    model.slow.clear()
    model.hears.clear()

    def function(_: Any) -> Any:
        return agent_of(model, saver=saver)

    saver = InMemorySaver()
    app = StreamApp(routes_of(function, function), threads=True)
    await check_one_at_a_time(app, app, model)


async def test_two_workers_with_a_redis(
    model: Listener, redis: RedisServer, request: pytest.FixtureRequest
) -> None:
    agent = agent_of(model)
    url = f"{redis.url}?prefix={request.node.name}"
    # Each with a store of its own, as in two processes.
    one, other = (StreamApp(routes_of(agent, agent), threads=Threads(store=url)) for _ in range(2))
    try:
        await check_one_at_a_time(one, other, model)
    finally:
        await one.aclose()
        await other.aclose()


async def test_routes_with_checkpointers_of_their_own_do_not_wait_for_each_other(
    model: Listener,
) -> None:
    app = StreamApp(routes_of(agent_of(model), agent_of(model)), threads=True)
    async with asking(app) as running:
        await until(lambda: model.slow)
        assert (await post(app, "/chat", chat("u2", "2"))).status == 200
        assert await statuses(app) == ["busy", "idle"]
        model.slow[0].set()
        await running.finished()


@pytest.mark.parametrize("multitask", ["interrupt", "rollback"])
async def test_a_run_takes_a_thread_over_from_another_route(
    multitask: Any, model: Listener
) -> None:
    agent = agent_of(model)
    app = StreamApp(routes_of(agent, agent), threads=True, multitask=multitask)
    async with asking(app) as running:
        await until(lambda: model.slow)
        assert (await post(app, "/chat", chat("u2", "2"))).status == 200
        await running.finished()
    assert b"cancelled" in running.body
    kept = ["user: slow"] if multitask == "interrupt" else []
    assert model.hears[-1] == [*kept, "user: 2"]


async def test_deleting_a_thread_stops_its_run_on_another_route(model: Listener) -> None:
    agent = agent_of(model)
    app = StreamApp(routes_of(agent, agent), threads=True)
    async with asking(app) as running:
        await until(lambda: model.slow)
        assert (await call(app, "DELETE", "/chat/threads/t")).status == 204
        await running.finished()
    assert b"cancelled" in running.body
    assert await statuses(app) == ["idle", None]


async def test_runs_of_two_routes_take_turns(model: Listener) -> None:
    agent = agent_of(model)
    app = StreamApp(routes_of(agent, agent), threads=True, multitask="enqueue")
    bodies = [
        ("/chat", chat(f"u{n}", f"{n}"))
        if n % 2
        else ("/ask/threads/t", {"messages": [["human", f"{n}"]]})
        for n in range(10)
    ]
    answers = await asyncio.gather(*(post(app, *each) for each in bodies))
    assert {each.status for each in answers} == {200}
    assert [len(each) for each in model.hears] == [2 * n + 1 for n in range(10)]


async def test_a_claim_that_is_not_taken_whole_is_given_up() -> None:
    shared, own = MemoryThreadStore(), MemoryThreadStore()
    claims, first = SharedClaims(shared, "all", own), RecordingClaimant("first")
    await own.claim("mine", "t", first)
    second = RecordingClaimant("second")
    assert await claims.claim("mine", "t", second) == Claim(False, ("first",))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await claims.claim("mine", "t", second, wait=True)
    other = RecordingClaimant("other")
    assert await shared.claim("all", "t", other) == Claim(True)
    assert await claims.claim("mine", "t", second) == Claim(False, ("other",))
    shared.release("all", "t", "other")
    waiting = asyncio.ensure_future(claims.claim("mine", "t", second, wait=True, evict=True))
    await until(lambda: first.evictions)
    own.release("mine", "t", "first")
    assert await waiting == Claim(True, ("first",))
    claims.release("mine", "t", "second")
    assert await claims.claim("mine", "t", second) == Claim(True)
