"""The rollback of a run: its thread is brought back before another run gets it.

Who rolls a run back may be on another worker than the run. It claims a name that the run has in
common with it, marks that with a record, and stops the run. Once the run writes nothing any more,
it removes the mark, and then waits for the name before it gives up its thread.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from .claimed import claimed
from .thread_store import ThreadStore

ROLLBACKS = "rollback"
"""Among the scopes of threads, where runs are marked by their ids; those of owners are hashes."""


@asynccontextmanager
async def rolling_back(
    store: ThreadStore, run_id: str, route: str, *, wanted: bool
) -> AsyncGenerator[bool, None]:
    """Keep a run that is about to be stopped from giving up its thread.

    Args:
        store: The store of threads.
        run_id: The run.
        route: The path of its route.
        wanted: Whether to do so.

    Yields:
        Whether this is `wanted`, and nobody else does it.
    """
    if not wanted:
        yield False
        return
    async with claimed(store, ROLLBACKS, run_id) as claim:
        if not claim.taken:
            yield False
            return
        await store.touch(ROLLBACKS, run_id, route=route, now=time.time())
        try:
            yield True
        finally:
            await store.delete(ROLLBACKS, run_id)


async def is_marked(store: ThreadStore, run_id: str) -> bool:
    """Return whether a run that is to be rolled back has not said yet that it writes nothing."""
    return await store.find(ROLLBACKS, run_id) is not None


async def rolled_back(store: ThreadStore, run_id: str, give_up: Callable[[], None]) -> None:
    """Wait until a run that writes nothing any more is rolled back, if it is to be.

    Args:
        store: The store of threads.
        run_id: The run.
        give_up: Called then; it gives the run's thread up.
    """
    try:
        if await store.delete(ROLLBACKS, run_id):
            async with claimed(store, ROLLBACKS, run_id, wait=True):
                pass
    finally:
        give_up()
