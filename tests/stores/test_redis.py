"""RedisStore: outages, losses of data, orphaned runs, and what several workers share."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from redis.exceptions import MovedError, RedisError

from asgi_stream import Limits, Resume, StreamApp
from asgi_stream.errors import StoreUnavailable, TooManyOwned
from asgi_stream.stores import OwnershipLost, Page, Quota, RunRecord
from asgi_stream.stores._redis.backlog import Backlog
from asgi_stream.stores._redis.commands import Names
from asgi_stream.stores._redis.encoding import decode_frames
from asgi_stream.stores._redis.errors import NotSupported, ProblemLog
from asgi_stream.stores._redis.keys import split_prefix
from asgi_stream.stores._redis.lookup import SKIPPED
from asgi_stream.stores.redis import RedisStore
from asgi_stream.testing import RecordingFollower, RecordingProducer, read_frames
from asgi_stream.testing.take_over_checks import successor

from ..asgi import JSON, Exchange, frames, get, post
from ..clients import until
from ..redis_server import RedisServer, redis_server, settled
from ..resume.test_stored_runs import Speaker, app_of, error_code
from ..servers import free_port

pytestmark = pytest.mark.anyio


@pytest.fixture
async def pair(redis: RedisServer) -> AsyncIterator[tuple[RedisStore, RedisStore]]:
    prefix = settled(redis)
    one, other = (RedisStore(redis.url, prefix=prefix, lease=2, patience=2) for _ in range(2))
    yield one, other
    for each in (one, other):
        wake(each)
        await each.aclose()


def suspend(store: RedisStore) -> None:
    """Suspend a store's worker: it sends nothing to Redis until `wake`."""
    link: Any = store._worker().link
    queue = link._queue
    link.woken = asyncio.Event()

    async def hold(batch: list[Any]) -> None:
        queue._waiting = batch + queue._waiting
        await link.woken.wait()

    queue._schedule = lambda at: None
    queue._send = link._send_batch = hold


def wake(store: RedisStore) -> None:
    link: Any = store._worker().link
    queue = link._queue
    if hasattr(link, "woken"):
        link.woken.set()
        del queue._schedule, link._send_batch, link.woken
        queue._send = link._send_batch
        queue.flush()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://h/0", ("redis://h/0", "")),
        ("redis://h/0?prefix=shop", ("redis://h/0", "shop")),
        ("redis://h?db=1&prefix=shop", ("redis://h?db=1", "shop")),
        ("redis://h?db=1", ("redis://h?db=1", "")),
    ],
)
def test_a_url_may_have_a_prefix(url: str, expected: tuple[str, str]) -> None:
    assert split_prefix(url) == expected


@pytest.mark.parametrize(
    ("query", "options"),
    [("?decode_responses=True", {}), ("", {"decode_responses": True})],
    ids=["url", "option"],
)
async def test_a_url_for_clients_that_read_texts_serves_too(
    redis: RedisServer, query: str, options: dict[str, Any]
) -> None:
    store = RedisStore(redis.url + query, prefix=settled(redis), **options)
    producer = RecordingProducer(store)
    await producer.create()
    await producer.append("ä".encode(), end=True)
    assert await read_frames(store, producer.run_id) == producer.frames
    record = await store.find(producer.run_id)
    assert record is not None
    await store.aclose()


def test_published_frames_are_decoded() -> None:
    assert decode_frames(b"7 0 0 2 4\na\n\n\n\x00b") == (7, [b"", b"a\n", b"\n\n\x00b"], False)
    assert decode_frames(b"7 1 1\na") == (7, [b"a"], True)
    for message in (b"7 1 1\n", b"7 1 1\nab", b"7", b"seven 1 1\na", b"\xff"):
        with pytest.raises(ValueError, match=r"add up|unpack|int"):
            decode_frames(message)


async def test_creating_the_same_run_twice_is_refused(pair: tuple[RedisStore, RedisStore]) -> None:
    producer = RecordingProducer(pair[0])
    await producer.create()
    with pytest.raises(OwnershipLost):
        await pair[1].create(producer, keep=60)
    await producer.append(b"a", end=True)


async def test_a_suspended_worker_loses_its_run(
    pair: tuple[RedisStore, RedisStore],
) -> None:
    one, other = pair
    producer, follower = RecordingProducer(one), RecordingFollower()
    await producer.create()
    await producer.append(b"a")
    await other.follow(producer.run_id, follower)
    suspend(one)
    page = await other.read(producer.run_id, 1)
    assert page is not None
    assert page.final is None
    async with asyncio.timeout(8):
        while page is not None and page.final is None:
            await asyncio.sleep(0.05)
            page = await other.read(producer.run_id, 1)
    record = await other.find(producer.run_id)
    assert page is not None
    assert page.final == 2
    assert record is not None
    assert (record.state, record.code, record.ended) == ("failed", "worker_lost", None)
    assert follower.looks
    end = replace(record, ended=5.0)
    await other.finalize_orphan(producer.run_id, 1, 2, [b"lost"], end)
    with pytest.raises(OwnershipLost):
        await other.finalize_orphan(producer.run_id, 1, 2, [b"lost again"], end)
    assert await other.find(producer.run_id) == replace(end, frames=2)
    wake(one)
    await until(lambda: isinstance(producer.errors[-1], OwnershipLost))
    assert await read_frames(other, producer.run_id) == [b"a", b"lost"]
    assert await other.find(producer.run_id) == replace(end, frames=2)


async def test_a_run_whose_origin_is_lost_is_taken_over_without(
    pair: tuple[RedisStore, RedisStore], redis: RedisServer
) -> None:
    one, other = pair
    producer, follower = RecordingProducer(one), RecordingFollower()
    await producer.create(origin=b"origin")
    await producer.append(b"a")
    suspend(one)
    keys = one._keys.of_run(producer.run_id)
    redis.client().delete(keys.lease, keys.origin)
    heir = successor(producer, other)
    assert await other.take_over(heir, 1, [b"again"]) is None
    heir.frames.append(b"again")
    await other.follow(heir.run_id, follower)
    # What it publishes itself is no news, though it may still be subscribed.
    for data in (b"", b"3 0 1\nx"):
        other._worker().readers.on_published(heir.run_id, data)
    assert (follower.frames, follower.looks) == ([], 0)
    wake(one)
    await producer.append(b"b")
    assert isinstance(producer.errors[-1], OwnershipLost)
    await heir.append(b"c", end=True)
    assert await read_frames(other, heir.run_id) == [b"a", b"again", b"c"]


async def test_frames_of_a_suspended_worker_are_not_written_after_the_end(
    pair: tuple[RedisStore, RedisStore], redis: RedisServer
) -> None:
    one, other = pair
    producer = RecordingProducer(one)
    await producer.create()
    await producer.append(b"a")
    record = await other.find(producer.run_id)
    assert record is not None
    suspend(one)
    redis.client().delete(one._keys.of_run(producer.run_id)[2])  # the lease
    await other.finalize_orphan(producer.run_id, 1, 2, [b"lost"], replace(record, ended=5.0))
    follower = RecordingFollower()
    await one.follow(producer.run_id, follower)
    wake(one)
    await producer.append(b"b", b"c")
    assert isinstance(producer.errors[-1], OwnershipLost)
    assert follower.looks
    assert not follower.errors
    assert await read_frames(other, producer.run_id) == [b"a", b"lost"]


async def test_a_stop_request_arrives_without_its_message(
    pair: tuple[RedisStore, RedisStore], redis: RedisServer
) -> None:
    producer = RecordingProducer(pair[0])
    await producer.create()
    redis.client().set(pair[0]._keys.of_run(producer.run_id)[3], 1)
    await until(lambda: producer.stopped)
    await producer.append(b"", end=True)


async def test_a_worker_that_stops_announcing_readers_has_none(
    pair: tuple[RedisStore, RedisStore],
) -> None:
    producer = RecordingProducer(pair[0])
    await producer.create()
    await producer.append(b"a")
    await pair[1].follow(producer.run_id, RecordingFollower())
    await until(lambda: producer.readers[-1:] == [1])
    suspend(pair[1])
    await until(lambda: producer.readers[-1] == 0)
    wake(pair[1])
    await until(lambda: producer.readers[-1] == 1)
    await producer.append(b"b", end=True)


async def test_everything_of_a_long_run_is_extended(redis: RedisServer, monkeypatch: Any) -> None:
    monkeypatch.setattr("asgi_stream.stores._redis.worker.BEATS_PER_EXTENSION", 1)
    store = RedisStore(redis.url, prefix=settled(redis))
    producer = RecordingProducer(store, owner="ann", keep=60)
    await producer.create(key="k", conversation_id="p")
    await producer.append(b"a")
    keys, client = store._keys, redis.client()
    log, run, *_ = keys.of_run(producer.run_id)
    names = [log, run, keys.owner("ann"), keys.name("k"), keys.name("p")]
    for name in names:
        client.expire(name, 20)
    await until(lambda: all(client.ttl(name) > 100 for name in names))
    await producer.append(b"", end=True)
    own = [name for name in names if name != keys.owner("ann")]
    assert all(50 < client.ttl(name) <= 60 for name in own)
    await store.aclose()


async def test_the_end_of_a_short_run_does_not_shorten_the_expiry_of_others(
    redis: RedisServer,
) -> None:
    store = RedisStore(redis.url, prefix=settled(redis))
    short, long = (
        RecordingProducer(store, owner="ann", keep=1),
        RecordingProducer(store, owner="ann", keep=60),
    )
    await short.create(conversation_id="chat")
    await short.append(b"a")
    await long.create(conversation_id="chat")
    await long.append(b"a")
    await short.append(b"b", end=True)
    client, keys = redis.client(), store._keys
    for name in (keys.name("chat"), keys.owner("ann"), keys.of_run(long.run_id)[0]):
        assert client.ttl(name) > 100
    assert await store.named("chat") == long.run_id
    async with asyncio.timeout(20):
        while await store.find(short.run_id) is not None:
            await asyncio.sleep(0.05)
    # Nobody has listed the owner's runs; creating the next one removes those that have expired.
    await RecordingProducer(store, owner="ann", keep=60).create()
    assert short.run_id.encode() not in client.zrange(keys.owner("ann"), 0, -1)
    await long.append(b"b", end=True)
    await store.aclose()


async def test_redis_goes_away_for_longer_than_the_patience(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with redis_server(tmp_path) as server:
        one, other = (RedisStore(server.url, lease=2, patience=1) for _ in range(2))
        producer, follower = RecordingProducer(one), RecordingFollower()
        await producer.create()
        await producer.append(b"a")
        await other.follow(producer.run_id, follower)
        server.kill()
        await producer.append(b"b")
        assert isinstance(producer.errors[-1], StoreUnavailable)
        assert not follower.errors
        for request in (
            one.named("x"),
            one.find(producer.run_id),
            one.owned("x"),
            other.read(producer.run_id, 0),
            other.stop(producer.run_id),
            other.follow(producer.run_id, RecordingFollower()),
            other.follow(str(uuid4()), RecordingFollower()),
            RecordingProducer(other).create(),
        ):
            with pytest.raises(StoreUnavailable):
                await request
        other.unfollow(producer.run_id, follower)
        await asyncio.sleep(0.1)
        server.start()
        again = RecordingProducer(other)
        await again.create()
        await again.append(b"a", end=True)
        assert await read_frames(one, again.run_id) == [b"a"]
        for each in (one, other):
            await each.aclose()
    assert "the store does not respond; retrying" in caplog.text
    assert "the store's pub/sub connection was lost; reconnecting" in caplog.text


async def test_redis_comes_back_without_its_data(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        one, other = (RedisStore(server.url, lease=2) for _ in range(2))
        producer, follower = RecordingProducer(one, owner="ann"), RecordingFollower()
        await producer.create(key="key", conversation_id="chat", quota=Quota("ann", 1))
        await producer.append(b"a")
        await producer.append(b"b", b"c")
        ended = RecordingProducer(one, owner="ann")
        await ended.create()
        await ended.append(b"x")
        await ended.append(b"y", end=True)
        await other.follow(producer.run_id, follower)
        server.kill()
        writing = asyncio.ensure_future(producer.append(b"d"))
        reading = asyncio.ensure_future(other.read(producer.run_id, 3))
        await asyncio.sleep(0.2)
        server.start()
        # Lookups wait until the run has been rewritten.
        record = await other.find(producer.run_id)
        assert record is not None
        assert record.frames >= 3
        await writing
        page = await reading
        assert page is not None
        assert page.final is None
        assert await read_frames(other, producer.run_id) == producer.frames
        record = await other.find(ended.run_id)
        assert record is not None
        assert record.state == "done"
        async with asyncio.timeout(20):
            while (page := await other.read(ended.run_id, 0)) is None or not page.ended:
                await asyncio.sleep(0.02)
        assert list(page.frames) == [b"x", b"y"]
        assert [each.run_id for each in await other.owned("ann")] == [ended.run_id, producer.run_id]
        assert await other.named("key") == await other.named("chat") == producer.run_id
        with pytest.raises(TooManyOwned):
            await RecordingProducer(other).create(quota=Quota("ann", 1))
        await until(lambda: follower.looks)
        await producer.append(b"e", end=True)
        await RecordingProducer(other).create(quota=Quota("ann", 1))
        assert set(producer.errors) == {None}
        other.unfollow(producer.run_id, follower)
        for each in (one, other):
            await each.aclose()


async def test_redis_loses_everything_while_connected(
    pair: tuple[RedisStore, RedisStore], redis: RedisServer
) -> None:
    """As with ``FLUSHALL`` or an eviction: no connection is lost."""
    one, other = pair
    producer, ended = RecordingProducer(one), RecordingProducer(one)
    for each in (producer, ended):
        await each.create()
        await each.append(b"a")
        await each.append(b"b", end=each is ended)
    client = redis.client()
    prefix = one._keys.server.rpartition(b":")[0]
    client.delete(*client.scan_iter(prefix + b":*"))
    for each in (ended, producer):
        record = await other.find(each.run_id)
        assert record is not None
        assert record.frames == 2
    await until_complete(other, ended)
    await producer.append(b"c", end=True)
    await until_complete(other, producer)
    assert await other.find(str(uuid4())) is None


async def until_complete(store: RedisStore, producer: RecordingProducer) -> None:
    async with asyncio.timeout(20):
        while (page := await store.read(producer.run_id, 0)) is None or not page.ended:
            await asyncio.sleep(0.02)
    assert list(page.frames) == producer.frames


@pytest.mark.parametrize("backlog", [4, 67_108_864], ids=["lost", "held"])
async def test_an_older_log_is_completed_or_has_a_gap(redis: RedisServer, backlog: int) -> None:
    prefix = settled(redis)
    store = RedisStore(redis.url, prefix=prefix, backlog=backlog)
    producer = RecordingProducer(store)
    await producer.create()
    for n in range(1, 9):
        await producer.append(b"%d" % n)
    client, log = redis.client(), store._keys.of_run(producer.run_id)[0]
    snapshot = client.dump(log) or b""
    for n in range(9, 17):
        await producer.append(b"%d" % n)
    client.restore(log, 0, snapshot, replace=True)
    await producer.append(b"17", b"18")
    if backlog > 4:
        assert await read_frames(store, producer.run_id) == producer.frames
    else:
        page = await store.read(producer.run_id, 0)
        assert page is not None
        assert (list(page.frames), page.more) == (producer.frames[:8], True)
        page = await store.read(producer.run_id, 8)
        assert page is not None
        assert page.first > 9
        assert list(page.frames) == producer.frames[page.first - 1 :]
    assert set(producer.errors) == {None}
    await producer.append(b"end", end=True)
    # Finished runs are dropped first.
    again = RecordingProducer(store)
    await again.create()
    await again.append(b"12345")
    assert len(store._worker().backlog.finished()) == (1 if backlog > 4 else 0)
    await again.append(b"end", end=True)
    await store.aclose()


async def test_an_orphan_is_finalized_beyond_the_ids_that_may_have_been_read(
    redis: RedisServer,
) -> None:
    prefix = settled(redis)
    one, other = (RedisStore(redis.url, prefix=prefix, lease=2) for _ in range(2))
    producer = RecordingProducer(one)
    await producer.create()
    await producer.append(b"a")
    suspend(one)
    # The record was written to another Redis than this one: later frames may be lost.
    client, run = redis.client(), one._keys.of_run(producer.run_id)[1]
    written = json.loads(client.get(run) or b"")
    client.set(run, json.dumps({**written, "server": "before"}))
    async with asyncio.timeout(8):
        while (page := await other.read(producer.run_id, 1)) is None or page.final is None:
            await asyncio.sleep(0.05)
    record = await other.find(producer.run_id)
    assert record is not None
    assert not record.certain
    assert page.final == 2 + SKIPPED
    # Also for somebody who has read more than Redis has now.
    ahead = await other.read(producer.run_id, 7)
    assert ahead is not None
    assert ahead.final == 8 + SKIPPED
    await other.finalize_orphan(
        producer.run_id, 7, 8 + SKIPPED, [b"lost"], replace(record, ended=5.0)
    )
    page = await other.read(producer.run_id, 1)
    assert page is not None
    assert (page.first, list(page.frames), page.ended) == (8 + SKIPPED, [b"lost"], True)
    wake(one)
    for each in (one, other):
        await each.aclose()


REFUSALS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "full": (("CONFIG SET", "maxmemory", "1"), ("CONFIG SET", "maxmemory", "0")),
    "read-only": (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE")),
    "no replicas": (
        ("CONFIG SET", "min-replicas-to-write", "1"),
        ("CONFIG SET", "min-replicas-to-write", "0"),
    ),
    "not allowed": (("ACL SETUSER", "default", "-xadd"), ("ACL SETUSER", "default", "+xadd")),
    "no scripts": (
        ("ACL SETUSER", "default", "-@scripting"),
        ("ACL SETUSER", "default", "+@scripting"),
    ),
}


@pytest.mark.parametrize("how", REFUSALS)
async def test_transient_refusals_are_retried(tmp_path: Path, how: str) -> None:
    refuse, accept = REFUSALS[how]
    with redis_server(tmp_path) as server:
        one, other = (RedisStore(server.url, lease=2) for _ in range(2))
        producer, follower = RecordingProducer(one), RecordingFollower()
        await producer.create()
        await producer.append(b"a")
        await other.follow(producer.run_id, follower)
        await one.check()
        run: Any = server.client().execute_command
        run(*refuse)
        writing = asyncio.ensure_future(producer.append(b"b"))
        # For longer than the lease, but the run must not count as orphaned.
        await asyncio.sleep(2.5)
        assert not writing.done()
        assert not follower.frames
        with pytest.raises(StoreUnavailable):
            await one.check()
        if how != "not allowed":
            with pytest.raises(StoreUnavailable):
                await RecordingProducer(one).create()
        record = await other.find(producer.run_id)
        assert record is not None
        finalizing = asyncio.ensure_future(
            other.finalize_orphan(producer.run_id, 1, 2, [b"lost"], replace(record, ended=1.0))
        )
        await asyncio.sleep(0.2)
        run(*accept)
        with pytest.raises(OwnershipLost):
            await finalizing
        await writing
        await producer.append(b"c", end=True)
        assert producer.errors == [None, None, None]
        assert await read_frames(other, producer.run_id) == [b"a", b"b", b"c"]
        for each in (one, other):
            await each.aclose()


async def test_a_refusal_beyond_the_patience_ends_only_the_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with redis_server(tmp_path) as server:
        store = RedisStore(server.url, patience=0.5, prefix=settled(server))
        producer, follower = RecordingProducer(store), RecordingFollower()
        await producer.create()
        await store.follow(producer.run_id, follower)
        server.client().config_set("min-replicas-to-write", 1)
        await producer.append(b"a")
        assert isinstance(producer.errors[-1], StoreUnavailable)
        assert follower.errors == [producer.errors[-1]]
        assert not follower.frames
        assert await store.named("x") is None
        server.client().config_set("min-replicas-to-write", 0)
        again = RecordingProducer(store)
        await again.create()
        await again.append(b"a", end=True)
        assert await read_frames(store, again.run_id) == [b"a"]
        await store.aclose()
    assert caplog.text.count("the store rejects commands; retrying") == 1


async def test_scripts_are_loaded_again_after_a_flush(redis: RedisServer) -> None:
    store = RedisStore(redis.url, prefix=settled(redis))
    producer = RecordingProducer(store)
    await producer.create()
    redis.client().script_flush()
    await producer.append(b"a")
    await producer.append(b"b", end=True)
    assert await read_frames(store, producer.run_id) == [b"a", b"b"]
    await store.aclose()


async def test_a_cluster_and_a_sentinel_are_refused_with_an_explanation(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    options = ("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    with redis_server(tmp_path, options=options) as server:
        store = RedisStore(server.url)
        with pytest.raises(StoreUnavailable):
            await RecordingProducer(store).create()
        with pytest.raises(StoreUnavailable):
            await store.check()
        await store.aclose()
    assert caplog.text.count("a node of a Redis Cluster, which RedisStore does not support") == 1
    assert "use the URL of the Redis server itself" in str(NotSupported("sentinel"))


async def test_a_claim_that_is_not_confirmed_is_released(
    pair: tuple[RedisStore, RedisStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = pair

    async def unreachable(*_: Any) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(one._parts().creation, "_begin", unreachable)
    with pytest.raises(StoreUnavailable):
        await RecordingProducer(one).create(key="key")
    monkeypatch.undo()
    retry, joining = RecordingProducer(other), RecordingProducer(one)
    assert await retry.create(key="key") == retry.run_id
    # A second request waits while a run is being created.
    assert await joining.create(key="key") == retry.run_id
    assert await one.named("key") == retry.run_id


async def test_followers_join_at_once_and_unknown_ones_leave(
    pair: tuple[RedisStore, RedisStore],
) -> None:
    producer = RecordingProducer(pair[0])
    await producer.create()
    followers = [RecordingFollower() for _ in range(3)]
    another = RecordingProducer(pair[0])
    await another.create()
    await asyncio.gather(
        *(pair[1].follow(producer.run_id, follower) for follower in followers),
        pair[1].follow(another.run_id, RecordingFollower()),
    )
    await until(lambda: producer.readers[-1:] == another.readers[-1:] == [1])
    await another.append(b"", end=True)
    pair[1].unfollow(producer.run_id, RecordingFollower())
    pair[1].unfollow("no such run", RecordingFollower())
    await producer.append(b"a")
    await until(lambda: all(follower.frames == [b"a"] for follower in followers))
    await producer.append(b"b", end=True)


async def test_an_unknown_error_of_redis_is_retried(
    redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    store = RedisStore(redis.url, prefix=settled(redis), patience=0.5)
    redis.client().set(store._keys.of_run("r")[0], "not a stream")
    producer = RecordingProducer(store)
    await producer.create()
    link = store._worker().link

    async def broken(batch: Any) -> Any:
        raise RedisError("odd")

    link._connection.run = broken  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailable):
        await store.named("x")
    assert "the store rejects commands; retrying: RedisError: odd" in caplog.text
    del link._connection.run
    await producer.append(b"a", end=True)
    await store.aclose()
    await store.aclose()


async def test_a_wrong_password_is_an_outage(redis: RedisServer) -> None:
    run: Any = redis.client().execute_command
    run("ACL", "SETUSER", "ann", "on", ">right", "~*", "&*", "+@all")
    store = RedisStore(redis.url.replace("redis://", "redis://ann:wrong@"))
    with pytest.raises(StoreUnavailable):
        await RecordingProducer(store).create()
    await store.aclose()
    store = RedisStore(redis.url.replace("redis://", "redis://ann:right@"))
    producer = RecordingProducer(store)
    assert await producer.create() == producer.run_id
    await producer.append(b"a", end=True)
    await store.aclose()


async def test_cancelled_requests_affect_no_others(redis: RedisServer) -> None:
    store = RedisStore(redis.url, prefix=settled(redis))
    for _ in range(20):
        asking = asyncio.ensure_future(store.named("x"))
        await asyncio.sleep(0)
        asking.cancel()
    producers = [RecordingProducer(store) for _ in range(150)]
    await asyncio.gather(*(producer.create() for producer in producers))
    await asyncio.gather(*(producer.append(b"first") for producer in producers))
    await asyncio.gather(*(producer.append(*[b"a"] * 20) for producer in producers))
    await asyncio.gather(*(producer.append(b"b", end=True) for producer in producers))
    for producer in producers:
        assert await read_frames(store, producer.run_id) == producer.frames
    await store.aclose()


# The same, through apps.


async def test_a_reader_gets_worker_lost(
    pair: tuple[RedisStore, RedisStore], caplog: pytest.LogCaptureFixture
) -> None:
    speaker = Speaker()
    one, other = (app_of(store, speaker) for store in pair)
    async with Exchange(one, "POST", "/chat", "hi", headers=JSON) as first:
        speaker.say("a")
        await first.until(b'"a"')
        path = f"/chat/runs/{first.headers['x-run-id']}"
        async with Exchange(other, "GET", path) as second, Exchange(other, "GET", path) as third:
            await second.until(b'"a"')
            await third.until(b'"a"')
            suspend(pair[0])
            await second.finished()
            await third.finished()
        assert second.body == third.body
        assert frames(second.body)[1]["error"]["code"] == "worker_lost"
        speaker.say("b")
        wake(pair[0])
        await first.finished()
        assert first.body == second.body
    await until(lambda: not one._loops.current.runs)
    assert speaker.cancelled == 1
    assert "aborted: its lease expired and another worker has it" in caplog.text


async def test_readers_get_store_unavailable(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        speaker = Speaker()
        stores = [RedisStore(server.url, lease=2, patience=0.5) for _ in range(2)]
        apps: list[StreamApp] = [app_of(store, speaker) for store in stores]
        async with Exchange(apps[0], "POST", "/chat", "hi", headers=JSON) as first:
            speaker.say("a")
            await first.until(b'"a"')
            path = f"/chat/runs/{first.headers['x-run-id']}"
            async with Exchange(apps[1], "GET", path) as second:
                await second.until(b'"a"')
                server.kill()
                speaker.say("b")
                await first.finished()
                await second.finished()
        for each in (first, second):
            token, error, done = frames(each.body)
            assert (token, done) == ({"token": "a"}, "[DONE]")
            assert error["error"]["code"] == "store_unavailable"
        refused = await post(apps[0], "/chat", "hi")
        assert (refused.status, error_code(refused)) == (503, "store_unavailable")
        assert (await get(apps[1], path)).status == 503
        assert apps[0]._loops._running["/chat"] == 0
        for store in stores:
            await store.aclose()


async def test_a_shutdown_does_not_wait_for_a_redis_that_does_not_respond(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with redis_server(tmp_path) as server:
        speaker, loop = Speaker(), asyncio.get_running_loop()
        app = app_of(RedisStore(server.url), speaker, limits=Limits(grace=0.1))
        async with Exchange(app, "POST", "/chat", "hi", headers=JSON) as first:
            speaker.say("a")
            await first.until(b'"a"')
            server.client().client_pause(20_000)
            begun = loop.time()
            closing = asyncio.ensure_future(app.aclose())
            await first.until(b"[DONE]")
            assert not closing.done()  # which waits for Redis
            await first.finished()
        token, error, done = frames(first.body)
        assert (token, error["error"]["code"], done) == ({"token": "a"}, "shutdown", "[DONE]")
        await closing
        assert loop.time() - begun < 10
    assert app._loops.current.runs == set()
    assert "aborted: its store does not accept its frames" in caplog.text


async def test_what_has_no_reply_fails_when_the_store_is_closed(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        store = RedisStore(server.url)
        await store.check()
        server.client().client_pause(20_000)
        link = store._worker().link
        reply = asyncio.ensure_future(link.execute(("PING",), patience=20.0))
        await until(lambda: link._unresolved)
        await store.aclose()
        with pytest.raises(StoreUnavailable):
            await reply


async def test_an_orphan_cannot_be_finalized_while_redis_is_away(
    pair: tuple[RedisStore, RedisStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    speaker = Speaker()
    one, other = (app_of(store, speaker) for store in pair)

    async def unreachable(*_: Any) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(pair[1], "finalize_orphan", unreachable)
    async with Exchange(one, "POST", "/chat", "hi", headers=JSON) as first:
        speaker.say("a")
        await first.until(b'"a"')
        path = f"/chat/runs/{first.headers['x-run-id']}"
        async with Exchange(other, "GET", path) as second:
            await second.until(b'"a"')
            suspend(pair[0])
            await second.finished()
        assert frames(second.body)[1]["error"]["code"] == "store_unavailable"
        wake(pair[0])
        speaker.say(None)
        await first.finished()
    assert frames(first.body) == [{"token": "a"}, "[DONE]"]


def test_resume_names_the_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asgi_stream.stores.redis", None)
    [problem] = Resume(store="redis://h").problems()
    assert problem.startswith("resume.store: ")


def _breaks(replies: Any) -> None:
    raise RuntimeError("a bug")


async def test_invalid_replies_and_messages_do_not_stop_the_store(
    pair: tuple[RedisStore, RedisStore],
    redis: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    store, other = pair
    producer, follower = RecordingProducer(store), RecordingFollower()
    await producer.create()
    await producer.append(b"a")
    await other.follow(producer.run_id, follower)
    here, client = other._worker(), redis.client()
    # Messages that this package does not send.
    for channel in (here._keys.worker(here.id), here._keys.frames(producer.run_id)):
        for message in (b"\xff", b"stop", b"nonsense of all kinds", b"1 0 9\nx"):
            client.publish(channel, message)
    client.publish(store._worker()._keys.worker(store._worker().id), f"odd {producer.run_id} x")
    # Replies that cannot be parsed or processed.
    run, link = here.link._connection.run, here.link
    broken = [ValueError("not a reply"), KeyError("x")]

    async def odd(batch: list[Any]) -> list[Any]:
        if broken:
            raise broken.pop()
        return await run(batch)

    monkeypatch.setattr(link._connection, "run", odd)
    assert await other.named("x") is None
    link.submit([("GET", "x")], _breaks, patience=1)
    # Arguments that cannot be encoded do not affect other requests of the batch.
    unsendable = asyncio.gather(
        link.execute(("GET", "\ud800"), patience=1),
        link.execute(("GET", object()), patience=1),
        other.named("y"),
        return_exceptions=True,
    )
    results = await unsendable
    assert [type(result) for result in results] == [StoreUnavailable, StoreUnavailable, type(None)]
    with pytest.raises(StoreUnavailable):
        await link.execute(("GET", "\ud800"), patience=1)

    async def fails() -> None:
        raise RuntimeError("a bug beside")

    link.spawn(fails())
    monkeypatch.setattr(here.readers, "announce", fails)
    await until(lambda: "periodic check of the store failed" in caplog.text)
    monkeypatch.undo()
    await producer.append(b"b")
    await until(lambda: follower.frames == [b"b"])
    await producer.append(b"c", end=True)
    await until(lambda: follower.ended)
    assert "the store has published an invalid message" in caplog.text
    assert "failed to process a reply from the store" in caplog.text
    assert "a bug beside" in caplog.text


async def test_a_lease_that_cannot_be_renewed_affects_one_run_only(
    pair: tuple[RedisStore, RedisStore], caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(RecordingProducer):
        broken = False

        @property
        def record(self) -> RunRecord:
            if self.broken:
                raise RuntimeError("no record")
            return self._record

        @record.setter
        def record(self, record: RunRecord) -> None:
            self._record = record

    store = pair[0]
    broken, other = Broken(store), RecordingProducer(store)
    await broken.create()
    await other.create()
    await broken.append(b"a")
    broken.broken = True
    await until(lambda: "the store failed to renew the lease of a run" in caplog.text)
    broken.broken = False
    await other.append(b"a", end=True)
    await broken.append(b"b", end=True)


async def test_a_run_that_fails_to_begin_leaves_nothing_behind(
    pair: tuple[RedisStore, RedisStore], redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, other = pair
    creation = store._parts().creation
    begin = creation._begin

    async def cut(run: Any) -> None:
        await begin(run)
        raise StoreUnavailable

    monkeypatch.setattr(creation, "_begin", cut)
    failed, quota = RecordingProducer(store, owner="ann"), Quota("ann", 1)
    with pytest.raises(StoreUnavailable):
        await failed.create(quota=quota)
    monkeypatch.undo()
    async with asyncio.timeout(20):
        while await other.find(failed.run_id) is not None:
            await asyncio.sleep(0.01)
    assert await other.owned("ann") == []
    assert await RecordingProducer(other).create(quota=quota)


async def test_a_user_may_lack_permissions(redis: RedisServer) -> None:
    run: Any = redis.client().execute_command
    run("ACL", "SETUSER", "quiet", "on", ">x", "~*", "&*", "+@all", "-info")
    run("ACL", "SETUSER", "mute", "on", ">x", "~*", "&*", "+@all", "-@scripting")
    url = redis.url.replace("redis://", "redis://{}:x@")
    prefix = uuid4().hex
    one, other = (RedisStore(url.format("quiet"), prefix=prefix, lease=2) for _ in range(2))
    producer, follower = RecordingProducer(one), RecordingFollower()
    await producer.create()
    await producer.append(b"a")
    await other.follow(producer.run_id, follower)
    await until(lambda: producer.readers[-1:] == [1])
    client = redis.client()
    client.delete(*client.scan_iter(f"{prefix}:*"))
    await producer.append(b"b", end=True)
    assert await read_frames(other, producer.run_id) == [b"a", b"b"]
    await until(lambda: follower.ended)
    store = RedisStore(url.format("mute"), prefix=prefix)
    with pytest.raises(StoreUnavailable):
        await store.check()
    for each in (one, other, store):
        await each.aclose()


def test_cluster_errors_are_logged_once_with_an_explanation(
    caplog: pytest.LogCaptureFixture,
) -> None:
    problems = ProblemLog()
    for _ in range(2):
        problems.warn("the store cannot be used", MovedError("1 127.0.0.1:7000"))
    assert caplog.text.count("a node of a Redis Cluster") == 1
    problems.over()
    problems.over()


async def test_a_subscription_survives_a_broken_connection(
    pair: tuple[RedisStore, RedisStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    producer, other = RecordingProducer(pair[0]), RecordingProducer(pair[0])
    await producer.create()
    await other.create()
    await pair[1].follow(producer.run_id, RecordingFollower())
    messages: Any = pair[1]._worker().link.subscriptions

    async def broken(*_: Any) -> None:
        await messages._connection.connection.disconnect()
        raise ConnectionError("cut")

    monkeypatch.setattr(messages._connection, "subscribe", broken)
    follower = RecordingFollower()
    await pair[1].follow(other.run_id, follower)
    await other.append(b"a", end=True)
    await until(lambda: follower.ended or follower.looks)


async def test_a_crowd_of_requests_does_not_wait_for_the_interval(
    pair: tuple[RedisStore, RedisStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asgi_stream.stores._redis.queue.BATCH", 10)
    names = await asyncio.gather(*(pair[0].named(f"{n}") for n in range(150)))
    assert names == [None] * 150


async def test_finished_runs_are_rewritten_when_another_worker_notices_a_loss(
    pair: tuple[RedisStore, RedisStore], redis: RedisServer
) -> None:
    one, other = pair
    ended = RecordingProducer(one, keep=3)
    await ended.create()
    await ended.append(b"a")
    await ended.append(b"b", end=True)
    client, here = redis.client(), one._worker()
    # Its own beat sees nothing wrong: the other worker has noticed the loss first.
    client.delete(*one._keys.of_run(ended.run_id))
    await other._worker().health.announce_loss(1)
    record = await other.find(ended.run_id)
    assert record is not None
    assert record.state == "done"
    await until_complete(other, ended)
    assert here.backlog
    await until(lambda: not here.backlog)


async def test_a_recovery_that_fails_starts_again_at_the_next_beat(
    pair: tuple[RedisStore, RedisStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = pair[0]
    producer = RecordingProducer(store)
    await producer.create()
    here: Any = store._worker()
    await until(lambda: here._beats > 0 and not here.recovery.is_due)
    refused: list[float] = []

    async def refuse(patience: float) -> None:
        refused.append(here.recovery.finished_at)
        raise StoreUnavailable

    monkeypatch.setattr(here.health, "announce_loss", refuse)
    here.recovery.start()
    await until(lambda: bool(refused) and not here.recovery.is_due)
    assert here.recovery.finished_at > refused[-1]
    await producer.append(b"a", end=True)


def test_the_backlog_is_bounded() -> None:
    async def check() -> None:
        store = RedisStore("redis://h")
        here = store._worker()
        producers = [RecordingProducer(store) for _ in range(3)]
        ended, grows, other = (here.new_run(each, Names(keep=60)) for each in producers)
        backlog = Backlog(10)
        backlog.add(ended, [b"1234"], 1)
        backlog.finish(ended)
        backlog.add(other, [b"1234"], 1)
        backlog.add(grows, [b"12"], 1)
        assert (ended.size, other.size, grows.size) == (4, 4, 2)
        backlog.add(grows, [b"34"], 1)
        assert (backlog.finished(), grows.size) == ((), 4)
        backlog.add(grows, [b"567", b"8"], 1)
        assert (other.size, grows.size, grows.first, grows.last) == (4, 6, 2, 4)
        backlog.add(grows, [b"9"], 4)
        assert (list(grows.held), grows.first) == ([b"8", b"9"], 4)
        backlog.forget(other)
        assert other.size == 0

    asyncio.run(check())


async def test_an_invalid_record_hides_one_run_only(
    pair: tuple[RedisStore, RedisStore], redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    one, other = pair
    producers = [RecordingProducer(one, owner="ann") for _ in range(4)]
    for producer in producers:
        await producer.create()
        await producer.append(b"a", end=True)
    client = redis.client()
    runs = [one._keys.of_run(producer.run_id)[1] for producer in producers]
    client.set(runs[0], "no record")
    client.set(runs[1], json.dumps({**json.loads(client.get(runs[1]) or b""), "newer": 1}))
    client.delete(runs[2])
    client.rpush(runs[2], "a list")
    records = await other.owned("ann")
    assert [record.run_id for record in records] == [producers[3].run_id, producers[1].run_id]
    assert await other.find(producers[0].run_id) is None
    assert "the store holds an invalid run record" in caplog.text


async def test_a_claim_without_a_worker_is_void(
    pair: tuple[RedisStore, RedisStore], redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = pair
    producer = RecordingProducer(one)
    # As if the worker had died between the claim and the run's beginning.
    monkeypatch.setattr(one._parts().creation, "_undo", lambda *_: None)

    async def cut(*_: Any) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(one._parts().creation, "_begin", cut)
    with pytest.raises(StoreUnavailable):
        await producer.create(key="key")
    retry = RecordingProducer(other)
    async with asyncio.timeout(10):
        assert await retry.create(key="key") == retry.run_id
    # While its run has a worker, lookups wait for a claim.
    client = redis.client()
    client.set(other._keys.name("slow"), f"?{retry.run_id}")
    naming = asyncio.ensure_future(other.named("slow"))
    await asyncio.sleep(0.2)
    assert not naming.done()
    client.set(other._keys.name("slow"), retry.run_id)
    assert await naming == retry.run_id
    # A key whose run no longer exists is free.
    client.set(other._keys.name("gone"), str(uuid4()))
    again = RecordingProducer(one)
    monkeypatch.undo()
    assert await again.create(key="gone") == again.run_id


async def test_missing_last_frames_are_rewritten_or_a_gap(
    pair: tuple[RedisStore, RedisStore], redis: RedisServer
) -> None:
    one, other = pair
    held, lost = RecordingProducer(one), RecordingProducer(one)
    for producer in (held, lost):
        await producer.create()
        await producer.append(b"a", b"b")
        await producer.append(b"c", b"d", end=True)
    backlog = one._worker().backlog
    [lost_run] = [run for run in backlog.finished() if run.run_id == lost.run_id]
    backlog.forget(lost_run)
    for producer in (held, lost):
        redis.client().delete(one._keys.of_run(producer.run_id)[0])
    page = await other.read(held.run_id, 0)
    assert page == Page(1, [], ended=False, more=False)
    await until_complete(other, held)
    async with asyncio.timeout(8):
        while not (page := await other.read(lost.run_id, 0)) or not page.ended:
            await asyncio.sleep(0.05)
    assert (page.first, list(page.frames)) == (5, [])


async def test_health_forgets_runs_that_are_not_read_again(
    pair: tuple[RedisStore, RedisStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asgi_stream.stores._redis.health.FORGET_SECONDS", 0.0)
    producer = RecordingProducer(pair[0])
    await producer.create()
    health = pair[1]._worker().health
    assert not health.is_orphaned("x")
    pair[1]._worker().beat()
    await until(lambda: not health._unleased)


async def test_an_invalid_command_fails_at_once(
    pair: tuple[RedisStore, RedisStore], redis: RedisServer
) -> None:
    store = pair[0]
    redis.client().set(store._keys.owner("ann"), "not a set")
    with pytest.raises(StoreUnavailable):
        await store.owned("ann")
    with pytest.raises(StoreUnavailable):
        await RecordingProducer(store, owner="ann").create()


async def test_a_reply_to_other_commands_is_rejected(
    pair: tuple[RedisStore, RedisStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = pair[0]
    producer = RecordingProducer(store)
    await producer.create()
    await producer.append(b"a")
    link = store._worker().link
    run = link._connection.run
    wrong: list[Any] = [b"OK", None, []]

    async def shifted(batch: list[Any]) -> list[Any]:
        replies = await run(batch)
        commands = [command for each in batch for command in each.commands]
        for n, command in enumerate(commands):
            if wrong and b"b" in command:
                replies[n] = wrong.pop()
        return replies

    monkeypatch.setattr(link._connection, "run", shifted)
    await producer.append(b"b")
    assert not wrong
    await producer.append(b"c", end=True)
    assert producer.errors == [None, None, None]
    assert await read_frames(pair[1], producer.run_id) == [b"a", b"b", b"c"]


async def test_an_unused_store_stops_its_checks(
    pair: tuple[RedisStore, RedisStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asgi_stream.stores._redis.worker.IDLE_SECONDS", 0.0)
    assert await pair[0].named("x") is None
    beating = pair[0]._worker()._beating
    assert beating is not None
    await until(beating.done)
