"""The part of the store contract that is about frames and who reads them."""

from __future__ import annotations

from dataclasses import replace

from ..stores import EventStore, Page
from .recording import RecordingFollower, RecordingProducer, read_frames, read_page, until


async def frames_are_read_from_any_position(here: EventStore, there: EventStore) -> None:
    producer = RecordingProducer(here)
    assert await producer.create() == producer.run_id
    assert await read_frames(there, producer.run_id) == []
    await producer.append(b"a")
    await producer.append(b"b", b"c\x00\n\xff")
    page = await read_page(there, producer.run_id, 0)
    frames = [b"a", b"b", b"c\x00\n\xff"]
    assert replace(page, frames=list(page.frames)) == Page(1, frames, ended=False, more=False)
    await producer.append(b"d", end=True)
    for after in range(5):
        assert await read_frames(there, producer.run_id, after) == producer.frames[after:]
    page = await read_page(there, producer.run_id, 4)
    assert (page.first, page.ended, page.final) == (5, True, None)
    assert producer.errors == [None, None, None]


async def many_frames_are_read_in_pages(here: EventStore, there: EventStore) -> None:
    producer = RecordingProducer(here)
    await producer.create()
    for number in range(6):
        await producer.append(*[b"%d." % number * 500] * 250)
    page = await read_page(there, producer.run_id, 0)
    assert page.more
    assert not page.ended
    assert 100 < len(page.frames) < 1500
    assert await read_frames(there, producer.run_id) == producer.frames
    await producer.append(b"end", end=True)
    assert await read_frames(there, producer.run_id) == producer.frames


async def dropped_frames_are_a_gap(here: EventStore, there: EventStore) -> None:
    producer = RecordingProducer(here)
    await producer.create()
    await producer.append(b"a", b"b", b"c")
    await producer.append(b"d", keep_from=3)
    page = await read_page(there, producer.run_id, 0)
    assert (page.first, list(page.frames)) == (3, [b"c", b"d"])
    page = await read_page(there, producer.run_id, 3)
    assert (page.first, list(page.frames)) == (4, [b"d"])
    await producer.append(b"e", keep_from=5, end=True)
    page = await read_page(there, producer.run_id, 0)
    assert (page.first, list(page.frames), page.ended) == (5, [b"e"], True)


async def followers_get_new_frames(here: EventStore, there: EventStore) -> None:
    producer = RecordingProducer(here)
    await producer.create()
    await producer.append(b"a")
    followers = RecordingFollower(), RecordingFollower(), RecordingFollower()
    await here.follow(producer.run_id, followers[0])
    await there.follow(producer.run_id, followers[1])
    await there.follow(producer.run_id, followers[2])
    await until(lambda: producer.readers[-1] >= 2)
    there.unfollow(producer.run_id, followers[2])
    there.unfollow(producer.run_id, followers[2])
    await producer.append(b"b")
    await producer.append(b"c", end=True)
    await until(lambda: all(follower.ended for follower in followers[:2]))
    for follower in followers[:2]:
        assert (follower.first, follower.frames) == (2, [b"b", b"c"])
    assert not followers[2].ended


async def producers_know_the_number_of_readers(here: EventStore, there: EventStore) -> None:
    producer = RecordingProducer(here)
    await producer.create()
    one, two = RecordingFollower(), RecordingFollower()
    await here.follow(producer.run_id, one)
    await there.follow(producer.run_id, two)
    await until(lambda: producer.readers[-1] == 2)
    here.unfollow(producer.run_id, one)
    assert producer.readers[-1] == 1
    there.unfollow(producer.run_id, two)
    await until(lambda: producer.readers[-1] == 0)


async def stores_check_that_they_can_be_written(here: EventStore, there: EventStore) -> None:
    for store in (here, there):
        await store.check()
        await store.check()
