"""Claims of a thread that several routes write to, each with records of its own."""

from __future__ import annotations

from typing import Any

from .thread_store import Claim, Claimant, ThreadStore

__all__ = ["Claims", "SharedClaims"]


class SharedClaims:
    """Claims a thread in a place that several routes have in common, then among the route's own.

    The second claim is what the route's record of the thread is ``busy`` by. No run that waits for
    it keeps another from it: each run claims at most one common place, and that first.

    Args:
        shared: The store of the common place.
        scope: Its scope.
        own: The store of the route's own records.
    """

    def __init__(self, shared: ThreadStore, scope: str, own: ThreadStore) -> None:
        self._shared, self._scope, self._own = shared, scope, own

    async def claim(self, scope: str, thread_id: str, claimant: Claimant, **how: Any) -> Claim:
        shared = await self._shared.claim(self._scope, thread_id, claimant, **how)
        if not shared.taken:
            return shared
        taken = False
        try:
            own = await self._own.claim(scope, thread_id, claimant, **how)
            taken = own.taken
        finally:
            if not taken:
                self._shared.release(self._scope, thread_id, claimant.run_id)
        return Claim(taken, tuple(dict.fromkeys((*shared.before, *own.before))))

    def release(self, scope: str, thread_id: str, run_id: str) -> None:
        self._own.release(scope, thread_id, run_id)
        self._shared.release(self._scope, thread_id, run_id)


Claims = ThreadStore | SharedClaims
"""What says which run may write to a thread."""
