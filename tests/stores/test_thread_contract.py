"""The contract of stores of threads, for each store; and what is special about memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from asgi_stream.stores import Claim, Claimant, ThreadRecord, ThreadStore, open_thread_store
from asgi_stream.stores.memory_threads import MemoryThreadStore
from asgi_stream.stores.redis_threads import RedisThreadStore
from asgi_stream.testing import THREAD_STORE_CHECKS, ThreadStoreCheck
from asgi_stream.testing.claim_checks import RecordingClaimant, runs_on
from asgi_stream.testing.thread_checks import record_of

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


class Overwriting(MemoryThreadStore):
    async def create(self, record: ThreadRecord) -> bool:
        await super().delete(record.scope, record.thread_id)
        return await super().create(record)


class Generous(MemoryThreadStore):
    async def claim(self, *arguments: Any, **options: Any) -> Claim:
        return replace(await super().claim(*arguments, **options), taken=True)


class Scopeless(MemoryThreadStore):
    async def list(self, scope: str) -> list[ThreadRecord]:
        return await super().list("ann") + await super().list("bob")


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (Overwriting, "threads_are_created_once"),
        (Generous, "one_run_claims_a_thread"),
        (Scopeless, "threads_of_a_scope_are_listed_newest_first"),
    ],
)
async def test_a_store_that_breaks_a_promise_fails_its_check(
    kind: type[MemoryThreadStore], name: str
) -> None:
    store = kind()
    [check] = [check for check in THREAD_STORE_CHECKS if check.__name__ == name]
    with pytest.raises((AssertionError, ValueError)):  # ValueError: more than one has it
        await check(store, store)


async def test_memory_keeps_the_threads_that_were_updated_last() -> None:
    store = MemoryThreadStore(threads=2)
    for thread in ("a", "b"):
        await store.create(record_of(thread))
    await store.touch("ann", "a", route="/", now=2e9)
    await store.touch("ann", "c", route="/", now=3e9)
    assert [record.thread_id for record in await store.list("ann")] == ["c", "a"]


def test_memory_is_closed_for_one_event_loop() -> None:
    store = MemoryThreadStore()

    async def claim(thread: str) -> None:
        assert (await store.claim("ann", thread, RecordingClaimant())).taken

    async def close() -> list[str]:
        await claim("b")
        await store.aclose()
        return await runs_on(store, "ann", "a") + await runs_on(store, "ann", "b")

    asyncio.run(claim("a"))
    assert len(asyncio.run(close())) == 1


def test_a_store_is_opened_by_its_address() -> None:
    assert isinstance(open_thread_store("memory"), MemoryThreadStore)
    for url in ("redis://h:6379/0", "rediss://h", "unix:///tmp/redis.sock"):
        assert repr(open_thread_store(url)) == f"RedisThreadStore({url!r})"
    for url in ("postgres://ann:hunter2@h", "redis://ann:hunter2@h:nope/0", ""):
        with pytest.raises(ValueError, match=r"not") as caught:
            open_thread_store(url)
        assert "hunter2" not in str(caught.value)


def test_stores_are_what_the_protocol_says() -> None:
    claimant: Claimant = RecordingClaimant()
    memory: ThreadStore = MemoryThreadStore()
    on_redis: ThreadStore = RedisThreadStore("redis://h")
    assert claimant is not None
    assert memory is not on_redis
