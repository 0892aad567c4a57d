"""One worker among those that share a Redis: what it makes, what it reads, that it lives."""

from __future__ import annotations

import asyncio
from asyncio import Task
from typing import Any
from uuid import uuid4

from .._logs import logger
from ..errors import StoreUnavailable
from .protocol import Follower, OwnershipLost, Producer, Quota, RunRecord
from .redis_backlog import Backlog
from .redis_commands import Keys, Made, number_of, packed_record, unpacked
from .redis_health import BEAT_SECONDS, Health, Loss
from .redis_link import Command, Link, Redis
from .redis_readers import Readers

USED_SECONDS = 60.0
"""For which Redis is looked at after the last request that concerns it."""

BEATS_PER_EXTENSION = 10

GROUP = 100
"""Runs that are written again at once."""


class Worker:
    """What a store does on one event loop.

    Args:
        client: A client of redis-py.
        keys: The names of keys and channels.
        lease: Seconds for which others believe that this worker lives.
        patience: Seconds for which runs are written again, should Redis lose them and refuse.
        backlog: Bytes of frames that are held in case Redis loses them.
    """

    def __init__(
        self, client: Redis, keys: Keys, *, lease: float, patience: float, backlog: int
    ) -> None:
        self.id = uuid4().hex
        self.link = Link(client, self._hear, self._back, self.changed)
        self.made: dict[str, Made] = {}
        self.backlog = Backlog(backlog)
        self._keys = keys
        self._lease = lease
        self._patience = patience
        self._loop = asyncio.get_running_loop()
        self.readers = Readers()
        self._makers: dict[str, str] = {}
        """The workers that make the runs that are read here."""
        self._changed_at = self._restored_at = -1e9
        self._restoring = self._again = False
        self.health = Health(self.link, keys, worker=self.id, lease=lease)
        self._used_at = self._loop.time()
        self._missed: dict[str, float] = {}
        self._beats = 1
        self._beating: Task[None] | None = None

    @property
    def has_been_away(self) -> bool:
        """Whether Redis has failed or changed so lately that what it lacks may come back."""
        since = max(self.link.failed, self._changed_at)
        return self._loop.time() - since < self._lease

    def make(
        self,
        producer: Producer,
        *,
        keep: float,
        key: str | None,
        place: str | None,
        quota: Quota | None,
    ) -> Made:
        """A run that is about to be made here."""
        names: dict[str, Any] = {"key": key, "place": place, "quota": quota}
        return Made(producer, self._keys, worker=self.id, lease=self._lease, keep=keep, **names)

    def packed(self, record: RunRecord) -> bytes:
        return packed_record(record, self.link.server)

    def beat(self) -> None:
        """See to it that what is made and read here is looked after each second, for some time."""
        self._used_at = self._loop.time()
        if self._beating is None or self._beating.done():
            self._beating = self._loop.create_task(self._beat())

    async def listen(self) -> None:
        """Hear what other workers have to say to this one."""
        await self.link.messages.subscribe(self._keys.worker(self.id))

    async def follow(self, run_id: str, follower: Follower, patience: float) -> None:
        self.readers.add(run_id, follower)
        if run_id in self.made:
            return self._count(run_id)
        try:
            await self.listen()
            await self.link.messages.subscribe(self._keys.frames(run_id))
            lease = self._keys.of_run(run_id)[2]
            [maker] = await self.link.do(("GET", lease), patience=patience)
            if maker is not None and run_id in self.readers:
                self._makers[run_id] = maker.decode()
                await self.link.do(self._reads(run_id, "read"), patience=patience)
        except BaseException:
            self.unfollow(run_id, follower)
            raise
        self.beat()
        return None

    def unfollow(self, run_id: str, follower: Follower) -> None:
        if not self.readers.remove(run_id, follower):
            return
        if run_id in self.made:
            self._count(run_id)
        elif run_id not in self.readers:
            self.link.spawn(self._left(run_id))

    def told(self, worker: str, *words: str) -> Command:
        """A command that tells another worker something."""
        return ("PUBLISH", self._keys.worker(worker), " ".join(words))

    async def aclose(self) -> None:
        if self._beating is not None:
            self._beating.cancel()
        await self.link.aclose()

    def give_up(self, made: Made, error: Exception) -> None:
        """Nothing more is written of a run that has not ended: its readers and it hear why."""
        self.made.pop(made.run_id, None)
        self.backlog.forget(made)
        self.readers.lost(made.run_id, error)
        made.producer.written(error)

    def finish(self, made: Made, record: RunRecord) -> None:
        """A run has ended, and its last frame is written."""
        self.made.pop(made.run_id, None)
        made.record = record
        self.backlog.keep(made)

    # What Redis has lost.

    def restoring(self, made: Made, newest: int) -> tuple[Command, ...]:
        """The commands that write again what is missing of a run, whose log ends at `newest`."""
        if made.ended:
            lives = self.backlog.life_of(made)
            return tuple(made.again(newest, self.packed(made.record), lives))
        own = self._owning(made, overwrite=True, extend=False)
        return (*own, *made.again(newest, self.packed(made.producer.record), made.keep_now))

    def _owning(self, made: Made, *, overwrite: bool, extend: bool) -> list[Command]:
        """The commands that keep a run alive; its record names the Redis that has all of it."""
        record = packed_record(made.producer.record, made.server)
        commands = [made.own(record, overwrite=overwrite, extend=extend)]
        if made.quota is not None:
            commands.append(made.count())
        return commands

    def changed(self, *, announce: bool = True) -> None:
        """Redis may have lost something: find out what, and write it again.

        Args:
            announce: Let the other workers do so too.
        """
        self._changed_at = self._loop.time()
        self.health.disturbed()
        if not self._restoring:
            self._restoring = self._again = True
            self.link.spawn(self._restore(announce))

    def misses(self, run_id: str) -> bool:
        """Take note that Redis has lost frames of a run, of which it has the end.

        Returns:
            Whether they may still be written again.
        """
        now = self._loop.time()
        self._missed = {each: at for each, at in self._missed.items() if now - at < USED_SECONDS}
        if run_id not in self._missed:
            self._missed[run_id] = now
            self.changed()
        return now - self._missed[run_id] < self._lease

    async def _restore(self, announce: bool) -> None:
        try:
            if announce:
                await self.health.unsettle(self._patience)
            await self._renew_all(again=True)
            finished = self.backlog.finished()
            for n in range(0, len(finished), GROUP):
                await asyncio.gather(*map(self._restore_finished, finished[n : n + GROUP]))
        except StoreUnavailable:
            pass  # a next beat begins again
        else:
            self._restored_at, self._again = self._loop.time(), False
        finally:
            self._restoring = False

    async def _restore_finished(self, made: Made) -> None:
        read = ("XREVRANGE", made.log, "+", "-", "COUNT", 1)
        [entries] = await self.link.do(read, patience=self._patience)
        newest = number_of(entries[0]) if entries else 0
        if newest < made.last:
            await self.link.do(*self.restoring(made, newest), patience=self._patience)

    # Each second.

    async def _beat(self) -> None:
        while (
            self.made
            or self.readers
            or self.backlog
            or self._loop.time() - self._used_at < USED_SECONDS
        ):
            begun = self._loop.time()
            try:
                await self._beat_once()
            except Exception:
                logger.exception("the store has failed at what it does each second")
            await asyncio.sleep(max(0.0, begun + BEAT_SECONDS - self._loop.time()))

    async def _beat_once(self) -> None:
        self.backlog.expire()
        await asyncio.gather(self._look_at_redis(), self._renew_all(), self._register())
        for run_id in self.readers.runs() - self.made.keys():
            self.readers.look(run_id)
        self._beats += 1

    async def _look_at_redis(self) -> None:
        loss = await self.health.look(restored_at=self._restored_at)
        if loss is not Loss.NONE or self._again:
            self.changed(announce=loss is Loss.NEWS)

    async def _renew_all(self, *, again: bool = False) -> None:
        renewing = (self._renew(run_id, again=again) for run_id in tuple(self.made))
        results = await asyncio.gather(*renewing, return_exceptions=True)
        for error in results:
            if isinstance(error, Exception):
                logger.error("the store has failed to renew the lease of a run", exc_info=error)

    async def _renew(self, run_id: str, *, again: bool = False) -> None:
        """Keep a run that is made here alive in the eyes of the others.

        Args:
            run_id: The run.
            again: Redis may have lost what leads to it.
        """
        made = self.made.get(run_id)
        if made is None or made.producer.record.ended is not None:
            return None  # its end is on its way
        last, server = made.last, self.link.server
        extend = again or self._beats % BEATS_PER_EXTENSION == 0
        begun = made.producer.record.state != "pending"
        commands = self._owning(made, overwrite=begun, extend=extend)
        if extend:
            commands += made.entries(made.keep_now)
        owned, *_ = await self._if_it_can(*commands) or (None,)
        if owned is None or run_id not in self.made:
            return None
        if not owned:
            return self.give_up(made, OwnershipLost())
        newest, stopped = owned
        if newest < last:
            self.changed()
            await self._if_it_can(*self.restoring(made, newest))
        elif server == self.link.server:
            made.server = server
        if stopped:
            made.producer.stop()
        return self._count_those_that_speak(made)

    def _count_those_that_speak(self, made: Made) -> None:
        now = self._loop.time()
        silent = [each for each, at in made.read_at.items() if now - at > self._lease]
        for each in silent:
            del made.read_at[each]
        if silent:
            self._count(made.run_id)

    async def _register(self) -> None:
        """Say which runs are read here to those who make them."""
        unknown = self.readers.runs() - self._makers.keys() - self.made.keys()
        if unknown:
            leases = [("GET", self._keys.of_run(run_id)[2]) for run_id in unknown]
            makers = await self._if_it_can(*leases)
            for run_id, maker in zip(unknown, makers, strict=False):
                if maker is not None and run_id in self.readers:
                    self._makers[run_id] = maker.decode()
        if self._makers:
            await self._if_it_can(*(self._reads(run_id, "read") for run_id in self._makers))

    def _reads(self, run_id: str, word: str) -> Command:
        return self.told(self._makers[run_id], word, run_id, self.id)

    async def _left(self, run_id: str) -> None:
        await self.link.messages.unsubscribe(self._keys.frames(run_id))
        if run_id in self._makers and run_id not in self.readers:
            message = self._reads(run_id, "left")
            del self._makers[run_id]
            await self._if_it_can(message)

    async def _if_it_can(self, *commands: Command) -> list[Any]:
        """The replies to commands that the next beat makes up for; none if Redis is away."""
        try:
            return await self.link.do(*commands, patience=0.0)
        except StoreUnavailable:
            return []

    def _count(self, run_id: str) -> None:
        made = self.made[run_id]
        made.producer.read_by(self.readers.count(run_id) + len(made.read_at))

    # What other workers say.

    def _hear(self, channel: bytes, data: bytes) -> None:
        if channel != self._keys.worker(self.id):
            run_id = channel.rpartition(b":")[2].decode()
            if not data:
                self.readers.look(run_id)
            else:
                self.readers.on_frames(run_id, *unpacked(data))
            return
        word, run_id, *who = data.decode().split(" ")
        made = self.made.get(run_id)
        if made is None:
            return
        if word == "stop":
            made.producer.stop()
        elif word == "left":
            made.read_at.pop(who[0], None)
            self._count(run_id)
        elif word == "read":
            is_new = who[0] not in made.read_at
            made.read_at[who[0]] = self._loop.time()
            if is_new:
                self._count(run_id)
                # What was written before this is in the log, and was not published.
                self.link.spawn(self._publish_nothing(run_id))

    async def _publish_nothing(self, run_id: str) -> None:
        await self._if_it_can(("PUBLISH", self._keys.frames(run_id), b""))

    def _back(self) -> None:
        for run_id in self.readers.runs():
            self.readers.look(run_id)
