"""What a store of runs is, and what it deals with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

State = Literal["pending", "running", "done", "failed", "cancelled"]


PAGE_BYTES = 262_144
"""About how much a store reads at once."""


class OwnershipLost(Exception):
    """Another has written at this place of a run, or ended it: the writer is not its owner now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """What is known of a run besides its frames.

    Attributes:
        run_id: Cannot be guessed.
        route: The path of its route, with its parameters.
        owner: What the route's ``authorize`` returned for who started it.
        fingerprint: Stands for the request that started it, if that had an ``Idempotency-Key``.
        state: ``pending`` until the first frame, ``running``, and then how it ended.
        created: Seconds since 1970, as all times here.
        started: When the first frame was written.
        ended: When the last one was.
        frames: How many there have been; the last one's id.
        size: Their bytes.
        code: Of the error that it ended with.
        certain: Whether `frames` counts all that any reader was shown. It may be too low after the
            store has lost data, until the run's worker has written its frames again.
    """

    run_id: str
    route: str
    owner: str | None
    fingerprint: str
    created: float
    state: State = "pending"
    started: float | None = None
    ended: float | None = None
    frames: int = 0
    size: int = 0
    code: str | None = None
    certain: bool = True


@dataclass(frozen=True, slots=True)
class Quota:
    """How many unfinished runs may share a name.

    Attributes:
        name: Who they are counted for.
        limit: How many there may be.
    """

    name: str
    limit: int


@dataclass(frozen=True, slots=True)
class Page:
    """Frames of a run with consecutive ids.

    Attributes:
        first: The id of the first of `frames`. Greater than the id that was read for: the frames
            between are gone.
        frames: May be empty.
        ended: Whether the run's last frame is among them, or before them.
        more: Whether there are more already, behind a gap perhaps.
        final: The id that the run's last frame must have, if no worker makes the run any more and
            it has not ended; None while it goes on, and after its end.
    """

    first: int
    frames: Sequence[bytes]
    ended: bool
    more: bool
    final: int | None = None


class Producer(Protocol):
    """What makes a run's frames, as its store sees it. Nothing here waits."""

    @property
    def record(self) -> RunRecord:
        """What is known of the run now."""

    def stop(self) -> None:
        """Someone has asked for the run's end."""

    def written(self, error: Exception | None = None) -> None:
        """What `append` left to be written is; or why it is not, and the run cannot go on.

        Args:
            error: `OwnershipLost` if the run was held to be dead, and its end was written by
                another.
        """

    def read_by(self, readers: int) -> None:
        """So many read it now."""


class Follower(Protocol):
    """A reader of a run, as its store sees it. Nothing here waits."""

    def on_frames(self, first: int, frames: Sequence[bytes], ended: bool) -> None:
        """New frames, the first of which has the id `first`; `ended` if the last is the run's."""

    def look(self) -> None:
        """There may be something new: read."""

    def lost(self, error: Exception) -> None:
        """The run's next frames could not be written, and its worker has given up."""


class EventStore(Protocol):
    """Frames by run and position: 1, 2, 3... A reader is a position, and nothing else.

    Whatever followers are shown has been written and can be read from then on, so a follower may
    miss anything that it is fed and read again. An id means one frame for ever: a store that may
    have lost frames skips their ids.

    A store that has `local` set to True keeps runs in this process: `append` writes at once, and
    other workers do not find them.

    Every method that is awaited raises `asgi_stream.errors.StoreUnavailable` when the store cannot
    be reached, or refuses.
    """

    async def create(
        self,
        producer: Producer,
        *,
        keep: float,
        place: str | None = None,
        key: str | None = None,
        quota: Quota | None = None,
    ) -> str:
        """Begin the run of ``producer.record``.

        If this raises, no run has begun and `key` is free again, at once or after a few seconds.

        Args:
            producer: Who makes its frames; told of requests to stop and of readers.
            keep: Seconds that everything is kept after the end.
            place: A name by which the run can be found, until another has it.
            key: A name that is the run's for good. If another run has it, none is begun.
            quota: Count the run until it has ended or its worker is lost.

        Returns:
            The run's id; that of the run whose `key` it is, if that was there before.

        Raises:
            asgi_stream.errors.TooManyOwned: The quota's limit is reached.
        """

    def append(
        self,
        run_id: str,
        first: int,
        frames: Sequence[bytes],
        keep_from: int = 1,
        record: RunRecord | None = None,
    ) -> bool:
        """Write frames of a run that was begun here, and tell all followers.

        Returns at once. Until they are written nothing else may be appended.

        Args:
            run_id: The run.
            first: The id of the first of `frames`, one more than the last that was written.
            frames: To be written once, however often that has to be tried.
            keep_from: Frames before this id may be dropped.
            record: What is known of the run now, if that has changed. With these frames the run
                ends if it says so.

        Returns:
            Whether they are written already. If not, the producer's `written` is called when they
            are, or cannot be.
        """

    async def finalize_orphan(
        self, run_id: str, after: int, first: int, frames: Sequence[bytes], record: RunRecord
    ) -> None:
        """Write the last frames of a run that no worker makes any more.

        Args:
            run_id: The run.
            after: The id of its newest frame.
            first: The id of the first of `frames`, which `Page.final` says.
            frames: The last of the run.
            record: What is known of the run then.

        Raises:
            OwnershipLost: A worker does make it, it has ended, or `after` is not its newest frame;
                or that cannot be known yet. Read again.
        """

    async def read(self, run_id: str, after: int) -> Page | None:
        """Frames after the id `after`, about `PAGE_BYTES` of them; None: there is no such run."""

    async def find(self, run_id: str) -> RunRecord | None:
        """What is known of a run.

        While a store that has lost data is given it back, this waits for an unknown run.
        """

    async def named(self, name: str) -> str | None:
        """The id of the run that has `name` for its place or its key.

        Waits while a run that claims the name is being created.
        """

    async def owned(self, owner: str) -> list[RunRecord]:
        """The runs of an owner, the newest first."""

    async def stop(self, run_id: str) -> None:
        """Ask for the end of a run, wherever it is made."""

    async def follow(self, run_id: str, follower: Follower) -> None:
        """Tell `follower` of all frames that are written from now on."""

    def unfollow(self, run_id: str, follower: Follower) -> None:
        """End that. Without effect if it does not follow."""

    async def check(self) -> None:
        """Return if runs can be written now."""

    async def aclose(self) -> None:
        """Give back what is held on this event loop. The store may be used again."""
