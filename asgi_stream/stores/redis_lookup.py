"""What there is of runs on Redis, wherever they are made, and what may still come."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from ..errors import WorkerLost
from .protocol import RunRecord
from .redis_commands import Keys, number_of, unpacked_record
from .redis_health import Loss
from .redis_link import Command
from .redis_worker import Worker

PATIENCE_OF_REQUESTS = 1.0
"""Seconds that a new request waits for a Redis that does not answer."""

POLL_SECONDS = 0.05
"""Between two looks for what another worker is about to write."""


class Seen(NamedTuple):
    """What there is of a run.

    Attributes:
        entries: Of its log.
        record: Its record, if it has one.
        leased: Whether it has a lease.
        alive: Whether it has ended, or a worker may make it.
        is_certain: Whether the record was written to this Redis, so that it has lost nothing since.
    """

    entries: Sequence[Any]
    record: RunRecord | None
    leased: bool
    alive: bool
    is_certain: bool


class Lookup:
    """Looks for runs.

    Args:
        here: The worker that looks.
        keys: The names of keys.
        lease: Seconds for which a worker is believed to live.
    """

    def __init__(self, here: Worker, keys: Keys, lease: float) -> None:
        self._here, self._keys, self._lease = here, keys, lease

    async def find(self, run_id: str) -> RunRecord | None:
        until = asyncio.get_running_loop().time() + 2 * self._lease
        found, partly = await self.find_now(run_id)
        while found is None and asyncio.get_running_loop().time() < until:
            if not partly and not await self.may_come():
                return (await self.find_now(run_id))[0]
            await asyncio.sleep(POLL_SECONDS)
            found, partly = await self.find_now(run_id)
        return found

    async def named(self, name: str) -> str | None:
        link, key = self._here.link, self._keys.name(name)
        self._here.beat()
        while True:  # for as long as a claim lives, or what is lost may come
            [holder] = await link.do(("GET", key), patience=PATIENCE_OF_REQUESTS)
            if holder is None:
                if not await self.may_come():
                    return None
            elif holder.startswith(b"?"):
                # A claim is confirmed, or is worth nothing once its run has no worker.
                if await self._is_abandoned(holder[1:].decode()):
                    return None
            else:
                run_id = str(holder.decode())
                return run_id if await self.find(run_id) is not None else None
            await asyncio.sleep(POLL_SECONDS)

    async def see(self, run_id: str, command: Command, patience: float) -> Seen:
        here, (_, run, lease, _) = self._here, self._keys.of_run(run_id)
        here.beat()
        # The entries last: what the record says of the run's end is among them.
        data, leased, unsettled, entries = await here.link.do(
            ("GET", run),
            ("EXISTS", lease),
            ("EXISTS", self._keys.unsettled),
            command,
            patience=patience,
        )
        record, server = (None, "") if data is None else unpacked_record(data)
        ended = record is not None and record.ended is not None
        if leased:
            here.health.has_lease(run_id)
        alive = bool(leased or unsettled or ended) or not here.health.is_dead(run_id)
        is_certain = server != "" and server == here.link.server
        return Seen(entries or [], record, bool(leased), alive, is_certain)

    async def find_now(self, run_id: str) -> tuple[RunRecord | None, bool]:
        """What is known of a run; without that, whether there is something of it."""
        log = self._keys.of_run(run_id)[0]
        newest = ("XREVRANGE", log, "+", "-", "COUNT", 1)
        seen = await self.see(run_id, newest, PATIENCE_OF_REQUESTS)
        record, written = seen.record, number_of(seen.entries[0]) if seen.entries else 0
        if record is None:
            return None, seen.leased
        if record.ended is None:
            certain = seen.is_certain and record.frames <= written
            record = replace(record, certain=certain)
        record = replace(record, frames=max(record.frames, written))
        if not seen.alive:
            record = replace(record, state="failed", code=WorkerLost.code)
        return record, True

    async def may_come(self) -> bool:
        """Whether what is not there may be written again by who has made it.

        Raises:
            StoreUnavailable: Redis does not answer, or does not take that it must be.
        """
        here = self._here
        loss = await here.health.is_unsettled(PATIENCE_OF_REQUESTS)
        if loss is Loss.NEWS:
            here.changed()
            await here.health.unsettle(0.0)
        return loss is not Loss.NONE or here.has_been_away

    async def _is_abandoned(self, run_id: str) -> bool:
        """Whether a run that has a name has no worker, as far as can be known."""
        health, lease = self._here.health, self._keys.of_run(run_id)[2]
        [leased] = await self._here.link.do(("EXISTS", lease), patience=PATIENCE_OF_REQUESTS)
        if leased:
            health.has_lease(run_id)
        return not leased and health.is_dead(run_id)
