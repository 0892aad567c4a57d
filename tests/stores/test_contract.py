"""The contract of `asgi_stream.testing`, for each store; and what is special about memory."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from asgi_stream.stores import EventStore, Follower, Producer, open_store
from asgi_stream.stores.memory import MemoryStore
from asgi_stream.stores.redis import RedisStore
from asgi_stream.testing import (
    STORE_CHECKS,
    RecordingFollower,
    RecordingProducer,
    StoreCheck,
    read_frames,
)

from ..redis_server import RedisServer, settled

pytestmark = pytest.mark.anyio

Pair = tuple[EventStore, EventStore]


@pytest.fixture(params=["memory", "redis"])
async def stores(request: pytest.FixtureRequest) -> AsyncIterator[Pair]:
    """The store as its worker and as another sees it: one object in memory, two on Redis."""
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


@pytest.mark.parametrize("check", STORE_CHECKS, ids=lambda check: check.__name__)
async def test_contract(check: StoreCheck, stores: Pair) -> None:
    await check(*stores)


async def test_memory_has_a_bound_over_all_runs() -> None:
    store = MemoryStore(size=100)
    ended, older, live = (
        RecordingProducer(store),
        RecordingProducer(store),
        RecordingProducer(store),
    )
    for producer in (ended, older, live):
        await producer.create(conversation_id=producer.run_id)
    await older.append(b"x" * 30, end=True)
    await ended.append(b"x" * 30, end=True)
    follower = RecordingFollower()
    await store.follow(older.run_id, follower)
    await live.append(b"x" * 41)
    assert await store.read(older.run_id, 0) is None
    assert follower.looks == 1
    assert await store.read(ended.run_id, 0) is not None
    await live.append(b"x" * 200)
    assert await store.read(ended.run_id, 0) is None
    assert await read_frames(store, live.run_id) == live.frames
    await store.aclose()
    assert await read_frames(store, live.run_id) == live.frames
    await live.append(b"", end=True)
    assert await store.named(live.run_id) is None


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
    follower: Follower = RecordingFollower()
    memory: EventStore = MemoryStore()
    on_redis: EventStore = RedisStore("redis://h")
    producer: Producer = RecordingProducer(memory)
    assert follower is not None
    assert producer is not None
    assert memory is not on_redis
