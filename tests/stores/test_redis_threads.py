"""RedisThreadStore: outages, losses of data, workers that die or are suspended."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from asgi_stream.errors import StoreUnavailable
from asgi_stream.stores import Claim
from asgi_stream.stores._redis.keys import Keys
from asgi_stream.stores.redis_threads import RedisThreadStore
from asgi_stream.testing.claim_checks import RecordingClaimant, Waiting, runs_on, taken
from asgi_stream.testing.thread_checks import record_of

from ..clients import until
from ..redis_server import RedisServer, redis_server
from ..servers import free_port

pytestmark = pytest.mark.anyio

Pair = tuple[RedisThreadStore, RedisThreadStore]


@asynccontextmanager
async def stores_on(server: RedisServer, **options: Any) -> AsyncIterator[Pair]:
    """The stores of two workers with short leases, and a prefix of their own."""
    prefix = uuid4().hex
    one, other = (
        RedisThreadStore(server.url, prefix=prefix, **{"lease": 2, **options}) for _ in range(2)
    )
    try:
        yield one, other
    finally:
        async with asyncio.timeout(10):
            await one.aclose()
            await other.aclose()


@pytest.fixture
async def pair(redis: RedisServer) -> AsyncIterator[Pair]:
    async with stores_on(redis) as pair:
        yield pair


@pytest.fixture
async def patient(redis: RedisServer) -> AsyncIterator[Pair]:
    """Stores whose leases outlive the test: what they see does not wait for an end of one."""
    async with stores_on(redis, lease=60) as pair:
        yield pair


@pytest.fixture
async def own(tmp_path: Path) -> AsyncIterator[tuple[RedisServer, Pair]]:
    """A server that the test may harm, and two stores on it."""
    with redis_server(tmp_path) as server:
        async with stores_on(server) as pair:
            yield server, pair


@pytest.fixture
async def persistent(tmp_path: Path) -> AsyncIterator[tuple[RedisServer, Pair]]:
    """The same with a server that keeps its data when it is killed."""
    with redis_server(tmp_path, persistent=True) as server:
        async with stores_on(server) as pair:
            yield server, pair


def claims_of(store: RedisThreadStore) -> Any:
    return store._parts().claims


async def suspend(store: RedisThreadStore) -> None:
    """Let a store renew no claims, nor look at them, until `wake`."""
    watching = claims_of(store)._watching
    watching.cancel()
    await asyncio.wait({watching})


def wake(store: RedisThreadStore) -> None:
    claims = claims_of(store)
    claims._watching = asyncio.get_running_loop().create_task(claims._watch())


async def looked(store: RedisThreadStore, seconds: float = 20) -> None:
    """Wait until a store has looked at its claims from now on."""
    begun = asyncio.get_running_loop().time()
    await until(lambda: claims_of(store)._answered_at > begun, seconds)


# Workers.

WORKER = """
import asyncio, sys
from asgi_stream.stores.redis_threads import RedisThreadStore
from asgi_stream.testing.claim_checks import RecordingClaimant

async def main(url, prefix):
    store = RedisThreadStore(url, prefix=prefix, lease=2)
    await store.touch("ann", "t", route="/", now=1, run_id="run")
    await store.claim("ann", "t", RecordingClaimant("run"), wait=True)
    print("claimed", flush=True)
    await asyncio.Event().wait()

asyncio.run(main(*sys.argv[1:]))
"""


@contextmanager
def worker_on(store: RedisThreadStore, url: str) -> Iterator[subprocess.Popen[bytes]]:
    """Another process, which has claimed the thread."""
    command = [sys.executable, "-c", WORKER, url, store._keys._prefix]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"claimed\n"
        try:
            yield worker
        finally:
            worker.kill()


async def test_claims_of_a_killed_worker_expire(pair: Pair, redis: RedisServer) -> None:
    store, _ = pair
    with worker_on(store, redis.url) as worker:
        waiting = await Waiting.on(store)
        # It lives for longer than its lease, and keeps the thread.
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(waiting.task), 3)
        worker.kill()
        assert await waiting.turn() == Claim(True, ("run",))
    waiting.release()
    record = await store.find("ann", "t")
    assert record is not None
    assert record.status == "idle"


async def test_dead_claims_in_the_queue_are_skipped(pair: Pair) -> None:
    one, other = pair
    first = await taken(other)
    dead = [await Waiting.on(one), await Waiting.on(one)]
    last = await Waiting.on(other)
    await suspend(one)
    other.release("ann", "t", first.run_id)
    assert (await last.turn()).taken
    assert await runs_on(other) == [last.run_id]
    wake(one)
    for claimant in dead:
        with pytest.raises(StoreUnavailable):
            await claimant.turn()
        assert claimant.evictions == 0


async def test_a_suspended_worker_loses_its_threads(pair: Pair) -> None:
    one, other = pair
    first = await taken(one)
    waiting = await Waiting.on(other)
    await suspend(one)
    assert (await waiting.turn()).taken
    wake(one)
    await until(lambda: first.evictions)
    one.release("ann", "t", first.run_id)
    assert await runs_on(one) == [waiting.run_id]
    assert first.evictions == 1
    await until(lambda: claims_of(one)._watching.done())


async def test_a_suspended_worker_keeps_what_nobody_else_takes(
    pair: Pair, redis: RedisServer
) -> None:
    one, other = pair
    first = await taken(one)
    await suspend(one)
    await until(lambda: not redis.client().keys(f"{one._keys._prefix}:claim:*"))
    wake(one)
    await looked(one)
    assert await runs_on(other) == [first.run_id]
    assert first.evictions == 0


async def test_what_claimants_raise_is_logged(pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(RecordingClaimant):
        def evicted(self) -> None:
            super().evicted()
            raise LookupError

    one, other = pair
    broken = Broken()
    await one.claim("ann", "t", broken)
    evictor = await Waiting.on(other, evict=True)
    await until(lambda: broken.evictions)
    await looked(one)
    assert "LookupError" in caplog.text
    one.release("ann", "t", broken.run_id)
    assert (await evictor.turn()).taken
    assert broken.evictions == 1


async def test_evicted_claimants_hear_of_it_soon(patient: Pair) -> None:
    one, other = patient
    first = await taken(one)
    evictor = Waiting(other, evict=True)
    await until(lambda: first.evictions)
    assert not evictor.task.done()
    evictor.task.cancel()


async def test_claims_cancelled_at_any_time_leave_nothing(patient: Pair) -> None:
    one, other = patient
    first = await taken(one)
    waiting = [Waiting(other) for _ in range(30)]
    for number, claimant in enumerate(waiting):
        asyncio.get_running_loop().call_later(number / 1000, claimant.task.cancel)
    await asyncio.wait([claimant.task for claimant in waiting])
    one.release("ann", "t", first.run_id)
    async with asyncio.timeout(20):
        while await runs_on(one):
            pass
    assert not claims_of(other)._claims


async def test_released_threads_are_free_at_once_for_their_worker(pair: Pair) -> None:
    one, _ = pair
    await one.create(record_of("t"))
    for _ in range(20):
        first = await taken(one)
        one.release("ann", "t", first.run_id)
        assert await one.find("ann", "t") == record_of("t")


async def test_nothing_is_sent_without_claims(pair: Pair, redis: RedisServer) -> None:
    one, _ = pair
    first = await taken(one)
    watching = claims_of(one)._watching
    one.release("ann", "t", first.run_id)
    async with asyncio.timeout(20):
        await watching
    await until(lambda: not redis.client().keys(f"{one._keys._prefix}:*"))
    # And again.
    await taken(one)
    await looked(one)


@pytest.mark.parametrize("cancel", [False, True])
async def test_claims_end_that_are_on_their_way_when_the_store_closes(
    pair: Pair, cancel: bool
) -> None:
    one, other = pair
    claims = claims_of(one)
    claiming = asyncio.ensure_future(one.claim("ann", "t", RecordingClaimant()))
    await asyncio.sleep(0)
    closing = asyncio.ensure_future(one.aclose())
    await asyncio.sleep(0)
    if cancel:
        claiming.cancel()
    await asyncio.wait({claiming, closing})
    assert claiming.cancelled() if cancel else not claiming.result().taken
    assert claims._watching is None
    assert (await Waiting(other).turn()).taken


async def test_queues_of_dead_workers_expire(pair: Pair, redis: RedisServer) -> None:
    one, _ = pair
    await taken(one)
    client: Any = redis.client()
    for key in client.keys(f"{one._keys._prefix}:*"):
        assert 0 < client.ttl(key) <= 60


def test_a_store_serves_several_event_loops(redis: RedisServer) -> None:
    store = RedisThreadStore(redis.url, prefix=uuid4().hex)

    async def claim() -> list[str]:
        claimant = RecordingClaimant()
        await store.claim("ann", "t", claimant)
        runs = await runs_on(store)
        await store.aclose()
        await store.aclose()
        return [*runs, claimant.run_id]

    for _ in range(2):
        run, claimed_by = asyncio.run(claim())
        assert run == claimed_by


# Redis.


async def test_claims_survive_a_redis_that_has_lost_them(own: tuple[RedisServer, Pair]) -> None:
    server, (one, other) = own
    first = await taken(one)
    waiting = await Waiting.on(other)
    server.kill()
    server.start()
    with pytest.raises(StoreUnavailable):
        await waiting.turn()
    await until(lambda: any(server.client().scan_iter("*:claim:*")))
    assert await runs_on(other) == [first.run_id]
    await looked(one)
    assert first.evictions == 0
    one.release("ann", "t", first.run_id)
    later = Waiting(other)
    assert (await later.turn()).taken


async def test_lost_claims_give_way_to_newer_ones(own: tuple[RedisServer, Pair]) -> None:
    server, (one, other) = own
    first = await taken(one)
    await suspend(one)
    server.kill()
    server.start()
    second = await taken(other)
    wake(one)
    await until(lambda: first.evictions)
    assert await runs_on(one) == [second.run_id]
    assert second.evictions == 0


async def test_claims_survive_an_outage(persistent: tuple[RedisServer, Pair]) -> None:
    server, (one, other) = persistent
    await one.create(record_of("t"))
    first = await taken(one)
    waiting = await Waiting.on(other)
    server.kill()
    # Those that wait fail after some seconds, those that have a thread keep it.
    begun = time.monotonic()
    with pytest.raises(StoreUnavailable) as caught:
        await asyncio.wait_for(waiting.task, 10)
    assert time.monotonic() - begun > 1.5
    assert caught.value.__cause__ is not None
    server.start()
    await looked(one, 10)
    record = await other.find("ann", "t")
    assert record is not None
    assert record.status == "busy"
    assert await runs_on(other) == [first.run_id]
    assert first.evictions == 0


async def test_claims_released_in_an_outage_expire(persistent: tuple[RedisServer, Pair]) -> None:
    server, (one, other) = persistent
    first, kept = await taken(one), RecordingClaimant()
    await one.claim("ann", "kept", kept)
    server.kill()
    one.release("ann", "t", first.run_id)
    async with asyncio.timeout(10):
        await until(lambda: not one._parts().link._queue._waiting)
    server.start()
    waiting = Waiting(other)
    assert (await waiting.turn()).taken
    # Although their worker lives.
    assert await runs_on(other, "ann", "kept") == [kept.run_id]


async def test_claims_that_others_remove_are_lost(own: tuple[RedisServer, Pair]) -> None:
    server, (one, other) = own
    first = await taken(one)
    waiting = await Waiting.on(other)
    server.client().flushall()
    await until(lambda: first.evictions)
    with pytest.raises(StoreUnavailable):
        await waiting.turn()
    await until(lambda: claims_of(one)._watching.done())
    assert first.evictions == 1


async def test_a_redis_that_hangs_is_unavailable(own: tuple[RedisServer, Pair]) -> None:
    server, (one, other) = own
    await taken(one)
    waiting, released = await Waiting.on(other), await Waiting.on(other)
    assert server._process is not None
    os.kill(server._process.pid, signal.SIGSTOP)
    try:
        calls = [
            asyncio.ensure_future(call)
            for call in (
                waiting.task,
                one.claim("ann", "new", RecordingClaimant(), wait=True),
                one.touch("ann", "t", route="/", now=1),
                other.check(),
            )
        ]
        await until(lambda: other._parts().link._failures)
        released.release()
        await asyncio.wait(calls, timeout=10)
        for call in calls:
            assert isinstance(call.exception(), StoreUnavailable)
    finally:
        os.kill(server._process.pid, signal.SIGCONT)
    # What was sent meanwhile claims nothing for long.
    async with asyncio.timeout(8):
        while await runs_on(other, "ann", "new"):
            await asyncio.sleep(0.05)


async def test_an_unreachable_redis_is_unavailable(caplog: pytest.LogCaptureFixture) -> None:
    store = RedisThreadStore(f"redis://ann:hunter2@127.0.0.1:{free_port()}/0")
    calls: list[Any] = [
        store.create(record_of("t")),
        store.find("ann", "t"),
        store.touch("ann", "t", route="/", now=1),
        store.delete("ann", "t"),
        store.list("ann"),
        store.claim("ann", "t", RecordingClaimant()),
        store.check(),
    ]
    async with asyncio.timeout(10):
        results = await asyncio.gather(*calls, return_exceptions=True)
        store.release("ann", "t", "run")
        await store.aclose()
    assert [type(result) for result in results] == [StoreUnavailable] * len(calls)
    causes = [error.__cause__ for error in results if isinstance(error, Exception)]
    assert "hunter2" not in caplog.text + repr(store) + repr(results) + repr(causes)


async def test_a_redis_that_refuses_is_not_ready(redis: RedisServer) -> None:
    run: Any = redis.client().execute_command
    user = uuid4().hex
    run("ACL", "SETUSER", user, "on", ">hunter2", "~*", "&*", "+@all", "-zadd")
    store = RedisThreadStore(redis.url.replace("//", f"//{user}:hunter2@"), prefix=uuid4().hex)
    async with asyncio.timeout(10):
        with pytest.raises(StoreUnavailable):
            await store.check()
        run("ACL", "SETUSER", user, "+zadd")
        await store.check()
    await store.aclose()


async def test_a_check_leaves_nothing(pair: Pair, redis: RedisServer) -> None:
    await pair[0].check()
    await until(lambda: not redis.client().keys(f"{pair[0]._keys._prefix}:*"))


# Records.


async def test_records_are_kept_for_a_time(redis: RedisServer) -> None:
    async with stores_on(redis, keep=1) as (one, other):
        client: Any = redis.client()
        prefix = one._keys._prefix
        await one.create(record_of("a"))
        await one.touch("ann", "b", route="/", now=1)

        async with asyncio.timeout(20):
            while await one.find("ann", "b"):  # which expires last
                await other.touch("ann", "c", route="/", now=time.time())
        # A change removes from the list what has expired, whether or not somebody reads it.
        await other.touch("ann", "c", route="/", now=time.time())
        assert client.zrange(f"{prefix}:threads:ann", 0, -1) == [b"c"]
        assert [record.thread_id for record in await other.list("ann")] == ["c"]
        assert await one.create(record_of("a"))
        await until(lambda: not client.keys(f"{prefix}:*"))
        assert await other.list("ann") == []


async def test_lists_forget_what_redis_has_evicted(pair: Pair, redis: RedisServer) -> None:
    one, other = pair
    for thread in "abc":
        await one.create(record_of(thread))
    key = one._keys.thread_records("ann") + b"b"
    client: Any = redis.client()
    client.delete(key)
    assert len(await other.list("ann")) == 2
    assert client.zcard(one._keys.threads("ann")) == 2


@pytest.mark.parametrize("data", ["", "{", "[]", "{}", '{"thread_id": "a"}', "7"])
async def test_invalid_records_are_ignored_and_replaced(
    pair: Pair, redis: RedisServer, data: str
) -> None:
    one, other = pair
    await one.create(record_of("a"))
    redis.client().set(one._keys.thread_records("ann") + b"a", data)
    assert await other.find("ann", "a") is None
    assert await other.list("ann") == []
    record = await other.touch("ann", "a", route="/", now=1)
    assert record == record_of("a", route="/", created=1, updated=1)
    assert await one.find("ann", "a") == record


async def test_a_lost_reply_does_not_matter(pair: Pair) -> None:
    """What is sent a second time does nothing again, and has the same reply."""
    one, other = pair
    link: Any = one._parts().link
    run = link._connection.run

    async def run_twice(batch: Any) -> Any:
        await run(batch)
        return await run(batch)

    link._connection.run = run_twice
    assert await one.create(record_of("a"))
    assert not await one.create(record_of("a"))
    record = await one.touch("ann", "a", route="/", now=1, run_id="1")
    assert record.runs == ("1",)
    first = await taken(one)
    waiting = await Waiting.on(one)
    assert await runs_on(other) == [first.run_id, waiting.run_id]
    one.release("ann", "t", first.run_id)
    assert (await waiting.turn()).taken


# Options.


def test_options_are_checked() -> None:
    with pytest.raises(ValueError, match="at least 2 seconds"):
        RedisThreadStore("redis://h", lease=1)
    for keep in (0, -1.0):
        with pytest.raises(ValueError, match="positive seconds or None"):
            RedisThreadStore("redis://h", keep=keep)
    with pytest.raises(ValueError, match=r"not 'redis://ann:\*\*\*@h:nope/0'") as caught:
        RedisThreadStore("redis://ann:hunter#2@h:nope/0")
    assert "hunter" not in repr(caught.value)
    assert caught.value.__suppress_context__
    store = RedisThreadStore("redis://ann:hunter2@h/0?prefix=shop")
    assert repr(store) == "RedisThreadStore('redis://ann:***@h/0')"
    assert store._keys.threads("a") == Keys("shop").threads("a")
    assert not store.local


async def test_claims_that_are_all_released_between_two_looks_are_no_fault(
    pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    one, _ = pair
    claimant = RecordingClaimant()
    assert (await one.claim("s", "t", claimant)).taken
    watching = claims_of(one)._watching
    await asyncio.sleep(0)  # it has looked whether there are claims
    one.release("s", "t", claimant.run_id)
    async with asyncio.timeout(20):
        await watching
    assert caplog.text == ""
