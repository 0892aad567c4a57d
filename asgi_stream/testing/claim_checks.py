"""The part of the contract of stores of threads that is about claims."""

from __future__ import annotations

import asyncio
from asyncio import Task
from uuid import uuid4

from anyio import fail_after

from ..stores import Claim, ThreadStore
from .recording import WAIT_SECONDS, until
from .thread_checks import TEXTS, record_of


class RecordingClaimant:
    """A `Claimant` that counts how often it is evicted."""

    def __init__(self, run_id: str | None = None) -> None:
        self.run_id = str(uuid4()) if run_id is None else run_id
        self.evictions = 0

    def evicted(self) -> None:
        self.evictions += 1


class Waiting(RecordingClaimant):
    """A claimant that waits for the thread ``t`` of the scope ``ann``."""

    def __init__(self, store: ThreadStore, *, evict: bool = False) -> None:
        super().__init__()
        self.store = store
        self.task: Task[Claim] = asyncio.create_task(
            store.claim("ann", "t", self, wait=True, evict=evict)
        )

    @classmethod
    async def on(cls, store: ThreadStore, *, evict: bool = False) -> Waiting:
        """Return a claimant that has claimed a thread which another one has."""
        claimant = cls(store, evict=evict)

        async def is_queued() -> bool:
            return claimant.run_id in await runs_on(store)

        await until(is_queued)
        return claimant

    async def turn(self) -> Claim:
        with fail_after(WAIT_SECONDS):
            return await self.task

    def release(self) -> None:
        self.store.release("ann", "t", self.run_id)


async def runs_on(store: ThreadStore, scope: str = "ann", thread_id: str = "t") -> list[str]:
    """Return the runs that have a thread, or wait for it."""
    claimant = RecordingClaimant()
    claim = await store.claim(scope, thread_id, claimant)
    store.release(scope, thread_id, claimant.run_id)
    return list(claim.before)


async def taken(store: ThreadStore) -> RecordingClaimant:
    """Return a claimant that has the thread."""
    claimant = RecordingClaimant()
    assert await store.claim("ann", "t", claimant) == Claim(True)
    return claimant


async def one_run_claims_a_thread(here: ThreadStore, there: ThreadStore) -> None:
    claimants = [RecordingClaimant() for _ in range(20)]
    claims = await asyncio.gather(
        *(
            store.claim("ann", "t", claimant)
            for store, claimant in zip([here, there] * 10, claimants, strict=True)
        )
    )
    pairs = list(zip(claimants, claims, strict=True))
    [winner] = [claimant for claimant, claim in pairs if claim.taken]
    refused = [claim for claim in claims if not claim.taken]
    assert refused == [Claim(False, (winner.run_id,))] * 19
    for store in (here, there):
        store.release("ann", "t", winner.run_id)
    await until(lambda: is_free(there))
    await taken(there)


async def waiting_claims_are_served_in_order(here: ThreadStore, there: ThreadStore) -> None:
    first = await taken(here)
    waiting = [await Waiting.on(store) for store in (there, here, there)]
    ids = [first.run_id, *(claimant.run_id for claimant in waiting)]
    assert await runs_on(here) == await runs_on(there) == ids
    here.release("ann", "t", first.run_id)
    for number, claimant in enumerate(waiting):
        assert await claimant.turn() == Claim(True, tuple(ids[: number + 1]))
        assert not any(other.task.done() for other in waiting[number + 1 :])
        claimant.release()
    await until(lambda: is_free(here))
    assert not any(claimant.evictions for claimant in (first, *waiting))


async def one_run_at_a_time_has_a_thread(here: ThreadStore, there: ThreadStore) -> None:
    running: list[str] = []

    async def run(store: ThreadStore) -> None:
        claimant = RecordingClaimant()
        claim = await store.claim("ann", "t", claimant, wait=True)
        assert claim.taken
        running.append(claimant.run_id)
        await asyncio.sleep(0.01)
        assert running == [claimant.run_id]
        running.clear()
        store.release("ann", "t", claimant.run_id)

    with fail_after(WAIT_SECONDS):
        await asyncio.gather(*(run(store) for store in [here, there] * 4))
    await until(lambda: is_free(here))


async def all_earlier_claimants_are_evicted(here: ThreadStore, there: ThreadStore) -> None:
    first = await taken(here)
    second, third = await Waiting.on(there), await Waiting.on(here)
    evictor = await Waiting.on(there, evict=True)
    await until(lambda: first.evictions and second.evictions and third.evictions)
    assert not evictor.task.done()
    for claimant in (second, third):
        claimant.task.cancel()
    here.release("ann", "t", first.run_id)
    claim = await evictor.turn()
    assert claim == Claim(True, (first.run_id, second.run_id, third.run_id))
    later = await Waiting.on(here, evict=True)
    await until(lambda: evictor.evictions)
    evictor.release()
    assert (await later.turn()).taken
    each = [claimant.evictions for claimant in (first, second, third, evictor, later)]
    assert each == [1, 1, 1, 1, 0]


async def cancelled_claims_are_withdrawn(here: ThreadStore, there: ThreadStore) -> None:
    first = await taken(here)
    second, third, last = [await Waiting.on(store) for store in (here, there, there)]
    for claimant in (second, third):
        claimant.task.cancel()
        await asyncio.wait({claimant.task})
        assert claimant.task.cancelled()
    await until(lambda: has_runs(here, first.run_id, last.run_id))
    here.release("ann", "t", first.run_id)
    assert (await last.turn()).taken
    last.release()
    at_once = Waiting(here)
    await asyncio.sleep(0)
    at_once.task.cancel()
    await asyncio.wait({at_once.task})
    at_once.release()  # if it had returned before
    await until(lambda: is_free(there))


async def waiting_claims_are_released(here: ThreadStore, there: ThreadStore) -> None:
    first = await taken(here)
    second, third = await Waiting.on(there), await Waiting.on(there)
    second.release()
    assert await second.turn() == Claim(False, (first.run_id,))
    await until(lambda: has_runs(here, first.run_id, third.run_id))
    here.release("ann", "t", first.run_id)
    assert (await third.turn()).taken


async def only_what_is_claimed_is_released(here: ThreadStore, there: ThreadStore) -> None:
    here.release("ann", "t", "none")
    first = await taken(here)
    waiting = await Waiting.on(there)
    for store in (here, there):
        store.release("ann", "t", "none")
        store.release("ann", "other", first.run_id)
        store.release("bob", "t", first.run_id)
    assert await runs_on(there) == [first.run_id, waiting.run_id]
    here.release("ann", "t", first.run_id)
    here.release("ann", "t", first.run_id)
    assert (await waiting.turn()).taken
    assert await runs_on(here) == [waiting.run_id]


async def claims_of_any_text_are_apart(here: ThreadStore, there: ThreadStore) -> None:
    pairs = [(text, text) for text in TEXTS] + [("a", "b:c"), ("a:b", "c"), ("a", "t"), ("b", "t")]
    for scope, thread in pairs:
        run = RecordingClaimant(run_id=scope + thread)
        assert await here.claim(scope, thread, run) == Claim(True), repr(scope)
    for scope, thread in pairs:
        assert await runs_on(there, scope, thread) == [scope + thread], repr(scope)
        here.release(scope, thread, scope + thread)


async def threads_are_busy_while_claimed(here: ThreadStore, there: ThreadStore) -> None:
    await here.create(record_of("t"))
    await here.create(record_of("other", updated=1))
    first = await taken(here)
    assert await _statuses(there) == ["busy", "idle"]
    record = await there.touch("ann", "t", route="/", now=2e9, status="interrupted")
    assert record.status == "busy"
    second = await Waiting.on(there)
    here.release("ann", "t", first.run_id)
    await second.turn()
    assert await _statuses(here) == ["busy", "idle"]
    second.release()
    await until(lambda: _has_statuses(here, "interrupted", "idle"))
    await taken(there)
    await here.delete("ann", "t")
    assert await here.find("ann", "t") is None
    assert (await here.touch("ann", "t", route="/", now=2e9)).status == "busy"


async def claims_end_with_their_worker(here: ThreadStore, there: ThreadStore) -> None:
    await taken(here)
    waiting = await Waiting.on(here)
    await here.aclose()
    assert not (await waiting.turn()).taken
    last = Waiting(there)
    assert (await last.turn()).taken
    assert await runs_on(here) == [last.run_id]


async def is_free(store: ThreadStore) -> bool:
    return await runs_on(store) == []


async def has_runs(store: ThreadStore, *run_ids: str) -> bool:
    return await runs_on(store) == [*run_ids]


async def _statuses(store: ThreadStore) -> list[str]:
    return [
        # A claim may end between the two.
        record.status if await store.find("ann", record.thread_id) == record else "changing"
        for record in await store.list("ann")
    ]


async def _has_statuses(store: ThreadStore, *statuses: str) -> bool:
    return await _statuses(store) == [*statuses]
