"""Find runs and read their frames, whichever worker produces them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from ...errors import WorkerLost
from ..protocol import Page
from ..record import RunRecord
from .commands import Command
from .encoding import count_contiguous, decode_record, entry_number
from .health import Loss
from .keys import Keys
from .link import REQUEST_SECONDS
from .worker import Worker

POLL_SECONDS = 0.05
"""The time between two checks for what another worker is about to write."""

PAGE_FRAMES = 500

SKIPPED = 1_000_000
"""Ids that are skipped when a run is finalized whose newest frames Redis may have lost: readers may
have seen other frames under them."""


class Snapshot(NamedTuple):
    """What Redis has of a run.

    Attributes:
        entries: The entries of the log that were read.
        record: The record, if there is one.
        is_leased: Whether a lease exists.
        is_alive: Whether the run has ended, or a worker may still produce it.
        is_certain: Whether the record was written to this Redis server, which has lost nothing
            since.
    """

    entries: Sequence[Any]
    record: RunRecord | None
    is_leased: bool
    is_alive: bool
    is_certain: bool


class Lookup:
    """Reads what Redis has of runs.

    Args:
        worker: The worker that reads.
        keys: The names of keys.
        lease: Seconds until a lease expires.
        patience: Seconds that a reader waits while Redis does not respond.
    """

    def __init__(self, worker: Worker, keys: Keys, *, lease: float, patience: float) -> None:
        self._worker, self._keys = worker, keys
        self._link, self._health, self._recovery = worker.link, worker.health, worker.recovery
        self._lease, self._patience = lease, patience

    async def read(self, run_id: str, after: int) -> Page | None:
        """Return frames after the id `after`; None if there is no such run."""
        log = self._keys.of_run(run_id).log
        read = ("XRANGE", log, after + 1, "+", "COUNT", PAGE_FRAMES)
        snapshot = await self._snapshot(run_id, read, self._patience)
        entries, record = snapshot.entries, snapshot.record
        if not entries:
            if record is None and not snapshot.is_leased:
                return Page(after + 1, (), False, False) if await self._may_appear() else None
            return self._last_page(run_id, snapshot, after + 1, [])
        first, count = entry_number(entries[0]), count_contiguous(entries)
        frames = [fields[b"f"] for _, fields in entries[:count]]
        closed = count == len(entries) and b"e" in entries[-1][1]
        if closed or count < len(entries) or count == PAGE_FRAMES:
            return Page(first, frames, closed, not closed)
        return self._last_page(run_id, snapshot, first, frames)

    def _last_page(self, run_id: str, snapshot: Snapshot, first: int, frames: list[bytes]) -> Page:
        """Return the newest frames of a run whose log is still open."""
        record, newest = snapshot.record, first + len(frames) - 1
        lacks_frames = record is not None and record.frames > newest
        if record is not None and record.ended is not None:
            if lacks_frames and self._recovery.report_missing(run_id):
                return Page(first, frames, False, False)  # its worker may rewrite them
            return Page(first if frames else record.frames + 1, frames, not frames, bool(frames))
        if snapshot.is_alive:
            return Page(first, frames, False, False)
        is_complete = not lacks_frames and snapshot.is_certain
        final = max(newest, record.frames if record else 0) + 1
        return Page(first, frames, False, False, final if is_complete else final + SKIPPED)

    async def find(self, run_id: str) -> RunRecord | None:
        """Return a run's record. Waits for one that may still be rewritten."""
        deadline = asyncio.get_running_loop().time() + 2 * self._lease
        record, exists = await self._find_now(run_id)
        while record is None and asyncio.get_running_loop().time() < deadline:
            if not exists and not await self._may_appear():
                return (await self._find_now(run_id))[0]
            await asyncio.sleep(POLL_SECONDS)
            record, exists = await self._find_now(run_id)
        return record

    async def named(self, name: str) -> str | None:
        """Return the id of the run that has a name. Waits while a run that claims it is created."""
        key = self._keys.name(name)
        self._worker.beat()
        while True:  # as long as a claim is valid, or lost data may be rewritten
            [holder] = await self._link.execute(("GET", key), patience=REQUEST_SECONDS)
            if holder is None:
                if not await self._may_appear():
                    return None
            elif holder.startswith(b"?"):
                # A claim gets confirmed, or is void once its run has no worker.
                if await self._is_abandoned(holder[1:].decode()):
                    return None
            else:
                run_id = str(holder.decode())
                return run_id if await self.find(run_id) is not None else None
            await asyncio.sleep(POLL_SECONDS)

    async def owned(self, owner: str) -> list[RunRecord]:
        """Return the records of an owner's runs, newest first."""
        members = ("ZRANGE", self._keys.owner(owner), 0, -1)
        [ids] = await self._link.execute(members, patience=REQUEST_SECONDS)
        finding = (self._find_now(run_id.decode()) for run_id in ids)
        results = await asyncio.gather(*finding, return_exceptions=True)
        # A key of the wrong type hides one run, not all of them.
        records = [result[0] for result in results if isinstance(result, tuple)]
        existing = [record for record in records if record is not None]
        return sorted(existing, key=lambda record: record.created, reverse=True)

    async def _snapshot(self, run_id: str, command: Command, patience: float) -> Snapshot:
        keys = self._keys.of_run(run_id)
        self._worker.beat()
        # The log comes last, so that it has the frames that the record implies.
        data, leased, unsettled, entries = await self._link.execute(
            ("GET", keys.record),
            ("EXISTS", keys.lease),
            ("EXISTS", self._keys.unsettled),
            command,
            patience=patience,
        )
        record, server = (None, "") if data is None else decode_record(data)
        ended = record is not None and record.ended is not None
        if leased:
            self._health.has_lease(run_id)
        is_alive = bool(leased or unsettled or ended) or not self._health.is_orphaned(run_id)
        is_certain = server != "" and server == self._link.server
        return Snapshot(entries or [], record, bool(leased), is_alive, is_certain)

    async def _find_now(self, run_id: str) -> tuple[RunRecord | None, bool]:
        """Return a run's record; if there is none, whether the run has a lease."""
        newest = ("XREVRANGE", self._keys.of_run(run_id).log, "+", "-", "COUNT", 1)
        snapshot = await self._snapshot(run_id, newest, REQUEST_SECONDS)
        record, entries = snapshot.record, snapshot.entries
        written = entry_number(entries[0]) if entries else 0
        if record is None:
            return None, snapshot.is_leased
        if record.ended is None:
            certain = snapshot.is_certain and record.frames <= written
            record = replace(record, certain=certain)
        record = replace(record, frames=max(record.frames, written))
        if not snapshot.is_alive:
            record = replace(record, state="failed", code=WorkerLost.code)
        return record, True

    async def _may_appear(self) -> bool:
        """Whether what Redis lacks may be rewritten by the worker that has written it.

        Raises:
            StoreUnavailable: Redis does not respond, or cannot be written.
        """
        loss = await self._health.loss(REQUEST_SECONDS)
        if loss is Loss.NEWS:
            self._recovery.start()
            await self._health.announce_loss(0.0)
        return loss is not Loss.NONE or self._recovery.may_bring_more

    async def _is_abandoned(self, run_id: str) -> bool:
        """Whether a run that claims a name certainly has no worker."""
        lease = self._keys.of_run(run_id).lease
        [leased] = await self._link.execute(("EXISTS", lease), patience=REQUEST_SECONDS)
        if leased:
            self._health.has_lease(run_id)
        return not leased and self._health.is_orphaned(run_id)
