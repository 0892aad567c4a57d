"""The claim of a run to its thread, which another run may have."""

from __future__ import annotations

import asyncio

from ...errors import ThreadBusy
from ...stores import Claim, Claimant
from ...stores.shared_claims import Claims
from .continuation import NotContinuable

PATIENCE = 0.5
"""Seconds that a run may take to end, whose reader has left, before another is rejected."""

EVICTING = ("interrupt", "rollback")

MULTITASK = ("reject", "enqueue", *EVICTING)


async def claim_thread(
    claims: Claims,
    place: tuple[str, str],
    run: Claimant,
    *,
    multitask: str,
    wait: bool,
    linger: float,
) -> Claim:
    """Claim a thread for a run.

    Args:
        claims: Claims threads.
        place: The scope and the client's id of the thread.
        run: The run.
        multitask: What to do if another run has the thread, one of `MULTITASK`.
        wait: Whether an enqueued run waits for its turn here.
        linger: Seconds that the claim outlives its worker.

    Raises:
        ThreadBusy: Another run has the thread, and this one is rejected.
    """
    match multitask:
        case "interrupt" | "rollback":
            return await claims.claim(*place, run, wait=True, evict=True, linger=linger)
        case "enqueue":
            return await claims.claim(*place, run, wait=wait, linger=linger)
        case _:
            claim = await claims.claim(*place, run, linger=linger)
            if claim.taken:
                return claim
            try:
                async with asyncio.timeout(PATIENCE):
                    return await claims.claim(*place, run, wait=True, linger=linger)
            except TimeoutError:
                raise ThreadBusy from None


async def claim_anew(
    claims: Claims, place: tuple[str, str], run: Claimant, *, linger: float, attempt: int
) -> None:
    """Claim a thread for a run that another worker has begun.

    Args:
        claims: Claims threads.
        place: The scope and the client's id of the thread.
        run: The run.
        linger: Seconds that the claim outlives its worker.
        attempt: How many workers have executed the run, this one included.

    Raises:
        NotContinuable: Another run or worker has the thread.
    """
    claim = await claims.claim(*place, run, linger=linger, attempt=attempt)
    if not claim.taken:
        raise NotContinuable("another run or worker has its thread")
