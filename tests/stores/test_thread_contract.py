"""The contract of stores of threads, for each store; and what is special about memory."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from asgi_stream.stores import ThreadStore
from asgi_stream.stores.memory_threads import MemoryThreadStore
from asgi_stream.stores.redis_threads import RedisThreadStore
from asgi_stream.testing import THREAD_STORE_CHECKS, ThreadStoreCheck

from ..redis_server import RedisServer, settled

pytestmark = pytest.mark.anyio

Pair = tuple[ThreadStore, ThreadStore]


@pytest.fixture(params=["memory", "redis"])
async def stores(request: pytest.FixtureRequest) -> AsyncIterator[Pair]:
    """The store as two workers see it: one object in memory, two on Redis."""
    if request.param == "memory":
        store = MemoryThreadStore()
        yield store, store
        await store.aclose()
        return
    server: RedisServer = request.getfixturevalue("redis")
    prefix = settled(server)
    pair = RedisThreadStore(server.url, prefix=prefix), RedisThreadStore(server.url, prefix=prefix)
    yield pair
    for each in pair:
        await each.aclose()


@pytest.mark.parametrize("check", THREAD_STORE_CHECKS, ids=lambda check: check.__name__)
async def test_contract(check: ThreadStoreCheck, stores: Pair) -> None:
    await check(*stores)
