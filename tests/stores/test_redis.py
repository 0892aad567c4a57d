"""What only a store that is elsewhere has to do: to wait for it, and to be held for dead."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from redis.exceptions import RedisError

from asgi_stream import Resume, StreamApp
from asgi_stream.errors import StoreUnavailable
from asgi_stream.stores import Taken
from asgi_stream.stores.redis import RedisStore
from asgi_stream.stores.redis_worker import packed, unpacked

from ..asgi import JSON, Exchange, frames, get, post
from ..redis_server import RedisServer, redis_server
from ..test_resume import Speaker, app_of, error_code
from .test_contract import Maker, Reader, until, whole

pytestmark = pytest.mark.anyio


@pytest.fixture
async def pair(redis: RedisServer) -> AsyncIterator[tuple[RedisStore, RedisStore]]:
    prefix = uuid4().hex
    found = [RedisStore(redis.url, prefix=prefix, lease=2, patience=2) for _ in range(2)]
    yield found[0], found[1]
    for each in found:
        await each.aclose()


def die(store: RedisStore) -> None:
    """As a worker that is held: it says nothing more to Redis, until `wake`."""
    here = store._here()
    here.link._schedule = lambda at: None  # type: ignore[method-assign]
    here.link._send_batch = nothing  # type: ignore[method-assign]


async def nothing(batch: Any) -> None:
    await asyncio.sleep(3600)


def wake(store: RedisStore) -> None:
    here = store._here()
    del here.link._schedule, here.link._send_batch
    here.link._schedule(0.0)


def test_frames_are_packed_into_one_message() -> None:
    for ended in (False, True):
        message = packed(7, [b"", b"a\x00", b"\n\n" * 70000], ended)
        assert unpacked(message) == (7, [b"", b"a\x00", b"\n\n" * 70000], ended)


async def test_the_same_start_twice_is_refused(pair: tuple[RedisStore, RedisStore]) -> None:
    maker = Maker(pair[0])
    await maker.create()
    with pytest.raises(Taken):
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
    assert page.alive
    async with asyncio.timeout(4):
        while page is not None and page.alive:
            await asyncio.sleep(0.05)
            page = await other.read(maker.run_id, 1)
    found = await other.find(maker.run_id)
    assert found is not None
    assert (found.state, found.code, found.ended) == ("failed", "worker_lost", None)
    assert reader.looks
    end = replace(found, ended=5.0)
    await other.bury(maker.run_id, 2, [b"lost"], end)
    with pytest.raises(Taken):
        await other.bury(maker.run_id, 2, [b"lost again"], end)
    assert await other.find(maker.run_id) == replace(end, frames=2)
    wake(one)
    await until(lambda: isinstance(maker.errors[-1], Taken))
    assert await whole(other, maker.run_id) == [b"a", b"lost"]
    assert await other.find(maker.run_id) == replace(end, frames=2)


async def test_what_is_said_meanwhile_is_not_written_after_the_end(
    pair: tuple[RedisStore, RedisStore],
) -> None:
    one, other = pair
    maker = Maker(one)
    await maker.create()
    await maker.append(b"a")
    found = await other.find(maker.run_id)
    assert found is not None
    await other.bury(maker.run_id, 2, [b"lost"], replace(found, ended=5.0))
    await maker.append(b"b", b"c")
    assert isinstance(maker.errors[-1], Taken)
    assert await whole(other, maker.run_id) == [b"a", b"lost"]


async def test_a_request_to_stop_is_found_without_its_message(
    pair: tuple[RedisStore, RedisStore], redis: RedisServer
) -> None:
    maker = Maker(pair[0])
    await maker.create()
    redis.client().set(pair[0]._keys.stop(maker.run_id), 1)
    await until(lambda: maker.stopped)
    await maker.append(b"", end=True)


async def test_a_reader_elsewhere_that_is_silent_is_no_reader(
    pair: tuple[RedisStore, RedisStore],
) -> None:
    maker = Maker(pair[0])
    await maker.create()
    await maker.append(b"a")
    await pair[1].follow(maker.run_id, Reader())
    await until(lambda: maker.readers[-1] == 1)
    die(pair[1])
    await until(lambda: maker.readers[-1] == 0)
    wake(pair[1])
    await until(lambda: maker.readers[-1] == 1)
    await maker.append(b"b", end=True)


async def test_all_of_a_long_run_lives_on(redis: RedisServer, monkeypatch: Any) -> None:
    monkeypatch.setattr("asgi_stream.stores.redis_worker.BEATS_PER_EXTENSION", 1)
    store = RedisStore(redis.url, prefix=uuid4().hex)
    maker = Maker(store, owner="ann", keep=60)
    await maker.create(key="k", place="p")
    await maker.append(b"a")
    keys, client = store._keys, redis.client()
    owner, log = keys.owner("ann"), keys.log(maker.run_id)
    names = [log, owner, keys.name("k"), keys.name("p"), keys.run(maker.run_id)]
    for name in names:
        client.expire(name, 20)
    await until(lambda: all(client.ttl(name) > 100 for name in names))
    await maker.append(b"", end=True)
    assert all(50 < client.ttl(name) <= 60 for name in names)
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
    assert "the store has not answered for too long" in caplog.text
    assert "the store's messages are cut off" in caplog.text


async def test_redis_comes_back_without_what_it_had(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        one, other = (RedisStore(server.url, lease=2) for _ in range(2))
        maker, reader = Maker(one), Reader()
        await maker.create()
        await maker.append(b"a")
        await other.follow(maker.run_id, reader)
        server.kill()
        writing = asyncio.ensure_future(maker.append(b"b"))
        reading = asyncio.ensure_future(other.read(maker.run_id, 1))
        await asyncio.sleep(0.2)
        server.start()
        await writing
        page = await reading
        assert page is not None
        assert page.alive
        # Its record and its lease are there again with the next beat.
        async with asyncio.timeout(5):
            while (found := await other.find(maker.run_id)) is None or found.state != "running":
                await asyncio.sleep(0.05)
        page = await other.read(maker.run_id, 0)
        assert page is not None
        assert (page.first, list(page.frames)) == (2, [b"b"])
        await until(lambda: reader.looks)
        await maker.append(b"c", end=True)
        assert maker.errors == [None, None, None]
        other.unfollow(maker.run_id, reader)
        for each in (one, other):
            await each.aclose()


async def test_the_answer_whether_it_was_written_is_missing(
    pair: tuple[RedisStore, RedisStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = pair
    maker = Maker(one)
    await maker.create()
    await maker.append(b"a")
    found = await other.find(maker.run_id)
    assert found is not None
    await other.bury(maker.run_id, 2, [b"lost"], replace(found, ended=5.0))

    async def unreachable(*_: Any, **__: Any) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(one._here().link, "do", unreachable)
    await maker.append(b"b")
    assert isinstance(maker.errors[-1], StoreUnavailable)
    monkeypatch.undo()


async def test_redis_refuses_what_it_may_take_later(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        store = RedisStore(server.url)
        maker = Maker(store)
        await maker.create()
        client = server.client()
        client.config_set("maxmemory", 1)
        writing = asyncio.ensure_future(maker.append(b"a"))
        await asyncio.sleep(0.3)
        assert not writing.done()
        client.config_set("maxmemory", 0)
        await writing
        assert maker.errors == [None]
        await maker.append(b"b", end=True)
        assert await whole(store, maker.run_id) == [b"a", b"b"]
        await store.aclose()


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
    await until(lambda: all(reader.fed == [b"a"] for reader in readers))
    await maker.append(b"b", end=True)


async def test_redis_is_told_the_wrong_thing(
    redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    store = RedisStore(redis.url, prefix=uuid4().hex, patience=0.5)
    redis.client().set(store._keys.log("r"), "not a stream")
    maker = Maker(store)
    await maker.create()
    link = store._here().link

    async def broken(batch: Any) -> Any:
        raise RedisError("odd")

    link._run = broken  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailable):
        await store.named("x")
    assert "the store refuses to serve: odd" in caplog.text
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
    store = RedisStore(redis.url, prefix=uuid4().hex)
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
        assert await whole(store, maker.run_id) == maker.said
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
    await until(lambda: not one._here().runs)
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
        assert apps[0]._running["/chat"] == 0
        for store in stores:
            await store.aclose()


async def test_nobody_can_bury_while_redis_is_away(
    pair: tuple[RedisStore, RedisStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    speaker = Speaker()
    one, other = (app_of(store, speaker) for store in pair)

    async def unreachable(*_: Any) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(pair[1], "bury", unreachable)
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
