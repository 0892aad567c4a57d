"""The parts of both contracts that are about runs which go on with another worker."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from anyio import fail_after, sleep

from ..stores import Claim, EventStore, OwnershipLost, Page, ThreadStore
from .claim_checks import RecordingClaimant, Waiting, has_runs, is_free, runs_on, taken
from .recording import RecordingFollower, RecordingProducer, read_frames, read_page, until
from .run_checks import fails

LOST_SECONDS = 20
"""How long another worker may take to notice that a run has no worker any more."""


async def live_runs_are_not_taken_over(here: EventStore, there: EventStore) -> None:
    producer = RecordingProducer(here)
    await producer.create(origin=b"origin")
    await producer.append(b"a")
    for store in (here, there):
        await fails(OwnershipLost, store.take_over(successor(producer, store), 1, [b"again"]))
    await producer.append(b"b", end=True)
    await fails(OwnershipLost, there.take_over(successor(producer, there), 2, [b"again"]))
    assert await read_frames(there, producer.run_id) == [b"a", b"b"]
    assert await there.find(producer.run_id) == producer.record


async def orphans_are_taken_over_once(here: EventStore, there: EventStore) -> None:
    if getattr(there, "local", False):
        return  # its runs are lost with their worker
    producer = RecordingProducer(here, owner="ann")
    await producer.create(origin=b"origin", key="taken", conversation_id="taken-chat")
    await producer.append(b"a", b"b")
    await here.aclose()
    page = await orphaned(there, producer.run_id)
    assert (page.first, page.frames, page.final) == (3, [], 3)
    await fails(OwnershipLost, there.take_over(successor(producer, there), 1, [b"again"]))
    follower = RecordingFollower()
    await here.follow(producer.run_id, follower)
    successors = [successor(producer, store) for store in (there, here, there, here)]
    origins = await asyncio.gather(
        *(each.store.take_over(each, 2, [b"again"]) for each in successors), return_exceptions=True
    )
    assert origins.count(b"origin") == 1, origins
    assert sum(isinstance(each, OwnershipLost) for each in origins) == 3
    winner = successors[origins.index(b"origin")]
    winner.frames.append(b"again")
    await winner.append(b"c")
    await winner.append(b"d", end=True)
    assert await read_frames(there, producer.run_id) == [b"a", b"b", b"again", b"c", b"d"]
    await until(lambda: follower.ended)
    assert follower.frames == [b"again", b"c", b"d"]
    record = await here.find(producer.run_id)
    assert record == winner.record
    assert record.attempts == 2
    for name in ("taken", "taken-chat"):
        assert await there.named(name) == producer.run_id
    assert [each.run_id for each in await there.owned("ann")] == [producer.run_id]


def successor(producer: RecordingProducer, store: EventStore) -> RecordingProducer:
    """Return a producer that goes on with the run of another, which has died."""
    run = RecordingProducer(store, keep=producer.keep)
    run.run_id, run.frames = producer.run_id, list(producer.frames)
    frames = len(run.frames) + 1
    run.record = replace(producer.record, attempts=2, frames=frames)
    return run


async def orphaned(store: EventStore, run_id: str) -> Page:
    """Return the last page of a run once that is known to have no worker."""
    with fail_after(LOST_SECONDS):
        while True:
            page = await read_page(store, run_id, 2)
            if page.final is not None:
                return page
            await sleep(0.05)


async def claims_are_taken_over_by_their_run(here: ThreadStore, there: ThreadStore) -> None:
    first = RecordingClaimant()
    assert await here.claim("ann", "t", first, linger=5) == Claim(True)
    waiting = await Waiting.on(here)
    again = RecordingClaimant(first.run_id)
    assert await there.claim("ann", "t", again, linger=5) == Claim(True)
    await until(lambda: first.evictions)
    assert await runs_on(here) == [first.run_id, waiting.run_id]
    there.release("ann", "t", again.run_id)
    assert await waiting.turn() == Claim(True, (first.run_id,))
    assert not again.evictions
    waiting.release()
    await until(lambda: is_free(there))


async def claims_of_earlier_attempts_are_refused(here: ThreadStore, there: ThreadStore) -> None:
    first = RecordingClaimant()
    second, third = [RecordingClaimant(first.run_id) for _ in range(2)]
    assert await here.claim("ann", "t", first) == Claim(True)
    assert await there.claim("ann", "t", third, attempt=3) == Claim(True)
    await until(lambda: first.evictions)
    for wait in (False, True):
        claim = await here.claim("ann", "t", second, attempt=2, wait=wait)
        assert claim == Claim(False, (first.run_id,))
    assert await runs_on(here) == [first.run_id]
    there.release("ann", "t", third.run_id)
    await until(lambda: is_free(here))
    assert (second.evictions, third.evictions) == (0, 0)


async def waiting_claims_are_taken_over_by_their_run(here: ThreadStore, there: ThreadStore) -> None:
    first = await taken(here)
    waiting, last = await Waiting.on(here), await Waiting.on(there)
    again = RecordingClaimant(waiting.run_id)
    claim = asyncio.create_task(there.claim("ann", "t", again, wait=True, attempt=2))
    await until(waiting.task.done)  # with False or an error
    assert await runs_on(here) == [first.run_id, waiting.run_id, last.run_id]
    # Without waiting, it is given up.
    third = RecordingClaimant(waiting.run_id)
    assert await here.claim("ann", "t", third, attempt=3) == Claim(False, (first.run_id,))
    await until(claim.done)
    for ended in (waiting.task, claim):
        assert ended.exception() is not None or not ended.result().taken
    await until(lambda: has_runs(here, first.run_id, last.run_id))
    here.release("ann", "t", first.run_id)
    assert (await last.turn()).taken
    last.release()
    await until(lambda: is_free(there))
