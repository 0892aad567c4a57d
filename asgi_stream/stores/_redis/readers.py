"""The readers of runs: followers on this worker, and other workers that have followers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from ..protocol import Follower, OwnershipLost
from .commands import Command, worker_message
from .encoding import decode_frames
from .keys import Keys
from .link import Link
from .owned_run import OwnedRun


class Readers:
    """The followers on one event loop, and the messages about readers between workers.

    The worker that produces a run publishes its frames only while others have announced that they
    read it, and counts those for `Producer.read_by`.

    Args:
        link: The link to Redis.
        keys: The names of keys.
        worker_id: The id of this worker.
        lease: Seconds after which another worker's announcement expires.
        runs: The runs that are produced here, by id.
    """

    def __init__(
        self, link: Link, keys: Keys, *, worker_id: str, lease: float, runs: Mapping[str, OwnedRun]
    ) -> None:
        self._link = link
        self._subscriptions = link.subscriptions
        self._keys = keys
        self._worker_id = worker_id
        self._lease = lease
        self._runs = runs
        self._loop = asyncio.get_running_loop()
        self._followers: dict[str, set[Follower]] = {}
        self._producers: dict[str, str] = {}
        """The workers that produce the runs that are read here, by run."""

    def __bool__(self) -> bool:
        return bool(self._followers)

    # Followers on this worker.

    async def follow(self, run_id: str, follower: Follower, patience: float) -> None:
        """Call the follower from now on.

        Raises:
            StoreUnavailable: Redis did not respond for `patience` seconds.
        """
        self._followers.setdefault(run_id, set()).add(follower)
        if run_id in self._runs:
            return self._count(self._runs[run_id])
        try:
            await self._subscriptions.subscribe(self._keys.worker(self._worker_id))
            await self._subscriptions.subscribe(self._keys.frames(run_id))
            lease = self._keys.of_run(run_id).lease
            [producer] = await self._link.execute(("GET", lease), patience=patience)
            if producer is not None and run_id in self._followers:
                self._producers[run_id] = producer.decode()
                await self._link.execute(self._announcement(run_id, "read"), patience=patience)
        except BaseException:
            self.unfollow(run_id, follower)
            raise
        return None

    def unfollow(self, run_id: str, follower: Follower) -> None:
        followers = self._followers.get(run_id, set())
        if follower not in followers:
            return
        followers.remove(follower)
        if not followers:
            del self._followers[run_id]
        if run_id in self._runs:
            self._count(self._runs[run_id])
        elif not followers:
            self._link.spawn(self._leave(run_id))

    def on_frames(self, run_id: str, first: int, frames: Sequence[bytes], ended: bool) -> None:
        """Pass new frames to the run's followers."""
        for follower in tuple(self._followers.get(run_id, ())):
            follower.on_frames(first, frames, ended)

    def on_published(self, run_id: str, data: bytes) -> None:
        """Process what has been published about a run: its frames, or that there may be some."""
        if run_id in self._runs:
            return  # they are passed on when they are written
        if data:
            self.on_frames(run_id, *decode_frames(data))
        else:
            self._producers.pop(run_id, None)  # another worker may have taken the run over
            self._look(run_id)

    def look_all(self) -> None:
        """Let all followers read, because messages may have been missed."""
        for run_id in tuple(self._followers):
            self._look(run_id)

    def look_elsewhere(self) -> None:
        """Let the followers of runs that other workers produce read."""
        for run_id in self._followers.keys() - self._runs.keys():
            self._look(run_id)

    def lost(self, run_id: str, error: Exception) -> None:
        """Tell a run's followers that its next frames could not be written."""
        for follower in tuple(self._followers.get(run_id, ())):
            if isinstance(error, OwnershipLost):
                follower.look()  # another worker has written other frames
            else:
                follower.lost(error)

    async def announce(self) -> None:
        """Tell the workers that produce runs which of them are read here."""
        unknown = self._followers.keys() - self._producers.keys() - self._runs.keys()
        if unknown:
            leases = [("GET", self._keys.of_run(run_id).lease) for run_id in unknown]
            producers = await self._link.attempt(*leases)
            for run_id, producer in zip(unknown, producers, strict=False):
                if producer is not None and run_id in self._followers:
                    self._producers[run_id] = producer.decode()
        if self._producers:
            await self._link.attempt(*(self._announcement(run, "read") for run in self._producers))

    # Readers of the runs of this worker on other workers.

    def joined(self, run: OwnedRun, worker_id: str) -> None:
        """Another worker has announced that it has readers of a run."""
        is_new = worker_id not in run.read_at
        run.read_at[worker_id] = self._loop.time()
        if is_new:
            self._count(run)
            # Frames that were written before this are in the log, but were not published.
            self._link.spawn(self._publish_nothing(run.run_id))

    def left(self, run: OwnedRun, worker_id: str) -> None:
        """Another worker no longer has readers of a run."""
        run.read_at.pop(worker_id, None)
        self._count(run)

    def taken_over(self, run: OwnedRun) -> None:
        """A run of another worker is produced here from now on."""
        # Workers that read it have as much time to announce that as they have had for the old one.
        run.read_at[self._worker_id] = self._loop.time()
        self._producers.pop(run.run_id, None)
        self._link.spawn(self._subscriptions.unsubscribe(self._keys.frames(run.run_id)))
        self._count(run)

    def expire(self, run: OwnedRun) -> None:
        """Remove other workers that have not announced readers for a lease's time."""
        now = self._loop.time()
        silent = [worker for worker, at in run.read_at.items() if now - at > self._lease]
        for worker in silent:
            del run.read_at[worker]
        if silent:
            self._count(run)

    def _look(self, run_id: str) -> None:
        for follower in tuple(self._followers.get(run_id, ())):
            follower.look()

    def _count(self, run: OwnedRun) -> None:
        run.producer.read_by(len(self._followers.get(run.run_id, ())) + len(run.read_at))

    def _announcement(self, run_id: str, word: str) -> Command:
        channel = self._keys.worker(self._producers[run_id])
        return worker_message(channel, word, run_id, self._worker_id)

    async def _leave(self, run_id: str) -> None:
        await self._subscriptions.unsubscribe(self._keys.frames(run_id))
        if run_id in self._producers and run_id not in self._followers:
            message = self._announcement(run_id, "left")
            del self._producers[run_id]
            await self._link.attempt(message)

    async def _publish_nothing(self, run_id: str) -> None:
        await self._link.attempt(("PUBLISH", self._keys.frames(run_id), b""))
