"""The protocol of stores of threads, and the values that cross it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

from ..errors import InvalidInput
from ..serialize import to_json

ThreadStatus = Literal["idle", "busy", "interrupted", "error"]

MAX_METADATA = 65_536
"""Bytes of a thread's metadata, as JSON."""

MOST_RUNS = 100
"""How many run ids `ThreadRecord.runs` has at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadRecord:
    """What is known of a thread besides its state. All times are seconds since the epoch.

    Attributes:
        thread_id: The client's id of the thread: any text.
        scope: Whose threads it is among: a name that no other owner has.
        route: The path of the route that it was created by.
        created: When it was created.
        updated: When it was last changed, or a run on it began or ended.
        status: ``busy`` while a run has claimed it; otherwise how its last run ended:
            ``interrupted`` if it waits for an answer.
        metadata: JSON that describes it: a title, the name of its graph.
        runs: The ids of its runs, newest first, at most `MOST_RUNS`.
    """

    thread_id: str
    scope: str
    route: str
    created: float
    updated: float
    status: ThreadStatus = "idle"
    metadata: Mapping[str, Any] = field(default_factory=dict)
    runs: tuple[str, ...] = ()

    def touched(
        self,
        now: float,
        *,
        status: ThreadStatus | None = None,
        metadata: Mapping[str, Any] | None = None,
        run_id: str | None = None,
    ) -> ThreadRecord:
        """Return the record as `ThreadStore.touch` leaves it if no run has claimed the thread.

        Raises:
            InvalidInput: Its metadata would have more than `MAX_METADATA` bytes.
        """
        merged = {**self.metadata, **(metadata or {})}
        if metadata and len(to_json(merged)) > MAX_METADATA:
            raise InvalidInput.at("metadata", f"more than {MAX_METADATA} bytes in all")
        runs = self.runs
        if run_id is not None:
            runs = (run_id, *(other for other in runs if other != run_id))[:MOST_RUNS]
        return replace(
            self,
            updated=now,
            status=status or self.status,
            metadata=merged,
            runs=runs,
        )


@dataclass(frozen=True, slots=True)
class Claim:
    """The answer to `ThreadStore.claim`.

    Attributes:
        taken: Whether the thread is the caller's now.
        before: The ids of the runs that had it, or waited for it, when it was claimed; if another
            run still has it, that one first.
    """

    taken: bool
    before: tuple[str, ...] = ()


class Claimant(Protocol):
    """A run that claims a thread. The store calls it; no method blocks."""

    @property
    def run_id(self) -> str:
        """The id of the run."""

    def evicted(self) -> None:
        """Called when another run takes the thread over, or the claim is lost: end soon."""


class ThreadStore(Protocol):
    """Stores records of threads, and says which run may write to a thread.

    The states of threads are elsewhere, in the checkpointers of their graphs. Implement these
    methods to store records elsewhere, and pass the store as ``Threads(store=...)``.

    What a store guarantees:

    * A thread is claimed by one run at a time, over all workers. Claims end when they are released,
      or within seconds after the worker of their run is gone, unless they linger.
    * Claims that wait are served in the order in which they were made.

    A store whose attribute `local` is True keeps its records in this process. Every coroutine
    raises `StoreUnavailable` (of `asgi_stream.errors`) if the store cannot be reached, or refuses.

    Example:
        >>> threads = Threads(store=MyThreadStore("postgres://db/threads"))
    """

    async def create(self, record: ThreadRecord) -> bool:
        """Store a new thread; return False, and change nothing, if it exists."""

    async def find(self, scope: str, thread_id: str) -> ThreadRecord | None:
        """Return the record of a thread, if there is such a thread."""

    async def touch(
        self,
        scope: str,
        thread_id: str,
        *,
        route: str,
        now: float,
        status: ThreadStatus | None = None,
        metadata: Mapping[str, Any] | None = None,
        run_id: str | None = None,
    ) -> ThreadRecord:
        """Change a thread, which is created if there is none, and return its new record.

        Args:
            scope: Whose threads it is among.
            thread_id: The thread.
            route: Its `ThreadRecord.route` if it is new.
            now: Its new `updated`, and `created` if it is new.
            status: Its new status, unless a run has claimed it: then it remains ``busy`` until the
                claim is released, and has this status after that.
            metadata: Merged over its metadata.
            run_id: A run that begins on it, which is put in front of its `runs`.
        """

    async def delete(self, scope: str, thread_id: str) -> bool:
        """Delete the record of a thread; return False if there is none."""

    async def list(self, scope: str) -> list[ThreadRecord]:
        """Return the records of a scope, those that were updated last first."""

    async def claim(
        self,
        scope: str,
        thread_id: str,
        claimant: Claimant,
        *,
        wait: bool = False,
        evict: bool = False,
        linger: float = 0.0,
        attempt: int = 1,
    ) -> Claim:
        """Claim a thread for a run, whether or not it has a record.

        If the run has claimed the thread before, perhaps on another worker, the new claim takes the
        place of the old one, whose claimant is evicted. If a later attempt of the run has claimed
        it, the thread is not taken, and `Claim.before` has the run's own id.

        If this is cancelled while it waits, the claim is withdrawn.

        Args:
            scope: Whose threads it is among.
            thread_id: The thread.
            claimant: The run.
            wait: Wait until all earlier claims have been released. Otherwise, the thread is not
                taken if there is one. While the claim waits, it is given up by `release`, after
                which the thread is not taken, and by `aclose`.
            evict: Call `Claimant.evicted` on all earlier claimants first. Goes with `wait`.
            linger: Seconds that the claim outlives its worker, for another worker to take it over.
            attempt: How many workers have executed the run, this one included.
        """

    def release(self, scope: str, thread_id: str, run_id: str) -> None:
        """Give a claim up. Returns at once; does nothing if the run has none."""

    async def check(self) -> None:
        """Return if records can be written now. Used for readiness."""

    async def aclose(self) -> None:
        """Release what is held on this event loop. The store may be used again."""
