"""What every store has to do, shown of each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from asgi_stream.errors import TooManyOwned
from asgi_stream.stores import (
    EventStore,
    Follower,
    OwnershipLost,
    Page,
    Quota,
    RunRecord,
    open_store,
)
from asgi_stream.stores.memory import MemoryStore
from asgi_stream.stores.redis import RedisStore

from ..redis_server import RedisServer

pytestmark = pytest.mark.anyio


class Maker:
    """A producer that remembers what it was told."""

    def __init__(self, store: EventStore, owner: str | None = None, keep: float = 60) -> None:
        self.store = store
        self.keep = keep
        self.record = RunRecord(
            run_id=str(uuid4()), route="/", owner=owner, fingerprint="", created=time.time()
        )
        self.run_id = self.record.run_id
        self.said: list[bytes] = []
        self.readers: list[int] = []
        self.stopped = 0
        self.errors: list[Exception | None] = []
        self._answered = asyncio.Event()

    def stop(self) -> None:
        self.stopped += 1

    def read_by(self, readers: int) -> None:
        self.readers.append(readers)

    def written(self, error: Exception | None = None) -> None:
        self.errors.append(error)
        self._answered.set()

    async def create(self, **names: Any) -> str:
        return await self.store.create(self, keep=self.keep, **names)

    async def append(self, *frames: bytes, keep_from: int = 1, end: bool = False) -> None:
        first = len(self.said) + 1
        self.said += frames
        now = time.time()
        started = self.record.started or now
        self.record = replace(
            self.record,
            state="done" if end else "running",
            started=started,
            ended=now if end else None,
            frames=len(self.said),
            size=len(b"".join(self.said)),
        )
        self._answered.clear()
        record = self.record if end or first == 1 else None
        if self.store.append(self.run_id, first, frames, keep_from=keep_from, record=record):
            self.written()
        async with asyncio.timeout(15):
            await self._answered.wait()


class Reader:
    """A follower that keeps what it is fed."""

    def __init__(self) -> None:
        self.fed: list[bytes] = []
        self.first: int | None = None
        self.ended = False
        self.looks = 0
        self.errors: list[Exception] = []

    def on_frames(self, first: int, frames: Sequence[bytes], ended: bool) -> None:
        if self.first is None:
            self.first = first
        assert first == self.first + len(self.fed)
        self.fed += frames
        self.ended = ended

    def look(self) -> None:
        self.looks += 1

    def lost(self, error: Exception) -> None:
        self.errors.append(error)


async def until(happened: Any, seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        while not happened():
            await asyncio.sleep(0.01)


Pair = tuple[EventStore, EventStore]


def settled(server: RedisServer) -> str:
    """A prefix of its own on a Redis that is known to have lost nothing."""
    prefix = uuid4().hex
    client: Any = server.client()
    process, history = client.info("server")["run_id"], client.info("replication")["master_replid"]
    client.set(f"{prefix}:server", f"{process}:{history}")
    return prefix


@pytest.fixture(params=["memory", "redis"])
async def stores(request: pytest.FixtureRequest) -> AsyncIterator[Pair]:
    """The store as its maker and as another sees it: one object in memory, two on Redis."""
    if request.param == "memory":
        store = MemoryStore()
        yield store, store
        return
    server: RedisServer = request.getfixturevalue("redis")
    prefix = settled(server)
    pair = RedisStore(server.url, prefix=prefix), RedisStore(server.url, prefix=prefix)
    yield pair
    for each in pair:
        await each.aclose()


async def whole(store: EventStore, run_id: str, after: int = 0) -> list[bytes]:
    frames: list[bytes] = []
    while True:
        page = await store.read(run_id, after + len(frames))
        assert page is not None
        assert page.first == after + len(frames) + 1
        frames += page.frames
        if not page.more:
            return frames


async def test_what_is_written_can_be_read_from_any_position(stores: Pair) -> None:
    here, there = stores
    maker = Maker(here)
    assert await maker.create() == maker.run_id
    assert await whole(there, maker.run_id) == []
    await maker.append(b"a")
    await maker.append(b"b", b"c\x00\n\xff")
    page = await there.read(maker.run_id, 0)
    assert page is not None
    assert page == Page(1, [b"a", b"b", b"c\x00\n\xff"], ended=False, more=False)
    await maker.append(b"d", end=True)
    for after in range(5):
        assert await whole(there, maker.run_id, after) == maker.said[after:]
    page = await there.read(maker.run_id, 4)
    assert page is not None
    assert (page.first, page.ended, page.final) == (5, True, None)
    assert maker.errors == [None, None, None]


async def test_much_is_read_in_pages(stores: Pair) -> None:
    here, there = stores
    maker = Maker(here)
    await maker.create()
    for n in range(6):
        await maker.append(*[b"%d." % n * 500] * 250)
    page = await there.read(maker.run_id, 0)
    assert page is not None
    assert page.more
    assert not page.ended
    assert 100 < len(page.frames) < 1500
    assert await whole(there, maker.run_id) == maker.said
    await maker.append(b"end", end=True)
    assert await whole(there, maker.run_id) == maker.said


async def test_what_may_be_dropped_is_seen_by_the_first_position(stores: Pair) -> None:
    here, there = stores
    maker = Maker(here)
    await maker.create()
    await maker.append(b"a", b"b", b"c")
    await maker.append(b"d", keep_from=3)
    page = await there.read(maker.run_id, 0)
    assert page is not None
    assert (page.first, list(page.frames)) == (3, [b"c", b"d"])
    page = await there.read(maker.run_id, 3)
    assert page is not None
    assert (page.first, list(page.frames)) == (4, [b"d"])
    await maker.append(b"e", keep_from=5, end=True)
    page = await there.read(maker.run_id, 0)
    assert page is not None
    assert (page.first, list(page.frames), page.ended) == (5, [b"e"], True)


async def test_all_followers_are_fed_wherever_they_are(stores: Pair) -> None:
    here, there = stores
    maker = Maker(here)
    await maker.create()
    await maker.append(b"a")
    readers = Reader(), Reader(), Reader()
    await here.follow(maker.run_id, readers[0])
    await there.follow(maker.run_id, readers[1])
    await there.follow(maker.run_id, readers[2])
    await until(lambda: maker.readers[-1] >= 2)
    there.unfollow(maker.run_id, readers[2])
    there.unfollow(maker.run_id, readers[2])
    await maker.append(b"b")
    await maker.append(b"c", end=True)
    await until(lambda: all(reader.ended for reader in readers[:2]))
    for reader in readers[:2]:
        assert (reader.first, reader.fed) == (2, [b"b", b"c"])
    assert not readers[2].ended


async def test_the_maker_is_told_how_many_read(stores: Pair) -> None:
    here, there = stores
    maker = Maker(here)
    await maker.create()
    one, two = Reader(), Reader()
    await here.follow(maker.run_id, one)
    await there.follow(maker.run_id, two)
    await until(lambda: maker.readers[-1] == 2)
    here.unfollow(maker.run_id, one)
    assert maker.readers[-1] == 1
    there.unfollow(maker.run_id, two)
    await until(lambda: maker.readers[-1] == 0)


async def test_a_record_can_be_found(stores: Pair) -> None:
    here, there = stores
    maker = Maker(here, owner="ann")
    await maker.create()
    assert await there.find(maker.run_id) == maker.record
    await maker.append(b"a", b"b")
    found = await there.find(maker.run_id)
    assert found is not None
    assert (found.state, found.frames, found.ended) == ("running", 2, None)
    await maker.append(b"c", end=True)
    assert await there.find(maker.run_id) == maker.record
    assert await there.find(str(uuid4())) is None
    assert await there.read(str(uuid4()), 0) is None


async def test_the_runs_of_an_owner_the_newest_first(stores: Pair) -> None:
    here, there = stores
    owner = f"ann {uuid4()}"
    makers = [Maker(here, owner=owner) for _ in range(3)]
    for maker in (*makers, Maker(here, owner="bob"), Maker(here)):
        await maker.create()
    found = await there.owned(owner)
    assert [record.run_id for record in found] == [maker.run_id for maker in reversed(makers)]
    assert await there.owned("nobody") == []


async def test_a_key_is_taken_once_and_a_place_by_the_newest(stores: Pair) -> None:
    here, there = stores
    first, second, third = Maker(here), Maker(there), Maker(here)
    assert await first.create(key="key", conversation_id="place") == first.run_id
    assert await second.create(key="key", conversation_id="place") == first.run_id
    assert await there.find(second.run_id) is None
    assert await there.named("key") == await there.named("place") == first.run_id
    assert await third.create(conversation_id="place") == third.run_id
    assert await there.named("place") == third.run_id
    assert await there.named("key") == first.run_id
    assert await there.named("none") is None


async def test_a_quota_counts_what_has_not_ended(stores: Pair) -> None:
    here, there = stores
    quota = Quota(uuid4().hex, 2)
    makers = [Maker(here if n % 2 else there) for n in range(20)]
    results = await asyncio.gather(
        *(maker.create(quota=quota) for maker in makers), return_exceptions=True
    )
    begun = [maker for maker, result in zip(makers, results, strict=True) if type(result) is str]
    refused = [result for result in results if type(result) is TooManyOwned]
    assert (len(begun), len(refused)) == (2, 18)
    await Maker(here).create(quota=Quota(uuid4().hex, 1))
    await begun[0].append(b"end", end=True)
    await Maker(here).create(quota=quota)
    with pytest.raises(TooManyOwned):
        await Maker(there).create(quota=quota)


async def test_a_store_says_whether_it_can_be_written(stores: Pair) -> None:
    for each in stores:
        await each.check()
        await each.check()


@pytest.mark.parametrize("owner", ["\ud800", "a\nb", "a\0b", "ä" * 10_000, " ", "a:b", "{a}"])
async def test_any_text_may_name_an_owner(stores: Pair, owner: str) -> None:
    here, there = stores
    maker = Maker(here, owner=owner)
    await maker.create(quota=Quota(owner, 1), conversation_id=owner, key=owner + "key")
    await maker.append(b"a", end=True)
    assert [record.owner for record in await there.owned(owner)] == [owner]
    assert await there.named(owner) == await there.named(owner + "key") == maker.run_id
    other = Maker(there)
    await other.create()
    await other.append(b"b", end=True)


async def test_a_run_is_stopped_from_anywhere(stores: Pair) -> None:
    here, there = stores
    maker = Maker(here)
    await maker.create()
    await there.stop(maker.run_id)
    await until(lambda: maker.stopped)
    await here.stop(maker.run_id)
    assert maker.stopped >= 2
    await maker.append(b"end", end=True)
    await there.stop(maker.run_id)
    await there.stop(str(uuid4()))
    nobody = Reader()
    await here.follow(str(uuid4()), nobody)
    here.unfollow(maker.run_id, nobody)


async def test_what_has_ended_is_kept_for_a_time(stores: Pair) -> None:
    here, there = stores
    maker = Maker(here, owner="short", keep=1)
    await maker.create(key="short", conversation_id="short-place")
    await maker.append(b"end", end=True)
    reader = Reader()
    await there.follow(maker.run_id, reader)
    assert await whole(there, maker.run_id) == [b"end"]
    later = Maker(here, owner="short")
    await later.create(conversation_id="short-place")
    async with asyncio.timeout(5):
        while await there.find(maker.run_id) is not None:
            await asyncio.sleep(0.05)
    assert await there.read(maker.run_id, 0) is None
    assert [record.run_id for record in await there.owned("short")] == [later.run_id]
    async with asyncio.timeout(5):
        while await there.named("short") is not None:
            await asyncio.sleep(0.05)
    assert await there.named("short-place") == later.run_id
    await later.append(b"end", end=True)
    await until(lambda: reader.looks)
    there.unfollow(maker.run_id, reader)


async def test_nobody_buries_a_run_that_lives(stores: Pair) -> None:
    here, there = stores
    maker = Maker(here)
    await maker.create()
    await maker.append(b"a")
    with pytest.raises(OwnershipLost):
        await there.finalize_orphan(maker.run_id, 0, 1, [b"lost"], replace(maker.record, ended=1.0))
    await maker.append(b"b", end=True)
    assert await whole(there, maker.run_id) == [b"a", b"b"]
    assert await there.find(maker.run_id) == maker.record


async def test_memory_has_a_bound_over_all_runs() -> None:
    store = MemoryStore(size=100)
    ended, older, going_on = Maker(store), Maker(store), Maker(store)
    for maker in (ended, older, going_on):
        await maker.create(conversation_id=maker.run_id)
    await older.append(b"x" * 30, end=True)
    await ended.append(b"x" * 30, end=True)
    reader = Reader()
    await store.follow(older.run_id, reader)
    await going_on.append(b"x" * 41)
    assert await store.read(older.run_id, 0) is None
    assert reader.looks == 1
    assert await store.read(ended.run_id, 0) is not None
    await going_on.append(b"x" * 200)
    assert await store.read(ended.run_id, 0) is None
    assert await whole(store, going_on.run_id) == going_on.said
    await store.aclose()
    assert await whole(store, going_on.run_id) == going_on.said
    await going_on.append(b"", end=True)
    assert await store.named(going_on.run_id) is None


def test_a_store_is_opened_by_its_address() -> None:
    assert isinstance(open_store("memory"), MemoryStore)
    for url in ("redis://h:6379/0", "rediss://h", "unix:///tmp/redis.sock"):
        assert repr(open_store(url)) == f"RedisStore({url!r})"
    for url in ("postgres://h", "redis://h:nope/0", ""):
        with pytest.raises(ValueError, match=r"not|[Pp]ort"):
            open_store(url)
    with pytest.raises(ValueError, match="at least 2 seconds"):
        RedisStore("redis://h", lease=1)


def test_followers_and_stores_are_what_the_protocol_says() -> None:
    follower: Follower = Reader()
    memory: EventStore = MemoryStore()
    on_redis: EventStore = RedisStore("redis://h")
    assert follower is not None
    assert memory is not on_redis
