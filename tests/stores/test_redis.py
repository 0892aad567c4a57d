"""What only a store that is elsewhere has to do: to wait for it, and to be held for dead."""

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

from asgi_stream import Resume, StreamApp
from asgi_stream.errors import StoreUnavailable, TooManyOwned
from asgi_stream.stores import OwnershipLost, Page, Quota, RunRecord
from asgi_stream.stores.redis import SKIPPED, RedisStore
from asgi_stream.stores.redis_backlog import Backlog
from asgi_stream.stores.redis_commands import unpacked
from asgi_stream.stores.redis_errors import NotSupported, Trouble
from asgi_stream.testing import RecordingFollower as Reader
from asgi_stream.testing import RecordingProducer as Maker
from asgi_stream.testing import read_frames as whole

from ..asgi import JSON, Exchange, frames, get, post
from ..clients import until
from ..redis_server import RedisServer, redis_server, settled
from ..resume.test_stored_runs import Speaker, app_of, error_code
from ..servers import free_port

pytestmark = pytest.mark.anyio


@pytest.fixture
async def pair(redis: RedisServer) -> AsyncIterator[tuple[RedisStore, RedisStore]]:
    prefix = settled(redis)
    found = [RedisStore(redis.url, prefix=prefix, lease=2, patience=2) for _ in range(2)]
    yield found[0], found[1]
    for each in found:
        wake(each)
        await each.aclose()


def die(store: RedisStore) -> None:
    """As a worker that is held: it says nothing more to Redis, until `wake`."""
    link: Any = store._here().link
    link.woken = asyncio.Event()

    async def hold(batch: list[Any]) -> None:
        link._queue = batch + link._queue
        await link.woken.wait()

    link._schedule = lambda at: None
    link._send_batch = hold


def wake(store: RedisStore) -> None:
    link: Any = store._here().link
    if hasattr(link, "woken"):
        link.woken.set()
        del link._schedule, link._send_batch, link.woken
        link._schedule(0.0)


def test_the_frames_of_a_message_add_up() -> None:
    assert unpacked(b"7 0 0 2 4\na\n\n\n\x00b") == (7, [b"", b"a\n", b"\n\n\x00b"], False)
    assert unpacked(b"7 1 1\na") == (7, [b"a"], True)
    for message in (b"7 1 1\n", b"7 1 1\nab", b"7", b"seven 1 1\na", b"\xff"):
        with pytest.raises(ValueError, match=r"add up|unpack|int"):
            unpacked(message)


async def test_the_same_start_twice_is_refused(pair: tuple[RedisStore, RedisStore]) -> None:
    maker = Maker(pair[0])
    await maker.create()
    with pytest.raises(OwnershipLost):
        await pair[1].create(maker, keep=60)
    await maker.append(b"a", end=True)


async def test_a_run_is_held_for_dead_and_its_worker_gives_way(
    pair: tuple[RedisStore, RedisStore],
) -> None:
    one, other = pair
    maker, reader = Maker(one), Reader()
    await maker.create()
    await maker.append(b"a")
    await other.follow(maker.run_id, reader)
    die(one)
    page = await other.read(maker.run_id, 1)
    assert page is not None
    assert page.final is None
    async with asyncio.timeout(8):
        while page is not None and page.final is None:
            await asyncio.sleep(0.05)
            page = await other.read(maker.run_id, 1)
    found = await other.find(maker.run_id)
    assert page is not None
    assert page.final == 2
    assert found is not None
    assert (found.state, found.code, found.ended) == ("failed", "worker_lost", None)
    assert reader.looks
    end = replace(found, ended=5.0)
    await other.finalize_orphan(maker.run_id, 1, 2, [b"lost"], end)
    with pytest.raises(OwnershipLost):
        await other.finalize_orphan(maker.run_id, 1, 2, [b"lost again"], end)
    assert await other.find(maker.run_id) == replace(end, frames=2)
    wake(one)
    await until(lambda: isinstance(maker.errors[-1], OwnershipLost))
    assert await whole(other, maker.run_id) == [b"a", b"lost"]
    assert await other.find(maker.run_id) == replace(end, frames=2)


async def test_what_is_said_meanwhile_is_not_written_after_the_end(
    pair: tuple[RedisStore, RedisStore], redis: RedisServer
) -> None:
    one, other = pair
    maker = Maker(one)
    await maker.create()
    await maker.append(b"a")
    found = await other.find(maker.run_id)
    assert found is not None
    die(one)
    redis.client().delete(one._keys.of_run(maker.run_id)[2])  # the lease
    await other.finalize_orphan(maker.run_id, 1, 2, [b"lost"], replace(found, ended=5.0))
    reader = Reader()
    await one.follow(maker.run_id, reader)
    wake(one)
    await maker.append(b"b", b"c")
    assert isinstance(maker.errors[-1], OwnershipLost)
    assert reader.looks
    assert not reader.errors
    assert await whole(other, maker.run_id) == [b"a", b"lost"]


async def test_a_request_to_stop_is_found_without_its_message(
    pair: tuple[RedisStore, RedisStore], redis: RedisServer
) -> None:
    maker = Maker(pair[0])
    await maker.create()
    redis.client().set(pair[0]._keys.of_run(maker.run_id)[3], 1)
    await until(lambda: maker.stopped)
    await maker.append(b"", end=True)


async def test_a_reader_elsewhere_that_is_silent_is_no_reader(
    pair: tuple[RedisStore, RedisStore],
) -> None:
    maker = Maker(pair[0])
    await maker.create()
    await maker.append(b"a")
    await pair[1].follow(maker.run_id, Reader())
    await until(lambda: maker.readers[-1:] == [1])
    die(pair[1])
    await until(lambda: maker.readers[-1] == 0)
    wake(pair[1])
    await until(lambda: maker.readers[-1] == 1)
    await maker.append(b"b", end=True)


async def test_all_of_a_long_run_lives_on(redis: RedisServer, monkeypatch: Any) -> None:
    monkeypatch.setattr("asgi_stream.stores.redis_worker.BEATS_PER_EXTENSION", 1)
    store = RedisStore(redis.url, prefix=settled(redis))
    maker = Maker(store, owner="ann", keep=60)
    await maker.create(key="k", place="p")
    await maker.append(b"a")
    keys, client = store._keys, redis.client()
    log, run, *_ = keys.of_run(maker.run_id)
    names = [log, run, keys.owner("ann"), keys.name("k"), keys.name("p")]
    for name in names:
        client.expire(name, 20)
    await until(lambda: all(client.ttl(name) > 100 for name in names))
    await maker.append(b"", end=True)
    own = [name for name in names if name != keys.owner("ann")]
    assert all(50 < client.ttl(name) <= 60 for name in own)
    await store.aclose()


async def test_the_end_of_a_short_run_shortens_no_other_s_life(redis: RedisServer) -> None:
    store = RedisStore(redis.url, prefix=settled(redis))
    short, long = Maker(store, owner="ann", keep=1), Maker(store, owner="ann", keep=60)
    await short.create(place="chat")
    await short.append(b"a")
    await long.create(place="chat")
    await long.append(b"a")
    await short.append(b"b", end=True)
    client, keys = redis.client(), store._keys
    for name in (keys.name("chat"), keys.owner("ann"), keys.of_run(long.run_id)[0]):
        assert client.ttl(name) > 100
    assert await store.named("chat") == long.run_id
    async with asyncio.timeout(5):
        while await store.find(short.run_id) is not None:
            await asyncio.sleep(0.05)
    # Nobody has listed the owner's runs, and the next one's beginning forgets those that are gone.
    await Maker(store, owner="ann", keep=60).create()
    assert short.run_id.encode() not in client.zrange(keys.owner("ann"), 0, -1)
    await long.append(b"b", end=True)
    await store.aclose()


async def test_redis_is_away_for_good(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with redis_server(tmp_path) as server:
        one, other = (RedisStore(server.url, lease=2, patience=1) for _ in range(2))
        maker, reader = Maker(one), Reader()
        await maker.create()
        await maker.append(b"a")
        await other.follow(maker.run_id, reader)
        server.kill()
        await maker.append(b"b")
        assert isinstance(maker.errors[-1], StoreUnavailable)
        assert not reader.errors
        for asked in (
            one.named("x"),
            one.find(maker.run_id),
            one.owned("x"),
            other.read(maker.run_id, 0),
            other.stop(maker.run_id),
            other.follow(maker.run_id, Reader()),
            other.follow(str(uuid4()), Reader()),
            Maker(other).create(),
        ):
            with pytest.raises(StoreUnavailable):
                await asked
        other.unfollow(maker.run_id, reader)
        await asyncio.sleep(0.1)
        server.start()
        again = Maker(other)
        await again.create()
        await again.append(b"a", end=True)
        assert await whole(one, again.run_id) == [b"a"]
        for each in (one, other):
            await each.aclose()
    assert "the store does not answer, and is tried again" in caplog.text
    assert "the store's messages are cut off" in caplog.text


async def test_redis_comes_back_without_what_it_had(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        one, other = (RedisStore(server.url, lease=2) for _ in range(2))
        maker, reader = Maker(one, owner="ann"), Reader()
        await maker.create(key="key", place="place", quota=Quota("ann", 1))
        await maker.append(b"a")
        await maker.append(b"b", b"c")
        over = Maker(one, owner="ann")
        await over.create()
        await over.append(b"x")
        await over.append(b"y", end=True)
        await other.follow(maker.run_id, reader)
        server.kill()
        writing = asyncio.ensure_future(maker.append(b"d"))
        reading = asyncio.ensure_future(other.read(maker.run_id, 3))
        await asyncio.sleep(0.2)
        server.start()
        # Whoever asks meanwhile waits until it is there again.
        found = await other.find(maker.run_id)
        assert found is not None
        assert found.frames >= 3
        await writing
        page = await reading
        assert page is not None
        assert page.final is None
        assert await whole(other, maker.run_id) == maker.frames
        found = await other.find(over.run_id)
        assert found is not None
        assert found.state == "done"
        async with asyncio.timeout(5):
            while (page := await other.read(over.run_id, 0)) is None or not page.ended:
                await asyncio.sleep(0.02)
        assert list(page.frames) == [b"x", b"y"]
        assert [each.run_id for each in await other.owned("ann")] == [over.run_id, maker.run_id]
        assert await other.named("key") == await other.named("place") == maker.run_id
        with pytest.raises(TooManyOwned):
            await Maker(other).create(quota=Quota("ann", 1))
        await until(lambda: reader.looks)
        await maker.append(b"e", end=True)
        await Maker(other).create(quota=Quota("ann", 1))
        assert set(maker.errors) == {None}
        other.unfollow(maker.run_id, reader)
        for each in (one, other):
            await each.aclose()


async def test_redis_loses_everything_under_its_workers(
    pair: tuple[RedisStore, RedisStore], redis: RedisServer
) -> None:
    """As ``FLUSHALL`` or an eviction does: no connection is lost."""
    one, other = pair
    maker, over = Maker(one), Maker(one)
    for each in (maker, over):
        await each.create()
        await each.append(b"a")
        await each.append(b"b", end=each is over)
    client = redis.client()
    prefix = one._keys.server.rpartition(b":")[0]
    client.delete(*client.scan_iter(prefix + b":*"))
    for each in (over, maker):
        found = await other.find(each.run_id)
        assert found is not None
        assert found.frames == 2
    await until_whole(other, over)
    await maker.append(b"c", end=True)
    await until_whole(other, maker)
    assert await other.find(str(uuid4())) is None


async def until_whole(store: RedisStore, maker: Maker) -> None:
    async with asyncio.timeout(5):
        while (page := await store.read(maker.run_id, 0)) is None or not page.ended:
            await asyncio.sleep(0.02)
    assert list(page.frames) == maker.frames


@pytest.mark.parametrize("backlog", [4, 67_108_864], ids=["lost", "held"])
async def test_an_older_log_is_made_whole_or_has_a_gap(redis: RedisServer, backlog: int) -> None:
    prefix = settled(redis)
    store = RedisStore(redis.url, prefix=prefix, backlog=backlog)
    maker = Maker(store)
    await maker.create()
    for n in range(1, 9):
        await maker.append(b"%d" % n)
    client, log = redis.client(), store._keys.of_run(maker.run_id)[0]
    snapshot = client.dump(log) or b""
    for n in range(9, 17):
        await maker.append(b"%d" % n)
    client.restore(log, 0, snapshot, replace=True)
    await maker.append(b"17", b"18")
    if backlog > 4:
        assert await whole(store, maker.run_id) == maker.frames
    else:
        page = await store.read(maker.run_id, 0)
        assert page is not None
        assert (list(page.frames), page.more) == (maker.frames[:8], True)
        page = await store.read(maker.run_id, 8)
        assert page is not None
        assert page.first > 9
        assert list(page.frames) == maker.frames[page.first - 1 :]
    assert set(maker.errors) == {None}
    await maker.append(b"end", end=True)
    # What was finished is dropped first.
    again = Maker(store)
    await again.create()
    await again.append(b"12345")
    assert len(store._here().backlog.finished()) == (1 if backlog > 4 else 0)
    await again.append(b"end", end=True)
    await store.aclose()


async def test_a_run_is_finished_beyond_what_may_have_been_shown(redis: RedisServer) -> None:
    prefix = settled(redis)
    one, other = (RedisStore(redis.url, prefix=prefix, lease=2) for _ in range(2))
    maker = Maker(one)
    await maker.create()
    await maker.append(b"a")
    die(one)
    # The record was written to another Redis than this one: what has followed may be lost.
    client, run = redis.client(), one._keys.of_run(maker.run_id)[1]
    written = json.loads(client.get(run) or b"")
    client.set(run, json.dumps({**written, "server": "before"}))
    async with asyncio.timeout(8):
        while (page := await other.read(maker.run_id, 1)) is None or page.final is None:
            await asyncio.sleep(0.05)
    found = await other.find(maker.run_id)
    assert found is not None
    assert not found.certain
    assert page.final == 2 + SKIPPED
    # Also for a reader that has been shown more than is there.
    ahead = await other.read(maker.run_id, 7)
    assert ahead is not None
    assert ahead.final == 8 + SKIPPED
    await other.finalize_orphan(maker.run_id, 7, 8 + SKIPPED, [b"lost"], replace(found, ended=5.0))
    page = await other.read(maker.run_id, 1)
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
async def test_redis_refuses_what_it_may_take_later(tmp_path: Path, how: str) -> None:
    refuse, accept = REFUSALS[how]
    with redis_server(tmp_path) as server:
        one, other = (RedisStore(server.url, lease=2) for _ in range(2))
        maker, reader = Maker(one), Reader()
        await maker.create()
        await maker.append(b"a")
        await other.follow(maker.run_id, reader)
        await one.check()
        run: Any = server.client().execute_command
        run(*refuse)
        writing = asyncio.ensure_future(maker.append(b"b"))
        # For longer than its lease, so others must not take the run for dead.
        await asyncio.sleep(2.5)
        assert not writing.done()
        assert not reader.frames
        with pytest.raises(StoreUnavailable):
            await one.check()
        if how != "not allowed":
            with pytest.raises(StoreUnavailable):
                await Maker(one).create()
        found = await other.find(maker.run_id)
        assert found is not None
        burying = asyncio.ensure_future(
            other.finalize_orphan(maker.run_id, 1, 2, [b"lost"], replace(found, ended=1.0))
        )
        await asyncio.sleep(0.2)
        run(*accept)
        with pytest.raises(OwnershipLost):
            await burying
        await writing
        await maker.append(b"c", end=True)
        assert maker.errors == [None, None, None]
        assert await whole(other, maker.run_id) == [b"a", b"b", b"c"]
        for each in (one, other):
            await each.aclose()


async def test_a_refusal_for_too_long_ends_the_run_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with redis_server(tmp_path) as server:
        store = RedisStore(server.url, patience=0.5, prefix=settled(server))
        maker, reader = Maker(store), Reader()
        await maker.create()
        await store.follow(maker.run_id, reader)
        server.client().config_set("min-replicas-to-write", 1)
        await maker.append(b"a")
        assert isinstance(maker.errors[-1], StoreUnavailable)
        assert reader.errors == [maker.errors[-1]]
        assert not reader.frames
        assert await store.named("x") is None
        server.client().config_set("min-replicas-to-write", 0)
        again = Maker(store)
        await again.create()
        await again.append(b"a", end=True)
        assert await whole(store, again.run_id) == [b"a"]
        await store.aclose()
    assert caplog.text.count("the store refuses, and is tried again") == 1


async def test_the_scripts_are_there_again_after_a_flush(redis: RedisServer) -> None:
    store = RedisStore(redis.url, prefix=settled(redis))
    maker = Maker(store)
    await maker.create()
    redis.client().script_flush()
    await maker.append(b"a")
    await maker.append(b"b", end=True)
    assert await whole(store, maker.run_id) == [b"a", b"b"]
    await store.aclose()


async def test_a_cluster_and_a_sentinel_are_refused_in_words(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    options = ("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    with redis_server(tmp_path, options=options) as server:
        store = RedisStore(server.url)
        with pytest.raises(StoreUnavailable):
            await Maker(store).create()
        with pytest.raises(StoreUnavailable):
            await store.check()
        await store.aclose()
    assert caplog.text.count("a node of a Redis Cluster, which RedisStore does not support") == 1
    assert "give RedisStore the address of the Redis server itself" in str(NotSupported("sentinel"))


async def test_a_claim_that_is_not_confirmed_runs_out(
    pair: tuple[RedisStore, RedisStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = pair

    async def unreachable(*_: Any) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(one, "_begin", unreachable)
    with pytest.raises(StoreUnavailable):
        await Maker(one).create(key="key")
    monkeypatch.undo()
    retry, joining = Maker(other), Maker(one)
    assert await retry.create(key="key") == retry.run_id
    # Who comes while a run is being created waits for that.
    assert await joining.create(key="key") == retry.run_id
    assert await one.named("key") == retry.run_id


async def test_two_follow_at_once_and_one_leaves_that_never_came(
    pair: tuple[RedisStore, RedisStore],
) -> None:
    maker = Maker(pair[0])
    await maker.create()
    readers = [Reader() for _ in range(3)]
    another = Maker(pair[0])
    await another.create()
    await asyncio.gather(
        *(pair[1].follow(maker.run_id, reader) for reader in readers),
        pair[1].follow(another.run_id, Reader()),
    )
    await until(lambda: maker.readers[-1:] == another.readers[-1:] == [1])
    await another.append(b"", end=True)
    pair[1].unfollow(maker.run_id, Reader())
    pair[1].unfollow("no such run", Reader())
    await maker.append(b"a")
    await until(lambda: all(reader.frames == [b"a"] for reader in readers))
    await maker.append(b"b", end=True)


async def test_redis_fails_in_an_odd_way(
    redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    store = RedisStore(redis.url, prefix=settled(redis), patience=0.5)
    redis.client().set(store._keys.of_run("r")[0], "not a stream")
    maker = Maker(store)
    await maker.create()
    link = store._here().link

    async def broken(batch: Any) -> Any:
        raise RedisError("odd")

    link._run = broken  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailable):
        await store.named("x")
    assert "the store refuses, and is tried again: RedisError: odd" in caplog.text
    del link._run
    await maker.append(b"a", end=True)
    await store.aclose()
    await store.aclose()


async def test_a_password_that_is_wrong_is_an_outage(redis: RedisServer) -> None:
    run: Any = redis.client().execute_command
    run("ACL", "SETUSER", "ann", "on", ">right", "~*", "&*", "+@all")
    store = RedisStore(redis.url.replace("redis://", "redis://ann:wrong@"))
    with pytest.raises(StoreUnavailable):
        await Maker(store).create()
    await store.aclose()
    store = RedisStore(redis.url.replace("redis://", "redis://ann:right@"))
    maker = Maker(store)
    assert await maker.create() == maker.run_id
    await maker.append(b"a", end=True)
    await store.aclose()


async def test_who_does_not_wait_for_the_answer_harms_nobody(redis: RedisServer) -> None:
    store = RedisStore(redis.url, prefix=settled(redis))
    for _ in range(20):
        asking = asyncio.ensure_future(store.named("x"))
        await asyncio.sleep(0)
        asking.cancel()
    makers = [Maker(store) for _ in range(150)]
    await asyncio.gather(*(maker.create() for maker in makers))
    await asyncio.gather(*(maker.append(b"first") for maker in makers))
    await asyncio.gather(*(maker.append(*[b"a"] * 20) for maker in makers))
    await asyncio.gather(*(maker.append(b"b", end=True) for maker in makers))
    for maker in makers:
        assert await whole(store, maker.run_id) == maker.frames
    await store.aclose()


# The same, seen by who reads.


async def test_a_reader_is_told_that_the_worker_is_lost(
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
            die(pair[0])
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
    assert "ended, for it was held to be dead" in caplog.text


async def test_readers_are_told_that_redis_is_away(tmp_path: Path) -> None:
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
            said, error, done = frames(each.body)
            assert (said, done) == ({"token": "a"}, "[DONE]")
            assert error["error"]["code"] == "store_unavailable"
        refused = await post(apps[0], "/chat", "hi")
        assert (refused.status, error_code(refused)) == (503, "store_unavailable")
        assert (await get(apps[1], path)).status == 503
        assert apps[0]._loops._running["/chat"] == 0
        for store in stores:
            await store.aclose()


async def test_nobody_can_bury_while_redis_is_away(
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
            die(pair[0])
            await second.finished()
        assert frames(second.body)[1]["error"]["code"] == "store_unavailable"
        wake(pair[0])
        speaker.say(None)
        await first.finished()
    assert frames(first.body) == [{"token": "a"}, "[DONE]"]


def test_a_resume_names_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asgi_stream.stores.redis", None)
    [problem] = Resume(store="redis://h").problems()
    assert problem.startswith("resume.store: ")


def _breaks(replies: Any) -> None:
    raise RuntimeError("a bug")


async def test_no_reply_and_no_message_ends_the_store(
    pair: tuple[RedisStore, RedisStore],
    redis: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    store, other = pair
    maker, reader = Maker(store), Reader()
    await maker.create()
    await maker.append(b"a")
    await other.follow(maker.run_id, reader)
    here, client = other._here(), redis.client()
    # Messages that nobody of this package sends.
    for channel in (here._keys.worker(here.id), here._keys.frames(maker.run_id)):
        for message in (b"\xff", b"stop", b"nonsense of all kinds", b"1 0 9\nx"):
            client.publish(channel, message)
    client.publish(store._here()._keys.worker(store._here().id), f"odd {maker.run_id} x")
    # Replies that cannot be read, or used.
    run, link = here.link._run, here.link
    broken = [ValueError("not a reply"), KeyError("x")]

    async def odd(batch: list[Any]) -> list[Any]:
        if broken:
            raise broken.pop()
        return await run(batch)

    monkeypatch.setattr(link, "_run", odd)
    assert await other.named("x") is None
    link.ask([("GET", "x")], _breaks, patience=1)
    # Arguments that cannot be sent harm nobody that is in the same batch.
    unsendable = asyncio.gather(
        link.do(("GET", "\ud800"), patience=1),
        link.do(("GET", object()), patience=1),
        other.named("y"),
        return_exceptions=True,
    )
    results = await unsendable
    assert [type(result) for result in results] == [StoreUnavailable, StoreUnavailable, type(None)]
    with pytest.raises(StoreUnavailable):
        await link.do(("GET", "\ud800"), patience=1)

    async def fails() -> None:
        raise RuntimeError("a bug beside")

    link.spawn(fails())
    monkeypatch.setattr(here, "_register", fails)
    await until(lambda: "has failed at what it does each second" in caplog.text)
    monkeypatch.undo()
    await maker.append(b"b")
    await until(lambda: reader.frames == [b"b"])
    await maker.append(b"c", end=True)
    await until(lambda: reader.ended)
    assert "the store has sent a message that cannot be read" in caplog.text
    assert "a reply of the store could not be used" in caplog.text
    assert "a bug beside" in caplog.text


async def test_a_lease_that_cannot_be_renewed_is_one_run_s_trouble(
    pair: tuple[RedisStore, RedisStore], caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Maker):
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
    broken, other = Broken(store), Maker(store)
    await broken.create()
    await other.create()
    await broken.append(b"a")
    broken.broken = True
    await until(lambda: "the store has failed to renew the lease of a run" in caplog.text)
    broken.broken = False
    await other.append(b"a", end=True)
    await broken.append(b"b", end=True)


async def test_a_run_that_fails_to_begin_leaves_nothing(
    pair: tuple[RedisStore, RedisStore], redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, other = pair
    begin = store._begin

    async def cut(here: Any, made: Any, place: str | None) -> None:
        await begin(here, made, place)
        raise StoreUnavailable

    monkeypatch.setattr(store, "_begin", cut)
    failed, quota = Maker(store, owner="ann"), Quota("ann", 1)
    with pytest.raises(StoreUnavailable):
        await failed.create(quota=quota)
    monkeypatch.undo()
    async with asyncio.timeout(5):
        while await other.find(failed.run_id) is not None:
            await asyncio.sleep(0.01)
    assert await other.owned("ann") == []
    assert await Maker(other).create(quota=quota)


async def test_a_user_need_not_be_allowed_everything(redis: RedisServer) -> None:
    run: Any = redis.client().execute_command
    run("ACL", "SETUSER", "quiet", "on", ">x", "~*", "&*", "+@all", "-info")
    run("ACL", "SETUSER", "mute", "on", ">x", "~*", "&*", "+@all", "-@scripting")
    url = redis.url.replace("redis://", "redis://{}:x@")
    prefix = uuid4().hex
    one, other = (RedisStore(url.format("quiet"), prefix=prefix, lease=2) for _ in range(2))
    maker, reader = Maker(one), Reader()
    await maker.create()
    await maker.append(b"a")
    await other.follow(maker.run_id, reader)
    await until(lambda: maker.readers[-1:] == [1])
    client = redis.client()
    client.delete(*client.scan_iter(f"{prefix}:*"))
    await maker.append(b"b", end=True)
    assert await whole(other, maker.run_id) == [b"a", b"b"]
    await until(lambda: reader.ended)
    store = RedisStore(url.format("mute"), prefix=prefix)
    with pytest.raises(StoreUnavailable):
        await store.check()
    for each in (one, other, store):
        await each.aclose()


def test_a_cluster_s_own_errors_are_put_in_words(caplog: pytest.LogCaptureFixture) -> None:
    trouble = Trouble()
    for _ in range(2):
        trouble.log("the store refuses to serve", MovedError("1 127.0.0.1:7000"))
    assert caplog.text.count("a node of a Redis Cluster") == 1
    trouble.over()
    trouble.over()


async def test_a_channel_is_heard_even_if_its_connection_breaks_meanwhile(
    pair: tuple[RedisStore, RedisStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    maker, other = Maker(pair[0]), Maker(pair[0])
    await maker.create()
    await other.create()
    await pair[1].follow(maker.run_id, Reader())
    messages: Any = pair[1]._here().link.messages

    async def broken(*_: Any) -> None:
        await messages._connection.connection.disconnect()
        raise ConnectionError("cut")

    monkeypatch.setattr(messages._connection, "subscribe", broken)
    reader = Reader()
    await pair[1].follow(other.run_id, reader)
    await other.append(b"a", end=True)
    await until(lambda: reader.ended or reader.looks)


async def test_a_crowd_does_not_wait_for_the_next_batch(
    pair: tuple[RedisStore, RedisStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asgi_stream.stores.redis_link.BATCH", 10)
    names = await asyncio.gather(*(pair[0].named(f"{n}") for n in range(150)))
    assert names == [None] * 150


async def test_what_a_worker_has_finished_is_written_again_when_another_notices(
    pair: tuple[RedisStore, RedisStore], redis: RedisServer
) -> None:
    one, other = pair
    over = Maker(one, keep=3)
    await over.create()
    await over.append(b"a")
    await over.append(b"b", end=True)
    client, here = redis.client(), one._here()
    # Its own beat sees nothing wrong: the other worker has taken note of the loss first.
    client.delete(*one._keys.of_run(over.run_id))
    await other._here().health.unsettle(1)
    found = await other.find(over.run_id)
    assert found is not None
    assert found.state == "done"
    await until_whole(other, over)
    assert here.backlog
    await until(lambda: not here.backlog)


async def test_what_cannot_be_written_again_yet_is_tried_again_at_the_next_beat(
    pair: tuple[RedisStore, RedisStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = pair[0]
    maker = Maker(store)
    await maker.create()
    here: Any = store._here()
    await until(lambda: here._beats > 0 and not here._again)
    refused: list[float] = []

    async def refuse(patience: float) -> None:
        refused.append(here._restored_at)
        raise StoreUnavailable

    monkeypatch.setattr(here.health, "unsettle", refuse)
    here.changed()
    await until(lambda: bool(refused) and not here._again)
    assert here._restored_at > refused[-1]
    await maker.append(b"a", end=True)


def test_a_backlog_has_a_bound() -> None:
    async def check() -> None:
        store = RedisStore("redis://h")
        here = store._here()
        producers = [Maker(store) for _ in range(3)]
        names: Any = {"keep": 60, "key": None, "place": None, "quota": None}
        ended, grows, other = (here.make(each, **names) for each in producers)
        backlog = Backlog(10)
        backlog.add(ended, [b"1234"], 1)
        backlog.keep(ended)
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


async def test_what_is_no_record_hides_one_run_only(
    pair: tuple[RedisStore, RedisStore], redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    one, other = pair
    makers = [Maker(one, owner="ann") for _ in range(4)]
    for maker in makers:
        await maker.create()
        await maker.append(b"a", end=True)
    client = redis.client()
    runs = [one._keys.of_run(maker.run_id)[1] for maker in makers]
    client.set(runs[0], "no record")
    client.set(runs[1], json.dumps({**json.loads(client.get(runs[1]) or b""), "newer": 1}))
    client.delete(runs[2])
    client.rpush(runs[2], "a list")
    found = await other.owned("ann")
    assert [each.run_id for each in found] == [makers[3].run_id, makers[1].run_id]
    assert await other.find(makers[0].run_id) is None
    assert "something else where the record of a run should be" in caplog.text


async def test_a_claim_is_worth_nothing_without_a_worker(
    pair: tuple[RedisStore, RedisStore], redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = pair
    maker = Maker(one)
    # As if the worker had died between the claim and the run's beginning.
    monkeypatch.setattr(one, "_undo", lambda *_: None)

    async def cut(*_: Any) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(one, "_begin", cut)
    with pytest.raises(StoreUnavailable):
        await maker.create(key="key")
    retry = Maker(other)
    async with asyncio.timeout(10):
        assert await retry.create(key="key") == retry.run_id
    # A claim whose run has a worker is waited for.
    client = redis.client()
    client.set(other._keys.name("slow"), f"?{retry.run_id}")
    naming = asyncio.ensure_future(other.named("slow"))
    await asyncio.sleep(0.2)
    assert not naming.done()
    client.set(other._keys.name("slow"), retry.run_id)
    assert await naming == retry.run_id
    # And a key whose run is gone is free.
    client.set(other._keys.name("gone"), str(uuid4()))
    again = Maker(one)
    monkeypatch.undo()
    assert await again.create(key="gone") == again.run_id


async def test_an_end_without_its_frames_is_given_back_or_an_error(
    pair: tuple[RedisStore, RedisStore], redis: RedisServer
) -> None:
    one, other = pair
    held, lost = Maker(one), Maker(one)
    for maker in (held, lost):
        await maker.create()
        await maker.append(b"a", b"b")
        await maker.append(b"c", b"d", end=True)
    [kept] = [made for made in one._here().backlog.finished() if made.run_id == lost.run_id]
    one._here().backlog.forget(kept)
    for maker in (held, lost):
        redis.client().delete(one._keys.of_run(maker.run_id)[0])
    page = await other.read(held.run_id, 0)
    assert page == Page(1, [], ended=False, more=False)
    await until_whole(other, held)
    async with asyncio.timeout(8):
        while not (page := await other.read(lost.run_id, 0)) or not page.ended:
            await asyncio.sleep(0.05)
    assert (page.first, list(page.frames)) == (5, [])


async def test_what_is_never_seen_again_is_forgotten(
    pair: tuple[RedisStore, RedisStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asgi_stream.stores.redis_health.FORGET_SECONDS", 0.0)
    maker = Maker(pair[0])
    await maker.create()
    health = pair[1]._here().health
    assert not health.is_dead("x")
    pair[1]._here().beat()
    await until(lambda: not health._unleased)


async def test_a_command_that_is_wrong_fails_at_once(
    pair: tuple[RedisStore, RedisStore], redis: RedisServer
) -> None:
    store = pair[0]
    redis.client().set(store._keys.owner("ann"), "not a set")
    with pytest.raises(StoreUnavailable):
        await store.owned("ann")
    with pytest.raises(StoreUnavailable):
        await Maker(store, owner="ann").create()


async def test_a_reply_to_other_commands_is_none(
    pair: tuple[RedisStore, RedisStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = pair[0]
    maker = Maker(store)
    await maker.create()
    await maker.append(b"a")
    link = store._here().link
    run = link._run
    wrong: list[Any] = [b"OK", None, []]

    async def shifted(batch: list[Any]) -> list[Any]:
        replies = await run(batch)
        commands = [command for each in batch for command in each.commands]
        for n, command in enumerate(commands):
            if wrong and b"b" in command:
                replies[n] = wrong.pop()
        return replies

    monkeypatch.setattr(link, "_run", shifted)
    await maker.append(b"b")
    assert not wrong
    await maker.append(b"c", end=True)
    assert maker.errors == [None, None, None]
    assert await whole(pair[1], maker.run_id) == [b"a", b"b", b"c"]


async def test_a_store_that_nobody_uses_comes_to_rest(
    pair: tuple[RedisStore, RedisStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asgi_stream.stores.redis_worker.USED_SECONDS", 0.0)
    assert await pair[0].named("x") is None
    beating = pair[0]._here()._beating
    assert beating is not None
    await until(beating.done)
