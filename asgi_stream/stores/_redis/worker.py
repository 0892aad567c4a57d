"""One worker among those that share a Redis: renews its leases and listens to the others."""

from __future__ import annotations

import asyncio
from asyncio import Task
from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import uuid4

from ..protocol import OwnershipLost, Producer
from ..record import RunRecord
from .backlog import Backlog
from .commands import MARGIN_SECONDS, Names, RunCommands, worker_message
from .errors import logger
from .health import BEAT_SECONDS, Health, Loss
from .keys import Keys
from .link import REQUEST_SECONDS, Link
from .owned_run import OwnedRun
from .readers import Readers
from .recovery import Recovery

if TYPE_CHECKING:
    from redis.asyncio import Redis

IDLE_SECONDS = 60.0
"""How long after the last request a worker without runs and readers stops its checks."""

BEATS_PER_EXTENSION = 10
"""Every so many beats, whatever expires is extended too."""


class Worker:
    """What a store does on one event loop.

    Args:
        client: A client of redis-py.
        keys: The names of keys and channels.
        lease: Seconds until the lease of a run expires.
        patience: Seconds to keep trying while Redis does not respond or rejects commands.
        backlog: Bytes of frames that are held in case Redis loses them.
    """

    def __init__(
        self, client: Redis, keys: Keys, *, lease: float, patience: float, backlog: int
    ) -> None:
        self.id = uuid4().hex
        self.runs: dict[str, OwnedRun] = {}
        """The runs that are produced here and have not ended."""
        self.taking: set[str] = set()
        """The runs of other workers that are being taken over."""
        self._keys = keys
        self._lease = lease
        self._loop = asyncio.get_running_loop()
        self._used_at = self._loop.time()
        self._beats = 1
        self._beating: Task[None] | None = None
        self.link = Link(client, self._on_message, self._on_resubscribed, self._on_change)
        self.health = Health(self.link, keys, worker_id=self.id, lease=lease)
        self.backlog = Backlog(backlog)
        self.readers = Readers(self.link, keys, worker_id=self.id, lease=lease, runs=self.runs)
        self.recovery = Recovery(
            self.link,
            self.health,
            self.backlog,
            self._renew_all_after_loss,
            lease=lease,
            patience=patience,
        )

    def new_run(self, producer: Producer, names: Names, origin: bytes | None = None) -> OwnedRun:
        """Return a run that is about to be produced here."""
        commands = RunCommands(
            self._keys,
            producer.record.run_id,
            worker_id=self.id,
            lease=self._lease,
            owner=producer.record.owner,
            names=names,
            origin=origin,
        )
        return OwnedRun(producer, commands)

    def add(self, run: OwnedRun) -> None:
        """Own a run, which has been created on Redis."""
        run.server = self.link.server
        self.runs[run.run_id] = run
        self.beat()

    def take(self, run: OwnedRun, after: int, frames: Sequence[bytes]) -> None:
        """Own a run that another worker has produced, up to the frame `after`."""
        run.first = after + 1
        self.add(run)
        self.readers.taken_over(run)
        self.on_written(run, after + 1, frames, 1, False)

    def on_written(
        self, run: OwnedRun, first: int, frames: Sequence[bytes], keep_from: int, ends: bool
    ) -> None:
        """Frames have been written: hold them, and pass them to the run's readers."""
        self.backlog.add(run, frames, keep_from)
        self.readers.on_frames(run.run_id, first, frames, ends)

    def finish(self, run: OwnedRun, record: RunRecord) -> None:
        """A run has ended, and its last frame has been written."""
        self.runs.pop(run.run_id, None)
        run.record = record
        self.backlog.finish(run)

    def give_up(self, run: OwnedRun, error: Exception) -> None:
        """Write no more of a run, and tell its readers and its producer why."""
        self.runs.pop(run.run_id, None)
        self.backlog.forget(run)
        self.readers.lost(run.run_id, error)
        run.producer.written(error)

    async def request_stop(self, run_id: str) -> None:
        """Ask the worker that produces a run to stop it."""
        if run_id in self.runs:
            return self.runs[run_id].producer.stop()
        keys = self._keys.of_run(run_id)
        # The key is for a worker that misses the message.
        _, worker_id = await self.link.execute(
            ("SET", keys.stop, 1, "EX", MARGIN_SECONDS),
            ("GET", keys.lease),
            patience=REQUEST_SECONDS,
        )
        if worker_id is not None:
            message = worker_message(self._keys.worker(worker_id.decode()), "stop", run_id)
            await self.link.execute(message, patience=REQUEST_SECONDS)
        return None

    async def listen(self) -> None:
        """Subscribe to the messages of other workers."""
        await self.link.subscriptions.subscribe(self._keys.worker(self.id))

    async def aclose(self) -> None:
        if self._beating is not None:
            self._beating.cancel()
        await self.link.aclose()

    # Each second.

    def beat(self) -> None:
        """Make sure that runs, readers and Redis are checked each second for some time."""
        self._used_at = self._loop.time()
        if self._beating is None or self._beating.done():
            self._beating = self._loop.create_task(self._beat())

    @property
    def _is_busy(self) -> bool:
        if self.runs or self.readers or self.backlog:
            return True
        return self._loop.time() - self._used_at < IDLE_SECONDS

    async def _beat(self) -> None:
        while self._is_busy:
            begun = self._loop.time()
            try:
                await self._beat_once()
            except Exception:
                logger.exception("the periodic check of the store failed")
            await asyncio.sleep(max(0.0, begun + BEAT_SECONDS - self._loop.time()))

    async def _beat_once(self) -> None:
        self.backlog.expire()
        await asyncio.gather(self._check_redis(), self._renew_all(), self.readers.announce())
        self.readers.look_elsewhere()
        self._beats += 1

    async def _check_redis(self) -> None:
        loss = await self.health.check(restored_at=self.recovery.finished_at)
        if loss is not Loss.NONE or self.recovery.is_due:
            self.recovery.start(announce=loss is Loss.NEWS)

    async def _renew_all_after_loss(self) -> None:
        await self._renew_all(after_loss=True)

    async def _renew_all(self, *, after_loss: bool = False) -> None:
        renewing = (self._renew(run_id, after_loss=after_loss) for run_id in tuple(self.runs))
        results = await asyncio.gather(*renewing, return_exceptions=True)
        for error in results:
            if isinstance(error, Exception):
                logger.error("the store failed to renew the lease of a run", exc_info=error)

    async def _renew(self, run_id: str, *, after_loss: bool = False) -> None:
        """Renew a run's lease.

        Args:
            run_id: The run.
            after_loss: Redis may have lost what leads to the run.
        """
        run = self.runs.get(run_id)
        if run is None or run.producer.record.ended is not None:
            return None  # its end is being written
        last, server = run.last, self.link.server
        extend = after_loss or self._beats % BEATS_PER_EXTENSION == 0
        has_begun = run.producer.record.state != "pending"
        commands = run.renew(overwrite=has_begun, extend=extend)
        if extend:
            commands += run.commands.entries(run.commands.seconds_now)
        owned, *_ = await self.link.attempt(*commands) or (None,)
        if owned is None or run_id not in self.runs:
            return None
        if not owned:
            return self.give_up(run, OwnershipLost())
        newest, stop_requested = owned
        if newest < last:
            self.recovery.start()
            await self.link.attempt(*self.recovery.rewrite(run, newest))
        elif server == self.link.server:
            run.server = server
        if stop_requested:
            run.producer.stop()
        return self.readers.expire(run)

    # Messages.

    def _on_message(self, channel: bytes, data: bytes) -> None:
        if channel != self._keys.worker(self.id):
            self.readers.on_published(channel.rpartition(b":")[2].decode(), data)
            return
        word, run_id, *sender = data.decode().split(" ")
        run = self.runs.get(run_id)
        if run is None:
            return
        if word == "stop":
            run.producer.stop()
        elif word == "left":
            self.readers.left(run, sender[0])
        elif word == "read":
            self.readers.joined(run, sender[0])

    def _on_resubscribed(self) -> None:
        self.readers.look_all()

    def _on_change(self) -> None:
        self.recovery.start()
