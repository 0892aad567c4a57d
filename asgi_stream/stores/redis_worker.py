"""One worker among those that share a Redis: what it makes, what it reads, that it lives."""

from __future__ import annotations

import asyncio
import struct
from asyncio import Task
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from uuid import uuid4

import orjson

from ..errors import StoreUnavailable
from . import Follower, Producer, RunRecord, Taken
from .redis_link import Command, Link, Redis

BEAT_SECONDS = 1.0

MARGIN_SECONDS = 60
"""How much longer than it is kept all of an unfinished run lives, should its worker die."""

BEATS_PER_EXTENSION = 10


class Keys:
    """The names of keys and channels. In braces is what a cluster puts in one place."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def log(self, run_id: str) -> str:
        """A stream: each entry has a frame as ``f``, the last of a run an ``e`` too."""
        return f"{self._prefix}:{{{run_id}}}:log"

    def run(self, run_id: str) -> str:
        """The run's record, as JSON."""
        return f"{self._prefix}:{{{run_id}}}:run"

    def lease(self, run_id: str) -> str:
        """The worker that makes the run, for as long as it lives."""
        return f"{self._prefix}:{{{run_id}}}:lease"

    def stop(self, run_id: str) -> str:
        """There if someone has asked for the run's end."""
        return f"{self._prefix}:{{{run_id}}}:stop"

    def name(self, name: str) -> str:
        return f"{self._prefix}:name:{name}"

    def owner(self, owner: str) -> str:
        """A sorted set of runs by the time of their beginning."""
        return f"{self._prefix}:owner:{owner}"

    def frames(self, run_id: str) -> str:
        """The channel of a run's new frames."""
        return f"{self._prefix}:frames:{run_id}"

    def worker(self, worker: str) -> str:
        """The channel of what one worker is told by the others."""
        return f"{self._prefix}:worker:{worker}"


class Made:
    """A run that is made here.

    Args:
        producer: What makes it.
        keep: Seconds that it is kept after its end.
        named: Keys besides its own that have to live as long.
    """

    def __init__(self, producer: Producer, keep: float, named: Sequence[str]) -> None:
        self.producer = producer
        self.keep_after_end = max(1, int(keep))
        self.keep_now = int(keep) + MARGIN_SECONDS
        self.named = named
        self.read_at: dict[str, float] = {}
        """Other workers that have readers of it, and when they have last said so."""


class Worker:
    """What a store does on one event loop.

    Args:
        client: A client of redis-py.
        keys: The names of keys and channels.
        lease: Seconds for which others believe that this worker lives.
    """

    def __init__(self, client: Redis, keys: Keys, lease: float) -> None:
        self.id = uuid4().hex
        self.link = Link(client, self._hear, self._back)
        self.made: dict[str, Made] = {}
        self._keys = keys
        self._lease = lease
        self._loop = asyncio.get_running_loop()
        self._followers: dict[str, set[Follower]] = {}
        self._makers: dict[str, str] = {}
        """The workers that make the runs that are read here."""
        self._beats = 1
        self._beating: Task[None] | None = None

    @property
    def lease_command(self) -> Command:
        """The end of a command that sets a lease to this worker's."""
        return (self.id, "PX", int(self._lease * 1000))

    @property
    def has_been_away(self) -> bool:
        """Whether Redis was out of reach so lately that leases may have run out for that."""
        return self._loop.time() - self.link.failed < self._lease

    def beat(self) -> None:
        """See to it that what is made and read here is looked after each second."""
        if self._beating is None or self._beating.done():
            self._beating = self._loop.create_task(self._beat())

    async def listen(self) -> None:
        """Hear what other workers have to say to this one."""
        await self.link.subscribe(self._keys.worker(self.id))

    async def follow(self, run_id: str, follower: Follower, patience: float) -> None:
        self._followers.setdefault(run_id, set()).add(follower)
        if run_id in self.made:
            return self._count(run_id)
        try:
            await self.listen()
            await self.link.subscribe(self._keys.frames(run_id))
            [maker] = await self.link.do(("GET", self._keys.lease(run_id)), patience=patience)
            if maker is not None and run_id in self._followers:
                self._makers[run_id] = maker.decode()
                await self.link.do(self._reads(run_id, "read"), patience=patience)
        except BaseException:
            self.unfollow(run_id, follower)
            raise
        self.beat()
        return None

    def unfollow(self, run_id: str, follower: Follower) -> None:
        followers = self._followers.get(run_id)
        if followers is None or follower not in followers:
            return
        followers.remove(follower)
        if not followers:
            del self._followers[run_id]
        if run_id in self.made:
            self._count(run_id)
        elif not followers:
            self.link.spawn(self._left(run_id))

    def feed(self, run_id: str, first: int, frames: Sequence[bytes], ended: bool) -> None:
        """Tell those who read a run here of new frames."""
        for follower in tuple(self._followers.get(run_id, ())):
            follower.feed(first, frames, ended)

    def look(self, run_id: str) -> None:
        """Tell those who read a run here that there may be something new."""
        for follower in tuple(self._followers.get(run_id, ())):
            follower.look()

    def told(self, worker: str, *words: str) -> Command:
        """A command that tells another worker something."""
        return ("PUBLISH", self._keys.worker(worker), " ".join(words))

    async def aclose(self) -> None:
        if self._beating is not None:
            self._beating.cancel()
        await self.link.aclose()

    def _reads(self, run_id: str, word: str) -> Command:
        return self.told(self._makers[run_id], word, run_id, self.id)

    async def _left(self, run_id: str) -> None:
        await self.link.unsubscribe(self._keys.frames(run_id))
        if run_id in self._makers and run_id not in self._followers:
            message = self._reads(run_id, "left")
            del self._makers[run_id]
            await self._if_it_can(message)

    async def _if_it_can(self, *commands: Command) -> list[Any]:
        """The answers to commands that the next beat makes up for; none if Redis is away."""
        try:
            return await self.link.do(*commands, patience=0.0)
        except StoreUnavailable:
            return []

    def _count(self, run_id: str) -> None:
        made = self.made[run_id]
        made.producer.read_by(len(self._followers.get(run_id, ())) + len(made.read_at))

    async def _beat(self) -> None:
        while self.made or self._followers:
            begun = self._loop.time()
            await asyncio.gather(*map(self._renew, tuple(self.made)), return_exceptions=True)
            reads = [self._reads(run_id, "read") for run_id in self._makers]
            if reads:
                await self._if_it_can(*reads)
            for run_id in tuple(self._followers):
                if run_id not in self.made:
                    self.look(run_id)
            self._beats += 1
            await asyncio.sleep(max(0.0, begun + BEAT_SECONDS - self._loop.time()))

    async def _renew(self, run_id: str) -> None:
        """Keep a run that is made here alive in the eyes of the others."""
        made, keys = self.made[run_id], self._keys
        record = made.producer.record
        if record.ended is not None:
            return  # its end is on its way
        commands: list[Command] = [
            ("SET", keys.lease(run_id), *self.lease_command, "XX"),
            ("EXISTS", keys.stop(run_id)),
            ("GET", keys.run(run_id)),
        ]
        if record.state != "pending":
            commands.append(("SET", keys.run(run_id), packed_record(record), "EX", made.keep_now))
        if self._beats % BEATS_PER_EXTENSION == 0:
            lasting = (keys.log(run_id), *made.named)
            commands += [("EXPIRE", key, made.keep_now) for key in lasting]
        answers = await self._if_it_can(*commands)
        if not answers or run_id not in self.made:
            return
        leased, stopped, known, *_ = answers
        if not leased:
            # It ran out, or Redis has lost it. Unless the run was ended for that, it goes on.
            if known is not None and unpacked_record(known).ended is not None:
                await self._if_it_can(("SET", keys.run(run_id), known, "EX", made.keep_after_end))
                del self.made[run_id]
                made.producer.written(Taken())
                return
            await self._if_it_can(("SET", keys.lease(run_id), *self.lease_command, "NX"))
        if stopped:
            made.producer.stop()
        now = self._loop.time()
        silent = [each for each, at in made.read_at.items() if now - at > self._lease]
        for each in silent:
            del made.read_at[each]
        if silent:
            self._count(run_id)

    def _hear(self, channel: str, data: bytes) -> None:
        if channel != self._keys.worker(self.id):
            run_id = channel.rpartition(":")[2]
            if not data:
                self.look(run_id)
            else:
                self.feed(run_id, *unpacked(data))
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
        else:
            is_new = who[0] not in made.read_at
            made.read_at[who[0]] = self._loop.time()
            if is_new:
                self._count(run_id)
                # What was said before this is in the stream, and was not published.
                self.link.spawn(self._publish_nothing(run_id))

    async def _publish_nothing(self, run_id: str) -> None:
        await self._if_it_can(("PUBLISH", self._keys.frames(run_id), b""))

    def _back(self) -> None:
        for run_id in tuple(self._followers):
            self.look(run_id)


def packed_record(record: RunRecord) -> bytes:
    return orjson.dumps(asdict(record))


def unpacked_record(data: bytes) -> RunRecord:
    return RunRecord(**orjson.loads(data))


def packed(first: int, frames: Sequence[bytes], ended: bool) -> bytes:
    """Frames as one message."""
    head = struct.pack(f"!QI?{len(frames)}I", first, len(frames), ended, *map(len, frames))
    return b"".join((head, *frames))


def unpacked(data: bytes) -> tuple[int, list[bytes], bool]:
    first, count, ended = struct.unpack_from("!QI?", data)
    sizes = struct.unpack_from(f"!{count}I", data, struct.calcsize("!QI?"))
    begin = struct.calcsize(f"!QI?{count}I")
    frames = []
    for size in sizes:
        frames.append(data[begin : begin + size])
        begin += size
    return first, frames, ended
