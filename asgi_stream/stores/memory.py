"""Store runs in the memory of this process."""

from __future__ import annotations

import asyncio
from array import array
from asyncio import TimerHandle
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate
from typing import cast

from ..errors import TooManyOwned
from .protocol import PAGE_BYTES, Follower, OwnershipLost, Page, Producer, Quota
from .record import RunRecord

__all__ = ["MemoryStore"]


class _Run:
    """One run and its frames."""

    def __init__(
        self, producer: Producer, keep: float, names: Sequence[str], quota: str | None
    ) -> None:
        self.record = producer.record
        self.producer: Producer | None = producer
        self.keep = keep
        self.names = names
        self.quota = quota
        self.growing: list[bytes] = []
        self.first = 1
        self.frames: list[bytes] | _JoinedFrames = self.growing
        self.size = 0
        self.followers: tuple[Follower, ...] = ()
        self.timer: TimerHandle | None = None

    @property
    def last(self) -> int:
        return self.first + len(self.frames) - 1

    def trim(self, keep_from: int) -> int:
        """Drop frames, and return their size in bytes."""
        dropped = self.growing[: keep_from - self.first]
        del self.growing[: len(dropped)]
        self.first += len(dropped)
        return sum(map(len, dropped))

    def count_readers(self) -> None:
        if self.producer is not None:
            self.producer.read_by(len(self.followers))

    def end(self, record: RunRecord) -> None:
        self.record = record
        self.producer = None  # releases everything the run has held
        # Many small objects cost the garbage collector time for as long as they exist.
        self.frames = _JoinedFrames(self.growing)
        self.growing = []


class _JoinedFrames:
    """Frames that no longer change, as one object."""

    def __init__(self, frames: Sequence[bytes]) -> None:
        self._joined = b"".join(frames)
        self._ends = array("Q", accumulate(map(len, frames)))

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: int) -> bytes:
        return self._joined[self._ends[index - 1] if index else 0 : self._ends[index]]


class MemoryStore:
    """Stores runs in this process, for readers on the same event loop, as an `EventStore`.

    Args:
        size: Bytes of frames that all runs together may take. Beyond them the runs that ended first
            are dropped early. Unfinished runs are never dropped; `Resume.size` bounds each.

    Example:
        >>> store = MemoryStore(size=64_000_000)
    """

    local = True

    def __init__(self, *, size: int = 268_435_456) -> None:
        self._capacity = size
        self._size = 0
        self._runs: dict[str, _Run] = {}
        self._ended: dict[str, None] = {}  # in the order of their ends
        self._names: dict[str, str] = {}
        self._unfinished: Counter[str] = Counter()

    async def check(self) -> None:
        """Return: memory can always be written."""

    async def create(
        self,
        producer: Producer,
        *,
        keep: float,
        conversation_id: str | None = None,
        key: str | None = None,
        quota: Quota | None = None,
        origin: bytes | None = None,
    ) -> str:
        run_id = producer.record.run_id
        if key is not None and key in self._names:
            return self._names[key]
        if quota is not None:
            if self._unfinished[quota.name] >= quota.limit:
                raise TooManyOwned
            self._unfinished[quota.name] += 1
        names = [name for name in (conversation_id, key) if name is not None]
        self._names |= dict.fromkeys(names, run_id)
        self._runs[run_id] = _Run(producer, keep, names, None if quota is None else quota.name)
        return run_id

    def append(
        self,
        run_id: str,
        first: int,
        frames: Sequence[bytes],
        keep_from: int = 1,
        record: RunRecord | None = None,
    ) -> bool:
        run = self._runs[run_id]
        growth = len(frames[0]) if len(frames) == 1 else sum(map(len, frames))
        run.growing += frames
        if keep_from > run.first:
            growth -= run.trim(keep_from)
        run.size += growth
        self._size += growth
        ended = record is not None and record.ended is not None
        if record is not None and ended:
            run.end(record)
        for follower in run.followers:
            follower.on_frames(first, frames, ended)
        if ended:
            loop = asyncio.get_running_loop()
            run.timer = loop.call_later(run.keep, self._drop, run_id)
            self._ended[run_id] = None
            if run.quota is not None:
                self._uncount(run.quota)
        if self._size > self._capacity:
            self._make_room()
        return True

    async def finalize_orphan(
        self, run_id: str, after: int, first: int, frames: Sequence[bytes], record: RunRecord
    ) -> None:
        raise OwnershipLost  # a run's producer lives as long as this process

    async def take_over(
        self, producer: Producer, after: int, frames: Sequence[bytes]
    ) -> bytes | None:
        raise OwnershipLost

    async def read(self, run_id: str, after: int) -> Page | None:
        run = self._runs.get(run_id)
        if run is None:
            return None
        first = max(after + 1, run.first)
        frames: list[bytes] = []
        size = 0
        for n in range(first - run.first, len(run.frames)):
            frame = run.frames[n]
            frames.append(frame)
            size += len(frame)
            if size >= PAGE_BYTES:
                break
        more = first + len(frames) <= run.last
        return Page(first, frames, run.producer is None and not more, more)

    async def find(self, run_id: str) -> RunRecord | None:
        run = self._runs.get(run_id)
        if run is None:
            return None
        return run.record if run.producer is None else run.producer.record

    async def named(self, name: str) -> str | None:
        return self._names.get(name)

    async def owned(self, owner: str) -> list[RunRecord]:
        records = [await self.find(run_id) for run_id in reversed(self._runs)]
        return [record for record in records if record is not None and record.owner == owner]

    async def stop(self, run_id: str) -> None:
        run = self._runs.get(run_id)
        if run is not None and run.producer is not None:
            run.producer.stop()

    async def delete(self, run_id: str) -> None:
        if run_id in self._ended:
            self._drop(run_id)

    async def follow(self, run_id: str, follower: Follower) -> None:
        run = self._runs.get(run_id)
        if run is not None:
            run.followers = (*run.followers, follower)
            run.count_readers()

    def unfollow(self, run_id: str, follower: Follower) -> None:
        run = self._runs.get(run_id)
        if run is not None and follower in run.followers:
            run.followers = tuple(other for other in run.followers if other is not follower)
            run.count_readers()

    async def aclose(self) -> None:
        for run_id in tuple(self._runs):
            if self._runs[run_id].producer is None:
                self._drop(run_id)

    def _uncount(self, name: str) -> None:
        self._unfinished[name] -= 1
        if not self._unfinished[name]:
            del self._unfinished[name]

    def _make_room(self) -> None:
        """Drop runs that have ended, the first to end first, until the rest fits."""
        while self._ended and self._size > self._capacity:
            self._drop(next(iter(self._ended)))

    def _drop(self, run_id: str) -> None:
        run = self._runs.pop(run_id)
        del self._ended[run_id]
        self._size -= run.size
        cast(TimerHandle, run.timer).cancel()
        for name in run.names:
            if self._names[name] == run_id:
                del self._names[name]
        for follower in run.followers:
            follower.look()
