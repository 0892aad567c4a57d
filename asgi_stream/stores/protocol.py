"""The protocol of stores of runs, and the values that cross it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from .record import RunRecord

PAGE_BYTES = 262_144
"""About how many bytes of frames `EventStore.read` returns at once."""


class OwnershipLost(Exception):
    """Another worker has written to the run, or ended it: the caller no longer owns it."""


@dataclass(frozen=True, slots=True)
class Quota:
    """A limit on the unfinished runs that are counted under one name.

    Attributes:
        name: What the runs are counted under, such as an owner.
        limit: How many unfinished runs there may be.
    """

    name: str
    limit: int


@dataclass(frozen=True, slots=True)
class Page:
    """Frames of a run with consecutive ids.

    Attributes:
        first: The id of the first of `frames`, or of the next frame if there are none. If it is
            greater than the requested id plus one, the frames between are gone.
        frames: The frames; may be empty.
        ended: Whether the run's last frame is among them, or was before them.
        more: Whether more frames can be read now, possibly behind a gap.
        final: The id that the run's last frame has to get from `EventStore.finalize_orphan`, if no
            worker produces the run any more and it has not ended; otherwise None.
    """

    first: int
    frames: Sequence[bytes]
    ended: bool
    more: bool
    final: int | None = None


class Producer(Protocol):
    """The source of a run's frames. The store calls it; no method blocks."""

    @property
    def record(self) -> RunRecord:
        """The run's current metadata."""

    def stop(self) -> None:
        """Called when somebody has requested that the run stop. May be called again."""

    def written(self, error: Exception | None = None) -> None:
        """Called when a pending `EventStore.append` completes or fails.

        Args:
            error: Why the frames could not be written; the run cannot go on then. `OwnershipLost`
                if its lease expired and another worker has finalized it.
        """

    def read_by(self, readers: int) -> None:
        """Called when the number of readers, across all workers, changes."""


class Follower(Protocol):
    """A reader of a run. The store calls it; no method blocks.

    It may miss calls: it has to compare ids, and to call `EventStore.read` for what it lacks.
    """

    def on_frames(self, first: int, frames: Sequence[bytes], ended: bool) -> None:
        """Called with new frames, after they have been written.

        Args:
            first: The id of the first of `frames`.
            frames: The frames.
            ended: Whether the last of them is the run's last.
        """

    def look(self) -> None:
        """Called when there may be new frames, or the run is gone: call `EventStore.read`."""

    def lost(self, error: Exception) -> None:
        """Called when the run's next frames could not be written, and its worker has given up."""


class EventStore(Protocol):
    """Stores runs: each a log of frames with the ids 1, 2, 3..., a record, and names.

    Implement these methods to store runs elsewhere, and pass the store as ``Resume(store=...)``.

    What a store guarantees:

    * Followers only see frames that can be read from then on.
    * An id stands for one frame forever. A store that may have lost frames does not reuse their
      ids, but skips them.
    * Only one worker owns a run. After `finalize_orphan`, or `take_over` elsewhere, its frames fail
      with `OwnershipLost`.

    A store whose attribute `local` is True keeps runs in this process: its `append` writes at once,
    and other workers cannot find its runs. Every coroutine raises `StoreUnavailable` (of
    `asgi_stream.errors`) if the store cannot be reached, or rejects a command.

    Example:
        >>> resume = Resume(store=MyStore("postgres://db/runs"))
    """

    async def create(
        self,
        producer: Producer,
        *,
        keep: float,
        conversation_id: str | None = None,
        key: str | None = None,
        quota: Quota | None = None,
        origin: bytes | None = None,
    ) -> str:
        """Create the run of ``producer.record``.

        If this raises, no run exists, and `key` is free again, at once or within seconds.

        Args:
            producer: Called until the run has ended.
            keep: Seconds to keep the run after its end.
            conversation_id: A name of the run until a newer run takes it; `named` finds both names.
            key: A name that stays the run's. If another run has it, no run is created.
            quota: Counts the run until it ends or its worker is lost.
            origin: What `take_over` returns, kept until the run ends.

        Returns:
            The id of the new run, or of the existing run that has `key`.

        Raises:
            asgi_stream.errors.TooManyOwned: The limit of `quota` is reached.
        """

    def append(
        self,
        run_id: str,
        first: int,
        frames: Sequence[bytes],
        keep_from: int = 1,
        record: RunRecord | None = None,
    ) -> bool:
        """Append frames to a run that was created here, and pass them to all followers.

        Does not block. Nothing else may be appended until the frames have been written.

        Args:
            run_id: The run.
            first: The id of the first of `frames`: one more than that of the last frame.
            frames: The frames. Each is written exactly once, however many retries that takes.
            keep_from: Frames before this id may be dropped.
            record: The run's new record, if it has changed. With `ended` set, it ends the run.

        Returns:
            True if the frames have been written. Otherwise `Producer.written` is called when they
            have been, or cannot be.
        """

    async def finalize_orphan(
        self, run_id: str, after: int, first: int, frames: Sequence[bytes], record: RunRecord
    ) -> None:
        """Write the last frames of a run that no worker produces any more.

        Args:
            run_id: The run.
            after: The id of its newest frame.
            first: The id of the first of `frames`, from `Page.final`.
            frames: Its last frames.
            record: Its final record.

        Raises:
            OwnershipLost: A worker still produces the run, it has ended, `after` is not its newest
                frame, or none of that is known yet. Call `read` again.
        """

    async def take_over(
        self, producer: Producer, after: int, frames: Sequence[bytes]
    ) -> bytes | None:
        """Produce a run here that no worker produces any more: of several workers, on one.

        Args:
            producer: Called from now on. Its record is the run's new one, with `frames`.
            after: The id of the run's newest frame.
            frames: Frames that are appended, at least one, and differ from any that the run's old
                worker may still append, which fails then.

        Returns:
            The `origin` that the run was created with; None if it is not kept.

        Raises:
            OwnershipLost: As for `finalize_orphan`.
        """

    async def read(self, run_id: str, after: int) -> Page | None:
        """Return frames after the id `after`, about `PAGE_BYTES`; None if there is no such run."""

    async def find(self, run_id: str) -> RunRecord | None:
        """Return a run's record, if there is such a run.

        Waits for an unknown run while a store that has lost data is being restored.
        """

    async def named(self, name: str) -> str | None:
        """Return the id of the run that has `name` as its conversation id or key, if any.

        Waits while a run that claims the name is being created.
        """

    async def owned(self, owner: str) -> list[RunRecord]:
        """Return the records of an owner's runs, newest first."""

    async def stop(self, run_id: str) -> None:
        """Request that a run stop, whichever worker produces it. Ignores an unknown run."""

    async def delete(self, run_id: str) -> None:
        """Drop a run that has ended. Ignores an unknown run, and one that is still produced."""

    async def follow(self, run_id: str, follower: Follower) -> None:
        """Call `follower` for all frames written from now on. Ignores an unknown run."""

    def unfollow(self, run_id: str, follower: Follower) -> None:
        """Stop calling `follower`. Does nothing if it does not follow the run."""

    async def check(self) -> None:
        """Return if runs can be written now. Used for readiness."""

    async def aclose(self) -> None:
        """Release what is held on this event loop. The store may be used again."""
