"""Store records of threads in the memory of this process."""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from .thread_store import Claim, Claimant, ThreadRecord, ThreadStatus

__all__ = ["MemoryThreadStore"]

Key = tuple[str, str]


class _Claim(NamedTuple):
    claimant: Claimant
    turn: Future[bool]
    """True once the thread is the run's; False if the claim ends before."""
    attempt: int


class MemoryThreadStore:
    """Stores records of threads in this process, as a `ThreadStore`.

    Args:
        threads: How many are kept; beyond that, those that were updated first are dropped.

    Example:
        >>> store = MemoryThreadStore(threads=10_000)
    """

    local = True

    def __init__(self, *, threads: int = 100_000) -> None:
        self._most = threads
        self._records: dict[Key, ThreadRecord] = {}  # in the order of their updates
        self._claims: dict[Key, list[_Claim]] = {}

    async def check(self) -> None:
        """Return: memory can always be written."""

    async def create(self, record: ThreadRecord) -> bool:
        key = record.scope, record.thread_id
        if key in self._records:
            return False
        self._put(key, record)
        return True

    async def find(self, scope: str, thread_id: str) -> ThreadRecord | None:
        return self._current(self._records.get((scope, thread_id)))

    async def touch(
        self,
        scope: str,
        thread_id: str,
        *,
        route: str,
        now: float,
        status: ThreadStatus | None = None,
        metadata: Mapping[str, Any] | None = None,
        run_id: str | None = None,
    ) -> ThreadRecord:
        key = scope, thread_id
        record = self._records.get(key) or ThreadRecord(
            thread_id=thread_id, scope=scope, route=route, created=now, updated=now
        )
        record = record.touched(now, status=status, metadata=metadata, run_id=run_id)
        self._put(key, record)
        return self._current(record) or record

    async def delete(self, scope: str, thread_id: str) -> bool:
        return self._records.pop((scope, thread_id), None) is not None

    async def list(self, scope: str) -> list[ThreadRecord]:
        records = [each for each in reversed(self._records.values()) if each.scope == scope]
        records.sort(key=lambda record: record.updated, reverse=True)
        return [self._current(each) or each for each in records]

    async def claim(
        self,
        scope: str,
        thread_id: str,
        claimant: Claimant,
        *,
        wait: bool = False,
        evict: bool = False,
        linger: float = 0.0,
        attempt: int = 1,
    ) -> Claim:
        claims = self._claims.setdefault((scope, thread_id), [])
        before = [other.claimant for other in claims]
        runs = tuple(other.run_id for other in before)
        turn: Future[bool] = asyncio.get_running_loop().create_future()
        if claimant.run_id in runs:
            place = runs.index(claimant.run_id)
            earlier = claims[place]
            if earlier.attempt > attempt:
                return Claim(False, (claimant.run_id,))
            claims[place] = _Claim(claimant, turn, attempt)
            _resolve(earlier.turn, False)
            earlier.claimant.evicted()
            before, runs = before[:place], runs[:place]
            if before and not wait:
                del claims[place]
                return Claim(False, runs)
        elif before and not wait:
            return Claim(False, runs)
        else:
            claims.append(_Claim(claimant, turn, attempt))
        if not before:
            turn.set_result(True)
        for other in before if evict else ():
            other.evicted()
        try:
            return Claim(await turn, runs)
        except asyncio.CancelledError:
            self.release(scope, thread_id, claimant.run_id)
            raise

    def release(self, scope: str, thread_id: str, run_id: str) -> None:
        key = scope, thread_id
        claims = self._claims.pop(key, [])
        for each in claims:
            if each.claimant.run_id == run_id:
                _resolve(each.turn, False)
        claims = [each for each in claims if each.claimant.run_id != run_id]
        if claims:
            self._claims[key] = claims
            _resolve(claims[0].turn, True)

    async def aclose(self) -> None:
        """Release all claims of this event loop."""
        loop = asyncio.get_running_loop()
        for key, claims in tuple(self._claims.items()):
            for each in reversed(claims):  # so that none gets its turn
                if each.turn.get_loop() is loop:
                    self.release(*key, each.claimant.run_id)

    def _put(self, key: Key, record: ThreadRecord) -> None:
        self._records.pop(key, None)
        self._records[key] = record
        if len(self._records) > self._most:
            del self._records[next(iter(self._records))]

    def _current(self, record: ThreadRecord | None) -> ThreadRecord | None:
        """Return a record with the status that it has now."""
        if record is None or (record.scope, record.thread_id) not in self._claims:
            return record
        return replace(record, status="busy")


def _resolve(turn: Future[bool], taken: bool) -> None:
    if not turn.done():
        turn.set_result(taken)
