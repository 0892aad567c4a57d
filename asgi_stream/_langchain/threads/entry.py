"""A run's changes to the record of its thread."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ...stores import ThreadStatus, ThreadStore


class ThreadEntry:
    """The record of a thread, for one run on it.

    Args:
        store: The store of threads.
        place: The scope and the client's id of the thread.
        route: The path of the route.
        run_id: The run.
        silent: Whether the run leaves no trace there.
    """

    def __init__(
        self, store: ThreadStore, place: tuple[str, str], route: str, run_id: str, *, silent: bool
    ) -> None:
        self._store, self._place, self._route = store, place, route
        self._run_id = run_id
        self._is_listed = False
        self.silent = silent

    async def exists(self) -> bool:
        """Return whether there is a record."""
        return await self._store.find(*self._place) is not None

    async def has_failed(self) -> bool:
        """Return whether the last run has failed. It is not known while a run has the thread."""
        record = await self._store.find(*self._place)
        return record is not None and record.status == "error"

    async def list_run(self, *, must_exist: bool) -> None:
        """List the run before it is known whether it fits its thread.

        Args:
            must_exist: Whether to do so only if there is a record.
        """
        if self._is_listed or (must_exist and not await self.exists()):
            return
        await self._touch(run_id=self._run_id)
        self._is_listed = True

    async def refused(self) -> None:
        """Forget a thread that has begun with a run that does not fit it."""
        record = await self._store.find(*self._place) if self._is_listed else None
        if record and record.created == record.updated and record.runs == (self._run_id,):
            await self._store.delete(*self._place)

    async def begun(self, metadata: Mapping[str, Any]) -> None:
        """List the run if it is not, and merge metadata over that of its thread."""
        run_id = None if self._is_listed else self._run_id
        await self._touch(metadata=metadata, run_id=run_id)

    async def ended(self, status: ThreadStatus) -> None:
        """Store the status that the thread has after the run."""
        await self._touch(status=status)

    async def _touch(self, **changes: Any) -> None:
        if not self.silent:
            await self._store.touch(*self._place, route=self._route, now=time.time(), **changes)
