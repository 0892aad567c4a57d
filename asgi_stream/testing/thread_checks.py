"""The part of the contract of stores of threads that is about their records."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from ..stores import ThreadRecord, ThreadStore
from ..stores.thread_store import MOST_RUNS

TEXTS = ("\ud800", "a\nb", "a\0b", "ä" * 1000, " ", "a:b", "a/b/../c", "{a}", "*", "👩‍👩‍👧", "")

METADATA: dict[str, Any] = {
    "title": "Grüße 👩‍👩‍👧 \u2028\0\ud800",
    "": None,
    "list": [],
    "object": {},
    "deep": {"a": [{"b": [True, 1.5, -0.1, 2**60, 1e-9]}]},
    "\ud800\0": "1",
}


def record_of(thread_id: str, scope: str = "ann", **fields: Any) -> ThreadRecord:
    values = {"route": "/chat", "created": 1700000000.123456, "updated": 1700000000.123456}
    return ThreadRecord(thread_id=thread_id, scope=scope, **{**values, **fields})


async def threads_are_created_once(here: ThreadStore, there: ThreadStore) -> None:
    record = record_of("a", metadata={"title": "A"}, runs=("1",), status="interrupted")
    stores = [here, there] * 5
    created = await asyncio.gather(*(store.create(record) for store in stores))
    assert sorted(created) == [False] * 9 + [True]
    assert not await there.create(replace(record, metadata={}, route="/other"))
    assert await here.find("ann", "a") == await there.find("ann", "a") == record
    assert await there.find("ann", "b") is None
    assert await there.find("bob", "a") is None
    assert await here.create(record_of("b"))


async def touching_creates_threads(here: ThreadStore, there: ThreadStore) -> None:
    record = await here.touch("ann", "a", route="/chat", now=5.25)
    assert record == record_of("a", created=5.25, updated=5.25)
    assert await there.find("ann", "a") == record
    assert not await there.create(record_of("a"))
    record = await there.touch(
        "ann", "b", route="/b", now=6, status="error", metadata={"title": "B"}, run_id="1"
    )
    values: dict[str, Any] = {
        "route": "/b",
        "status": "error",
        "metadata": {"title": "B"},
        "runs": ("1",),
    }
    assert record == record_of("b", created=6, updated=6, **values)
    assert await here.find("ann", "b") == record


async def touching_changes_only_what_it_names(here: ThreadStore, there: ThreadStore) -> None:
    first = record_of("a", status="error", metadata={"title": "A", "x": {"y": 1}}, runs=("1",))
    await here.create(first)
    second = await there.touch("ann", "a", route="/other", now=2e9)
    assert second == replace(first, updated=2e9)
    third = await here.touch("ann", "a", route="/", now=3e9, metadata={"x": {"z": 1}, "n": None})
    metadata = {"title": "A", "x": {"z": 1}, "n": None}
    assert third == replace(second, updated=3e9, metadata=metadata)
    fourth = await there.touch("ann", "a", route="/", now=4e9, status="idle", run_id="2")
    assert fourth == replace(third, updated=4e9, status="idle", runs=("2", "1"))
    assert await here.find("ann", "a") == await there.find("ann", "a") == fourth


async def changes_at_the_same_time_are_merged(here: ThreadStore, there: ThreadStore) -> None:
    numbers = [str(number) for number in range(20)]
    await asyncio.gather(
        *(
            store.touch("ann", "a", route="/", now=1, metadata={number: number}, run_id=number)
            for store, number in zip([here, there] * 10, numbers, strict=True)
        )
    )
    record = await here.find("ann", "a")
    assert record is not None
    assert record.metadata == dict(zip(numbers, numbers, strict=True))
    assert sorted(record.runs) == sorted(numbers)


async def threads_list_their_newest_runs(here: ThreadStore, there: ThreadStore) -> None:
    runs = tuple(str(number) for number in range(MOST_RUNS))
    await here.create(record_of("a", runs=runs))
    await there.touch("ann", "a", route="/", now=1, run_id="new")
    await here.touch("ann", "a", route="/", now=2, run_id="newest")
    await here.touch("ann", "a", route="/", now=3, run_id="new")
    record = await there.find("ann", "a")
    assert record is not None
    assert record.runs == ("new", "newest", *runs[:-2])


async def threads_are_deleted(here: ThreadStore, there: ThreadStore) -> None:
    await here.create(record_of("a", metadata={"title": "A"}, runs=("1",)))
    await here.create(record_of("b"))
    assert await there.delete("ann", "a")
    assert not await here.delete("ann", "a")
    assert not await here.delete("bob", "b")
    assert await here.find("ann", "a") is None
    assert await here.list("ann") == [record_of("b")]
    assert await here.create(record_of("a"))
    assert await there.find("ann", "a") == record_of("a")


async def threads_of_a_scope_are_listed_newest_first(here: ThreadStore, there: ThreadStore) -> None:
    assert await here.list("ann") == []
    # Not in this order, and more than are read at once.
    numbers = [number * 7 % 250 for number in range(250)]
    stores = [here, there] * 125
    await asyncio.gather(
        *(
            store.create(record_of(str(number), updated=1e9 + number))
            for store, number in zip(stores, numbers, strict=True)
        )
    )
    await here.create(record_of("0", "bob"))
    await there.touch("ann", "100", route="/", now=2e9)
    records = await there.list("ann")
    others = [str(number) for number in reversed(range(250)) if number != 100]
    assert [record.thread_id for record in records] == ["100", *others]
    assert records[0] == await here.find("ann", "100")
    assert await there.list("bob") == [record_of("0", "bob")]


async def ids_and_scopes_are_any_text(here: ThreadStore, there: ThreadStore) -> None:
    for text in TEXTS:
        assert await here.create(record_of(text, text)), repr(text)
        assert await there.find(text, text) == record_of(text, text), repr(text)
        touched = await there.touch(text, text, route="/", now=2e9, run_id=text)
        assert await here.list(text) == [touched], repr(text)
    for text in TEXTS:
        assert await there.delete(text, text), repr(text)
        assert await here.list(text) == [], repr(text)


async def scopes_are_apart(here: ThreadStore, there: ThreadStore) -> None:
    # Names that are equal if they are joined: scope and thread, prefix and scope.
    pairs = [("a", "b:c"), ("a:b", "c"), ("a", "b"), ("b", "b"), ("", "a:b"), ("1:a", "b")]
    records = [record_of(thread, scope) for scope, thread in pairs]
    for record in records:
        assert await here.create(record)
    for (scope, thread), record in zip(pairs, records, strict=True):
        assert await there.find(scope, thread) == record
        assert record in await there.list(scope)
    assert len(await there.list("a")) == 2
    await here.delete("a", "b")
    assert await there.find("b", "b") == record_of("b", "b")


async def metadata_is_any_json(here: ThreadStore, there: ThreadStore) -> None:
    record = record_of("a", metadata=METADATA)
    await here.create(record)
    assert await there.find("ann", "a") == record
    await here.touch("ann", "b", route="/chat", now=1, metadata=METADATA)
    touched = await there.touch("ann", "b", route="/chat", now=2)
    assert touched.metadata == METADATA
    assert [each.metadata for each in await there.list("ann")] == [METADATA] * 2


async def thread_stores_check_that_they_can_be_written(
    here: ThreadStore, there: ThreadStore
) -> None:
    await asyncio.gather(*(store.check() for store in [here, there] * 3))
    await here.check()
    assert await here.list("") == []
