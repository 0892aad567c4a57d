"""A claim of a thread for a short change, which is no run."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import uuid4

from .shared_claims import Claims
from .thread_store import Claim


class _Writer:
    """Claims a thread to change its state, or to delete it."""

    def __init__(self) -> None:
        self.run_id = str(uuid4())

    def evicted(self) -> None:
        """Do nothing: the change is over soon."""


@asynccontextmanager
async def claimed(
    claims: Claims, scope: str, thread_id: str, *, wait: bool = False, evict: bool = False
) -> AsyncGenerator[Claim, None]:
    """Hold a thread, so that no run writes to it meanwhile.

    Args:
        claims: Claims threads: a `ThreadStore`, or what several routes share.
        scope: Whose threads it is among.
        thread_id: The thread.
        wait: As for `ThreadStore.claim`.
        evict: As for `ThreadStore.claim`.

    Yields:
        The claim, which may not be taken.
    """
    writer = _Writer()
    claim = await claims.claim(scope, thread_id, writer, wait=wait, evict=evict)
    try:
        yield claim
    finally:
        claims.release(scope, thread_id, writer.run_id)
