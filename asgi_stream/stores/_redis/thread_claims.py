"""The claims of threads that the runs of one event loop have, or wait for.

What happens to them on Redis is polled, which needs no connection of its own and misses nothing.
"""

from __future__ import annotations

import asyncio
from asyncio import Future, Task
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from ...errors import StoreUnavailable
from ..thread_store import Claim, Claimant
from .commands import Command
from .errors import logger, unavailable
from .health import BEAT_SECONDS
from .keys import Keys, decode_text, encode_text
from .link import REQUEST_SECONDS, Link
from .thread_scripts import CLAIM, EVICTED, KEEP

POLL_SECONDS = 0.1
"""Between two looks at the claims, for those that are evicted and those whose turn it is."""

QUEUE_MILLISECONDS = 60_000
"""How long Redis keeps a queue that nobody renews; and so, which outages its claims survive."""


class ThreadClaim:
    """The claim of one run, see `thread_scripts`.

    Args:
        keys: The names of keys.
        queue: The key of the thread's queue.
        claimant: The run.
        linger: Seconds that the claim outlives its worker.
        attempt: How many workers have executed the run, this one included.
    """

    __slots__ = (
        "claimant",
        "is_evicted",
        "is_missing",
        "lease",
        "linger",
        "queue",
        "server",
        "turn",
        "value",
    )

    def __init__(
        self, keys: Keys, queue: bytes, claimant: Claimant, linger: float, attempt: int
    ) -> None:
        token = (f"{attempt:08x}" + uuid4().hex[8:]).encode()
        self.claimant = claimant
        self.linger = linger
        self.queue = queue
        self.lease = keys.thread_leases + token
        self.value = token + encode_text(claimant.run_id)
        self.turn: Future[bool] = asyncio.get_running_loop().create_future()
        """True once the thread is the run's; False if the claim ends before."""
        self.server = ""
        """The Redis process that has the claim."""
        self.is_missing = False
        """Whether Redis has lost it, with other data."""
        self.is_evicted = False

    def resolve(self, taken: bool) -> None:
        if not self.turn.done():
            self.turn.set_result(taken)

    def fail(self, error: BaseException | None = None) -> None:
        """The store cannot say when it is this claim's turn."""
        if not self.turn.done():
            self.turn.set_exception(unavailable(error) if error else StoreUnavailable())

    def evict(self) -> None:
        if not self.is_evicted:
            self.is_evicted = True
            self.claimant.evicted()


class ThreadClaims:
    """Claims threads, and renews the claims each second.

    Args:
        link: The connection to Redis.
        keys: The names of keys.
        lease: Seconds until a claim ends unless renewed.

    Attributes:
        removals: How many claims are being removed from Redis.
    """

    def __init__(self, link: Link, keys: Keys, *, lease: float) -> None:
        self._link = link
        self._keys = keys
        self._lease = lease
        self._loop = asyncio.get_running_loop()
        self._claims: set[ThreadClaim] = set()
        self._is_closed = False
        self.removals = 0
        self._watching: Task[None] | None = None
        self._answered_at = self._renewed_at = 0.0

    async def claim(self, claim: ThreadClaim, *, wait: bool, evict: bool) -> Claim:
        command = self._command(CLAIM.digest, claim, int(wait), int(wait and evict))
        try:
            [before] = await self._link.execute(command, patience=REQUEST_SECONDS)
            runs = tuple(decode_text(run) for run in before)
            is_outdated = claim.claimant.run_id in runs
            if is_outdated or (runs and not wait) or self._is_closed:
                return Claim(False, runs)
            self._add(claim)
            if not runs:
                claim.resolve(True)
            return Claim(await claim.turn, runs)
        except (asyncio.CancelledError, StoreUnavailable):
            self._end(claim)  # Redis may have it, or get it later
            raise

    def release(self, queue: bytes, run_id: str) -> None:
        for claim in tuple(self._claims):
            if claim.queue == queue and claim.claimant.run_id == run_id:
                self._end(claim)

    def aclose(self) -> None:
        """Release all claims."""
        for claim in tuple(self._claims):
            self._end(claim)
        self._is_closed = True  # claims that are on their way expire
        if self._watching is not None:
            self._watching.cancel()

    def _command(self, digest: bytes, claim: ThreadClaim, *arguments: Any) -> Command:
        keys = (claim.queue, claim.lease)
        times = (int((self._lease + claim.linger) * 1000), QUEUE_MILLISECONDS)
        return (
            *("EVALSHA", digest, len(keys), *keys),
            *(claim.value, self._keys.thread_leases, *times, *arguments),
        )

    def _add(self, claim: ThreadClaim) -> None:
        claim.server = self._link.server
        self._claims.add(claim)
        if self._watching is None or self._watching.done():
            self._answered_at = self._renewed_at = self._loop.time()
            self._watching = self._loop.create_task(self._watch())

    def _end(self, claim: ThreadClaim) -> None:
        """Remove a claim from Redis soon. If that cannot be reached, the lease expires."""
        self._claims.discard(claim)
        claim.resolve(False)
        if self._is_closed:
            return
        commands: Sequence[Command] = (
            ("LREM", claim.queue, 1, claim.value),
            ("DEL", claim.lease),
        )
        self.removals += 1
        self._link.submit(commands, self._removed, patience=REQUEST_SECONDS)

    def _removed(self, _: Sequence[Any] | Exception) -> None:
        self.removals -= 1

    async def _watch(self) -> None:
        while self._claims:
            await asyncio.sleep(POLL_SECONDS)
            try:
                if self._claims:  # some may have been released meanwhile
                    await self._look()
            except Exception:
                logger.exception("the store's look at the claims of threads failed")

    async def _look(self) -> None:
        """Renew the leases if that is due, and see what has become of the claims."""
        begun = self._loop.time()
        claims = tuple(self._claims)
        waiting = [claim for claim in claims if not claim.turn.done()]
        renewal: list[Command] = []
        if begun - self._renewed_at >= BEAT_SECONDS:
            renewal = [self._command(KEEP.digest, each, int(each.is_missing)) for each in claims]
        leases: Command = ("MGET", *(claim.lease for claim in claims))
        fronts: list[Command] = [("LINDEX", claim.queue, 0) for claim in waiting]
        try:
            replies = await self._link.execute(*renewal, leases, *fronts, patience=0.0)
        except StoreUnavailable as error:
            if self._loop.time() - self._answered_at > self._lease:
                for claim in waiting:
                    claim.fail(error)
            return
        self._answered_at = begun
        if renewal:
            self._renewed_at = begun
        states, *values = replies[len(renewal) :]
        for claim, state in zip(claims, states, strict=True):
            if claim in self._claims:
                self._see(claim, state)
        for claim, value in zip(waiting, values, strict=True):
            if value == claim.value:
                claim.resolve(True)

    def _see(self, claim: ThreadClaim, state: bytes | None) -> None:
        """Process the value of a claim's lease."""
        if state is None:
            self._lost(claim)
            return
        claim.server, claim.is_missing = self._link.server, False
        if state == EVICTED:
            claim.evict()

    def _lost(self, claim: ThreadClaim) -> None:
        """Another run has taken the thread, or Redis has lost its data."""
        has_thread = claim.turn.done()
        if has_thread and claim.server != self._link.server:
            claim.server, claim.is_missing = self._link.server, True
            self._renewed_at = 0.0  # claim it anew at once, before those that wait for it
            return
        self._claims.discard(claim)
        if has_thread:
            claim.evict()
        else:
            claim.fail()
