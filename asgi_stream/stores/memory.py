"""Runs in the memory of this process."""

from __future__ import annotations

import asyncio
from array import array
from asyncio import TimerHandle
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate
from typing import cast

from ..errors import TooManyOwned
from .protocol import PAGE_BYTES, Follower, OwnershipLost, Page, Producer, Quota, RunRecord

__all__ = ["MemoryStore"]


class _Kept:
    """One run and its frames."""

    def __init__(
        self, producer: Producer, keep: float, names: Sequence[str], counted_for: str | None
    ) -> None:
        self.record = producer.record
        self.producer: Producer | None = producer
        self.keep = keep
        self.names = names
        self.counted_for = counted_for
        self.growing: list[bytes] = []
        self.first = 1
        self.frames: list[bytes] | _Joined = self.growing
        self.size = 0
        self.followers: tuple[Follower, ...] = ()
        self.timer: TimerHandle | None = None

    def trim(self, keep_from: int) -> int:
        """Drop frames, and say how many bytes they had."""
        gone = self.growing[: keep_from - self.first]
        del self.growing[: len(gone)]
        self.first += len(gone)
        return sum(map(len, gone))

    def count(self) -> None:
        if self.producer is not None:
            self.producer.read_by(len(self.followers))

    def end(self, record: RunRecord) -> None:
        self.record = record
        self.producer = None  # which holds all that the run has held
        # Many small objects are work for the garbage collector for as long as they are there.
        self.frames = _Joined(self.growing)
        self.growing = []

    @property
    def last(self) -> int:
        return self.first + len(self.frames) - 1


class _Joined:
    """Frames that no longer change, in one piece."""

    def __init__(self, frames: Sequence[bytes]) -> None:
        self._all = b"".join(frames)
        self._ends = array("Q", accumulate(map(len, frames)))

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, place: int) -> bytes:
        return self._all[self._ends[place - 1] if place else 0 : self._ends[place]]


class MemoryStore:
    """Keeps runs as long as this process lives, for readers on the same event loop.

    Args:
        size: Bytes of frames that all runs together may take. When they take more, the runs that
            ended first are dropped before their time. Those that go on are bounded by
            `Resume.size`, each.
    """

    local = True

    def __init__(self, *, size: int = 268_435_456) -> None:
        self._capacity = size
        self._size = 0
        self._runs: dict[str, _Kept] = {}
        self._ended: dict[str, None] = {}  # the first to end is the first
        self._names: dict[str, str] = {}
        self._unfinished: Counter[str] = Counter()

    async def check(self) -> None:
        """Memory can always be written."""

    async def create(
        self,
        producer: Producer,
        *,
        keep: float,
        place: str | None = None,
        key: str | None = None,
        quota: Quota | None = None,
    ) -> str:
        run_id = producer.record.run_id
        if key is not None and key in self._names:
            return self._names[key]
        if quota is not None:
            if self._unfinished[quota.name] >= quota.limit:
                raise TooManyOwned
            self._unfinished[quota.name] += 1
        names = [name for name in (place, key) if name is not None]
        self._names |= dict.fromkeys(names, run_id)
        self._runs[run_id] = _Kept(producer, keep, names, None if quota is None else quota.name)
        return run_id

    def append(
        self,
        run_id: str,
        first: int,
        frames: Sequence[bytes],
        keep_from: int = 1,
        record: RunRecord | None = None,
    ) -> bool:
        kept = self._runs[run_id]
        added = len(frames[0]) if len(frames) == 1 else sum(map(len, frames))
        kept.growing += frames
        if keep_from > kept.first:
            added -= kept.trim(keep_from)
        kept.size += added
        self._size += added
        ended = record is not None and record.ended is not None
        if record is not None and ended:
            kept.end(record)
        for follower in kept.followers:
            follower.on_frames(first, frames, ended)
        if ended:
            loop = asyncio.get_running_loop()
            kept.timer = loop.call_later(kept.keep, self._drop, run_id)
            self._ended[run_id] = None
            if kept.counted_for is not None:
                self._uncount(kept.counted_for)
        if self._size > self._capacity:
            self._make_room()
        return True

    async def finalize_orphan(
        self, run_id: str, after: int, first: int, frames: Sequence[bytes], record: RunRecord
    ) -> None:
        raise OwnershipLost  # whoever makes a run lives as long as this does

    async def read(self, run_id: str, after: int) -> Page | None:
        kept = self._runs.get(run_id)
        if kept is None:
            return None
        begin = max(after + 1, kept.first)
        frames: list[bytes] = []
        size = 0
        for n in range(begin - kept.first, len(kept.frames)):
            frame = kept.frames[n]
            frames.append(frame)
            size += len(frame)
            if size >= PAGE_BYTES:
                break
        more = begin + len(frames) <= kept.last
        return Page(begin, frames, kept.producer is None and not more, more)

    async def find(self, run_id: str) -> RunRecord | None:
        kept = self._runs.get(run_id)
        if kept is None:
            return None
        return kept.record if kept.producer is None else kept.producer.record

    async def named(self, name: str) -> str | None:
        return self._names.get(name)

    async def owned(self, owner: str) -> list[RunRecord]:
        records = [await self.find(run_id) for run_id in reversed(self._runs)]
        return [record for record in records if record is not None and record.owner == owner]

    async def stop(self, run_id: str) -> None:
        kept = self._runs.get(run_id)
        if kept is not None and kept.producer is not None:
            kept.producer.stop()

    async def follow(self, run_id: str, follower: Follower) -> None:
        kept = self._runs.get(run_id)
        if kept is not None:
            kept.followers = (*kept.followers, follower)
            kept.count()

    def unfollow(self, run_id: str, follower: Follower) -> None:
        kept = self._runs.get(run_id)
        if kept is not None and follower in kept.followers:
            kept.followers = tuple(each for each in kept.followers if each is not follower)
            kept.count()

    async def aclose(self) -> None:
        for run_id in tuple(self._runs):
            if self._runs[run_id].producer is None:
                self._drop(run_id)

    def _uncount(self, name: str) -> None:
        self._unfinished[name] -= 1
        if not self._unfinished[name]:
            del self._unfinished[name]

    def _make_room(self) -> None:
        """Drop runs that have ended, the first of them first, until the rest has room."""
        while self._ended and self._size > self._capacity:
            self._drop(next(iter(self._ended)))

    def _drop(self, run_id: str) -> None:
        kept = self._runs.pop(run_id)
        del self._ended[run_id]
        self._size -= kept.size
        cast(TimerHandle, kept.timer).cancel()
        for name in kept.names:
            if self._names[name] == run_id:
                del self._names[name]
        for follower in kept.followers:
            follower.look()
