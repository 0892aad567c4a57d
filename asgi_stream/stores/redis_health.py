"""What one worker knows of its Redis: whether it has lost data, and which runs have no worker."""

from __future__ import annotations

import asyncio
from enum import Enum, auto

from ..errors import StoreUnavailable
from .redis_commands import Keys
from .redis_link import Command, Link

BEAT_SECONDS = 1.0

CONFIRM_SECONDS = 1.5
"""For which a run must be seen without a lease. Its worker renews it each second, and so also gives
it back if Redis has lost that alone."""

HELD_SECONDS = 3.0
"""A worker that has not looked for so long was held meanwhile, and does not know what has been."""

FORGET_SECONDS = 60.0


class Loss(Enum):
    """What a look at Redis has found."""

    NONE = auto()
    NEWS = auto()
    """Redis has lost data, as far as this worker knows, and the others may not know that."""
    KNOWN = auto()
    """Another worker has announced it."""


class Health:
    """Looks at Redis each second.

    Args:
        link: The way to it.
        keys: The names of keys.
        worker: The id of this worker.
        lease: Seconds for which others believe that a worker lives.
    """

    def __init__(self, link: Link, keys: Keys, *, worker: str, lease: float) -> None:
        self._link = link
        self._keys = keys
        self._own = keys.worker(f"{worker}:beat")
        self._lease = lease
        self._loop = asyncio.get_running_loop()
        self._since: float | None = None
        """Since when each look has found Redis to take what is written, without a change."""
        self._looked = self._loop.time()
        self._unleased: dict[str, float] = {}

    def disturbed(self) -> None:
        """Redis has changed, so leases may be missing for that."""
        self._since = None

    def has_lease(self, run_id: str) -> None:
        self._unleased.pop(run_id, None)

    def is_dead(self, run_id: str) -> bool:
        """Whether a run without a lease has no worker, as far as this one can be sure.

        It is not while Redis could have kept the worker from renewing the lease.
        """
        now = self._loop.time()
        since = self._unleased.setdefault(run_id, now)
        well = self._since
        if well is None or self._link.failed >= well:
            return False
        return now - well > self._lease + BEAT_SECONDS and now - since > CONFIRM_SECONDS

    async def look(self, *, restored_at: float) -> Loss:
        """Find out whether Redis can be written and has what it had.

        Args:
            restored_at: When this worker last wrote again what was missing.
        """
        now = self._loop.time()
        held, self._looked = now - self._looked > HELD_SECONDS, now
        for run_id in [each for each, at in self._unleased.items() if now - at > FORGET_SECONDS]:
            del self._unleased[run_id]
        await self._ask_who_answers()
        try:
            known, unsettled, _ = await self._link.do(
                ("GET", self._keys.server),
                ("EXISTS", self._keys.unsettled),
                ("SET", self._own, 1, "PX", int(self._lease * 1000)),
                patience=0.0,
            )
        except StoreUnavailable:
            self._since = None
            return Loss.NONE
        if held or self._since is None or self._link.failed >= self._since:
            self._since = self._loop.time()
        if not self._is_settled(known):
            return Loss.NEWS
        if held or (unsettled and now - restored_at > self._lease):
            return Loss.KNOWN
        return Loss.NONE

    async def unsettle(self, patience: float) -> None:
        """Let all workers know that what Redis lacks may be written again, for a lease's time.

        Raises:
            StoreUnavailable: Redis does not take it.
        """
        await self._link.do(
            ("SET", self._keys.server, self._link.server or "unknown"),
            ("SET", self._keys.unsettled, 1, "PX", int(self._lease * 1000)),
            patience=patience,
        )

    async def is_unsettled(self, patience: float) -> Loss:
        """Whether what Redis lacks may be written again by those who made it.

        Raises:
            StoreUnavailable: Redis does not answer.
        """
        known, unsettled = await self._link.do(
            ("GET", self._keys.server), ("EXISTS", self._keys.unsettled), patience=patience
        )
        if not self._is_settled(known):
            return Loss.NEWS
        return Loss.KNOWN if unsettled else Loss.NONE

    def _is_settled(self, known: bytes | None) -> bool:
        # Who may not ask which Redis it is believes the others.
        return known is not None and self._link.server in ("", known.decode())

    async def _ask_who_answers(self) -> None:
        if not self._link.server:
            return
        commands: tuple[Command, ...] = (("INFO", "server"), ("INFO", "replication"))
        try:
            self._link.answers_from(*await self._link.do(*commands, patience=0.0))
        except StoreUnavailable:
            self._link.server = ""
