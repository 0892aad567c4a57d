"""The part of the store contract that is about runs: records, names, quotas and ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from typing import Any
from uuid import uuid4

from ..errors import TooManyOwned
from ..stores import EventStore, OwnershipLost, Quota
from .recording import RecordingFollower, RecordingProducer, read_frames, until

OWNERS = ("\ud800", "a\nb", "a\0b", "ä" * 10_000, " ", "a:b", "{a}")


async def records_are_up_to_date(here: EventStore, there: EventStore) -> None:
    producer = RecordingProducer(here, owner="ann")
    await producer.create()
    assert await there.find(producer.run_id) == producer.record
    await producer.append(b"a", b"b")
    record = await there.find(producer.run_id)
    assert record is not None
    assert (record.state, record.frames, record.ended) == ("running", 2, None)
    await producer.append(b"c", end=True)
    assert await there.find(producer.run_id) == producer.record
    assert await there.find(str(uuid4())) is None
    assert await there.read(str(uuid4()), 0) is None


async def runs_of_an_owner_are_listed_newest_first(here: EventStore, there: EventStore) -> None:
    owner = f"ann {uuid4()}"
    producers = [RecordingProducer(here, owner=owner) for _ in range(3)]
    others = RecordingProducer(here, owner="bob"), RecordingProducer(here)
    for producer in (*producers, *others):
        await producer.create()
    records = await there.owned(owner)
    expected = [producer.run_id for producer in reversed(producers)]
    assert [record.run_id for record in records] == expected
    assert await there.owned("nobody") == []


async def keys_are_unique_and_conversations_move_on(here: EventStore, there: EventStore) -> None:
    first, second = RecordingProducer(here), RecordingProducer(there)
    third = RecordingProducer(here)
    assert await first.create(key="key", conversation_id="chat") == first.run_id
    assert await second.create(key="key", conversation_id="chat") == first.run_id
    assert await there.find(second.run_id) is None
    assert await there.named("key") == await there.named("chat") == first.run_id
    assert await third.create(conversation_id="chat") == third.run_id
    assert await there.named("chat") == third.run_id
    assert await there.named("key") == first.run_id
    assert await there.named("none") is None


async def quotas_count_unfinished_runs(here: EventStore, there: EventStore) -> None:
    quota = Quota(uuid4().hex, 2)
    producers = [RecordingProducer(here if number % 2 else there) for number in range(20)]
    results = await asyncio.gather(
        *(producer.create(quota=quota) for producer in producers), return_exceptions=True
    )
    pairs = list(zip(producers, results, strict=True))
    created = [producer for producer, result in pairs if type(result) is str]
    refused = [result for result in results if type(result) is TooManyOwned]
    assert (len(created), len(refused)) == (2, 18)
    await RecordingProducer(here).create(quota=Quota(uuid4().hex, 1))
    await created[0].append(b"end", end=True)
    await RecordingProducer(here).create(quota=quota)
    await fails(TooManyOwned, RecordingProducer(there).create(quota=quota))


async def owners_and_names_are_any_text(here: EventStore, there: EventStore) -> None:
    for owner in OWNERS:
        producer = RecordingProducer(here, owner=owner)
        await producer.create(quota=Quota(owner, 1), conversation_id=owner, key=owner + "key")
        await producer.append(b"a", end=True)
        assert [record.owner for record in await there.owned(owner)] == [owner]
        assert await there.named(owner) == producer.run_id
        assert await there.named(owner + "key") == producer.run_id
        other = RecordingProducer(there)
        await other.create()
        await other.append(b"b", end=True)


async def runs_are_stopped_from_any_worker(here: EventStore, there: EventStore) -> None:
    producer = RecordingProducer(here)
    await producer.create()
    await there.stop(producer.run_id)
    await until(lambda: producer.stopped)
    await here.stop(producer.run_id)
    assert producer.stopped >= 2
    await producer.append(b"end", end=True)
    await there.stop(producer.run_id)
    await there.stop(str(uuid4()))
    follower = RecordingFollower()
    await here.follow(str(uuid4()), follower)
    here.unfollow(producer.run_id, follower)


async def ended_runs_are_kept_for_a_time(here: EventStore, there: EventStore) -> None:
    producer = RecordingProducer(here, owner="short", keep=1)
    await producer.create(key="short", conversation_id="short-chat")
    await producer.append(b"end", end=True)
    follower = RecordingFollower()
    await there.follow(producer.run_id, follower)
    assert await read_frames(there, producer.run_id) == [b"end"]
    later = RecordingProducer(here, owner="short")
    await later.create(conversation_id="short-chat")
    await until(lambda: _is_none(there.find(producer.run_id)))
    assert await there.read(producer.run_id, 0) is None
    assert [record.run_id for record in await there.owned("short")] == [later.run_id]
    await until(lambda: _is_none(there.named("short")))
    assert await there.named("short-chat") == later.run_id
    await later.append(b"end", end=True)
    await until(lambda: follower.looks)
    there.unfollow(producer.run_id, follower)


async def ended_runs_are_deleted(here: EventStore, there: EventStore) -> None:
    producer, other = RecordingProducer(here, owner="gone"), RecordingProducer(here, owner="gone")
    for each in (producer, other):
        await each.create(key=f"gone {each.run_id}")
    await producer.append(b"a")
    await there.delete(producer.run_id)
    assert await read_frames(here, producer.run_id) == [b"a"]
    await producer.append(b"end", end=True)
    for _ in range(2):
        await there.delete(producer.run_id)
    for store in (here, there):
        assert await store.find(producer.run_id) is None
        assert await store.read(producer.run_id, 0) is None
        assert await store.named(f"gone {producer.run_id}") is None
        assert [record.run_id for record in await store.owned("gone")] == [other.run_id]
    again = RecordingProducer(there)
    assert await again.create(key=f"gone {producer.run_id}") == again.run_id
    for each in (other, again):
        await each.append(b"end", end=True)


async def live_runs_are_not_finalized_as_orphans(here: EventStore, there: EventStore) -> None:
    producer = RecordingProducer(here)
    await producer.create()
    await producer.append(b"a")
    end = replace(producer.record, ended=1.0)
    await fails(OwnershipLost, there.finalize_orphan(producer.run_id, 0, 1, [b"lost"], end))
    await producer.append(b"b", end=True)
    assert await read_frames(there, producer.run_id) == [b"a", b"b"]
    assert await there.find(producer.run_id) == producer.record


async def fails(kind: type[Exception], call: Awaitable[Any]) -> None:
    try:
        await call
    except kind:
        return
    raise AssertionError(f"{kind.__name__} was not raised")


async def _is_none(call: Awaitable[Any]) -> bool:
    return await call is None
