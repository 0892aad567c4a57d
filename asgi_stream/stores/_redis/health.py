"""One worker's view of its Redis: whether it lost data, and which runs have no worker."""

from __future__ import annotations

import asyncio
from enum import Enum, auto

from ...errors import StoreUnavailable
from .keys import Keys
from .link import Link

BEAT_SECONDS = 1.0
"""How often a worker renews its leases, and checks its Redis."""

CONFIRM_SECONDS = 1.5
"""How long a run must be seen without a lease to count as orphaned. Its worker renews the lease
each second, and so restores it if Redis has lost nothing else."""

PAUSED_SECONDS = 3.0
"""A worker whose last check is longer ago was suspended, and has missed what happened since."""

FORGET_SECONDS = 60.0


class Loss(Enum):
    """The result of a check whether Redis has lost data."""

    NONE = auto()
    NEWS = auto()
    """Redis has lost data, and the other workers may not know it."""
    KNOWN = auto()
    """Another worker has announced a loss."""


class Health:
    """Checks Redis, and decides whether a run is orphaned.

    Args:
        link: The link to Redis.
        keys: The names of keys.
        worker_id: The id of this worker.
        lease: Seconds until a lease expires.
    """

    def __init__(self, link: Link, keys: Keys, *, worker_id: str, lease: float) -> None:
        self._link = link
        self._keys = keys
        self._beat = keys.worker(f"{worker_id}:beat")
        self._lease = lease
        self._loop = asyncio.get_running_loop()
        self._stable_since: float | None = None
        """Since when each check has found Redis writable and unchanged."""
        self._checked_at = self._loop.time()
        self._unleased: dict[str, float] = {}
        """Runs that were seen without a lease, and since when."""

    def disturbed(self) -> None:
        """Redis has changed, so leases may be missing for that reason."""
        self._stable_since = None

    def has_lease(self, run_id: str) -> None:
        self._unleased.pop(run_id, None)

    def is_orphaned(self, run_id: str) -> bool:
        """Whether a run without a lease certainly has no worker.

        Not while Redis could have kept the worker from renewing its lease.
        """
        now = self._loop.time()
        unleased_since = self._unleased.setdefault(run_id, now)
        stable_since = self._stable_since
        if stable_since is None or self._link.failed_at >= stable_since:
            return False
        is_stable = now - stable_since > self._lease + BEAT_SECONDS
        return is_stable and now - unleased_since > CONFIRM_SECONDS

    async def check(self, *, restored_at: float) -> Loss:
        """Check that Redis can be written, and has the data that it had.

        Args:
            restored_at: When this worker last rewrote what was missing.
        """
        now = self._loop.time()
        was_paused, self._checked_at = now - self._checked_at > PAUSED_SECONDS, now
        for run_id in [run for run, at in self._unleased.items() if now - at > FORGET_SECONDS]:
            del self._unleased[run_id]
        await self._link.identify()
        try:
            known_server, unsettled, _ = await self._link.execute(
                ("GET", self._keys.server),
                ("EXISTS", self._keys.unsettled),
                ("SET", self._beat, 1, "PX", int(self._lease * 1000)),
                patience=0.0,
            )
        except StoreUnavailable:
            self._stable_since = None
            return Loss.NONE
        is_disturbed = self._stable_since is None or self._link.failed_at >= self._stable_since
        if was_paused or is_disturbed:
            self._stable_since = self._loop.time()
        if not self._is_complete(known_server):
            return Loss.NEWS
        if was_paused or (unsettled and now - restored_at > self._lease):
            return Loss.KNOWN
        return Loss.NONE

    async def announce_loss(self, patience: float) -> None:
        """Let all workers rewrite what Redis lacks, and readers wait for that, for a lease's time.

        Raises:
            StoreUnavailable: Redis cannot be written.
        """
        await self._link.execute(
            ("SET", self._keys.server, self._link.server or "unknown"),
            ("SET", self._keys.unsettled, 1, "PX", int(self._lease * 1000)),
            patience=patience,
        )

    async def loss(self, patience: float) -> Loss:
        """Return whether workers may still rewrite what Redis lacks.

        Raises:
            StoreUnavailable: Redis does not respond.
        """
        known_server, unsettled = await self._link.execute(
            ("GET", self._keys.server), ("EXISTS", self._keys.unsettled), patience=patience
        )
        if not self._is_complete(known_server):
            return Loss.NEWS
        return Loss.KNOWN if unsettled else Loss.NONE

    def _is_complete(self, known_server: bytes | None) -> bool:
        # A user who may not run INFO relies on the other workers.
        return known_server is not None and self._link.server in ("", known_server.decode())
