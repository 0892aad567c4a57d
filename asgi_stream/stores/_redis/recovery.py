"""Write again what Redis has lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from ...errors import StoreUnavailable
from .backlog import Backlog
from .commands import Command
from .encoding import encode_record, entry_number
from .health import Health
from .link import Link
from .owned_run import OwnedRun

GROUP = 100
"""How many runs are rewritten at once."""

FORGET_SECONDS = 60.0


class Recovery:
    """Rewrites the runs of one worker after Redis has lost data.

    Args:
        link: The link to Redis.
        health: Announces losses to the other workers.
        backlog: The runs that have ended.
        renew_leases: Renews the leases of the runs that go on, and rewrites what they lack.
        lease: Seconds for which others may rewrite what is missing.
        patience: Seconds to keep trying while Redis rejects commands.
    """

    def __init__(
        self,
        link: Link,
        health: Health,
        backlog: Backlog,
        renew_leases: Callable[[], Awaitable[None]],
        *,
        lease: float,
        patience: float,
    ) -> None:
        self._link = link
        self._health = health
        self._backlog = backlog
        self._renew_leases = renew_leases
        self._lease = lease
        self._patience = patience
        self._loop = asyncio.get_running_loop()
        self._changed_at = -1e9
        self.finished_at = -1e9
        """When everything was last rewritten, by the loop's clock."""
        self.is_due = False
        """Whether Redis may lack something."""
        self._is_running = False
        self._missing: dict[str, float] = {}
        """Runs whose frames are missing, and since when."""

    @property
    def may_bring_more(self) -> bool:
        """Whether Redis has failed or changed less than a lease ago."""
        since = max(self._link.failed_at, self._changed_at)
        return self._loop.time() - since < self._lease

    def start(self, *, announce: bool = True) -> None:
        """Find out what Redis lacks, and rewrite it in the background.

        Args:
            announce: Let the other workers do so too.
        """
        self._changed_at = self._loop.time()
        self._health.disturbed()
        if not self._is_running:
            self._is_running = self.is_due = True
            self._link.spawn(self._run(announce))

    def report_missing(self, run_id: str) -> bool:
        """Report that Redis has a run's end, but not all of its frames.

        Returns:
            Whether they may still be rewritten.
        """
        now = self._loop.time()
        self._missing = {run: at for run, at in self._missing.items() if now - at < FORGET_SECONDS}
        if run_id not in self._missing:
            self._missing[run_id] = now
            self.start()
        return now - self._missing[run_id] < self._lease

    def rewrite(self, run: OwnedRun, newest: int) -> list[Command]:
        """Build the commands that rewrite what is missing of a run.

        Args:
            run: The run.
            newest: The id of the newest frame in its log.
        """
        if run.ended:
            record = encode_record(run.record, self._link.server)
            return list(run.rewrite(newest, record, self._backlog.seconds_left(run)))
        lease = run.renew(overwrite=True, extend=False)
        record = encode_record(run.producer.record, self._link.server)
        return [*lease, *run.rewrite(newest, record, run.commands.seconds_now)]

    async def _run(self, announce: bool) -> None:
        try:
            if announce:
                await self._health.announce_loss(self._patience)
            await self._renew_leases()
            finished = self._backlog.finished()
            for n in range(0, len(finished), GROUP):
                await asyncio.gather(*map(self._rewrite_finished, finished[n : n + GROUP]))
        except StoreUnavailable:
            pass  # the next beat starts again
        else:
            self.finished_at, self.is_due = self._loop.time(), False
        finally:
            self._is_running = False

    async def _rewrite_finished(self, run: OwnedRun) -> None:
        read = ("XREVRANGE", run.commands.keys.log, "+", "-", "COUNT", 1)
        [entries] = await self._link.execute(read, patience=self._patience)
        newest = entry_number(entries[0]) if entries else 0
        if newest < run.last:
            await self._link.execute(*self.rewrite(run, newest), patience=self._patience)
