"""Stores in memory that take part in tests as if several workers shared them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from langgraph.checkpoint.memory import InMemorySaver

from asgi_stream.errors import WorkerLost
from asgi_stream.stores import Claim, Claimant, OwnershipLost, Page, Producer, RunRecord
from asgi_stream.stores.memory import MemoryStore
from asgi_stream.stores.memory_threads import MemoryThreadStore


class SharedSaver(InMemorySaver):
    """A checkpointer that all workers share."""


class SharedThreadStore(MemoryThreadStore):
    """A store whose claims belong to workers: a run that is displaced releases its own only."""

    local = False

    def __init__(self) -> None:
        super().__init__()
        self._displaced: Counter[str] = Counter()

    async def claim(self, scope: str, thread_id: str, claimant: Claimant, **options: Any) -> Claim:
        claimants = [each.claimant for each in self._claims.get((scope, thread_id), [])]
        self._displaced[claimant.run_id] += claimant.run_id in [each.run_id for each in claimants]
        return await super().claim(scope, thread_id, claimant, **options)

    def release(self, scope: str, thread_id: str, run_id: str) -> None:
        if self._displaced[run_id]:
            self._displaced[run_id] -= 1
        else:
            super().release(scope, thread_id, run_id)


class SharedStore(MemoryStore):
    """A store in which runs can lose their workers.

    Attributes:
        taken: How often a run has been taken over.
        origins: What runs were created with.
    """

    local = False

    def __init__(self) -> None:
        super().__init__()
        self.taken = 0
        self.origins: dict[str, bytes | None] = {}
        self._lost: set[str] = set()
        self._old: dict[str, Producer] = {}

    def lose(self, run_id: str) -> None:
        """Have the run's worker die, as it seems to all others."""
        self._lost.add(run_id)
        for follower in reversed(self._runs[run_id].followers):
            follower.look()

    async def create(
        self, producer: Producer, *, origin: bytes | None = None, **options: Any
    ) -> str:
        self.origins[producer.record.run_id] = origin
        return await super().create(producer, **options)

    def append(self, run_id: str, first: int, *arguments: Any, **options: Any) -> bool:
        if first == self._runs[run_id].last + 1 and run_id not in self._lost:
            return super().append(run_id, first, *arguments, **options)
        self._old[run_id].written(OwnershipLost())
        return False

    async def read(self, run_id: str, after: int) -> Page | None:
        page = await super().read(run_id, after)
        if page is None or page.more or run_id not in self._lost:
            return page
        return replace(page, final=self._runs[run_id].last + 1)

    async def find(self, run_id: str) -> RunRecord | None:
        record = await super().find(run_id)
        if record is None or run_id not in self._lost:
            return record
        return replace(record, state="failed", code=WorkerLost.code)

    async def finalize_orphan(
        self, run_id: str, after: int, first: int, frames: Sequence[bytes], record: RunRecord
    ) -> None:
        self._take(run_id, after)
        super().append(run_id, first, frames, record=record)

    async def take_over(
        self, producer: Producer, after: int, frames: Sequence[bytes]
    ) -> bytes | None:
        run_id = producer.record.run_id
        self._take(run_id, after)
        self.taken += 1
        run = self._runs[run_id]
        run.producer = producer
        super().append(run_id, after + 1, frames)
        run.count_readers()
        return self.origins[run_id]

    def _take(self, run_id: str, after: int) -> None:
        run = self._runs[run_id]
        if run_id not in self._lost or run.last != after or run.producer is None:
            raise OwnershipLost
        self._lost.discard(run_id)
        self._old[run_id] = run.producer
