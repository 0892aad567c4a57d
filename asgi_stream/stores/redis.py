"""Runs on Redis, for many workers and machines.

A run is a stream (https://redis.io/docs/latest/develop/data-types/streams/, Redis 6.2 or later)
whose ids are the positions of its frames, so that a frame which is written again, because the
answer to the first time was lost, is refused and not doubled. New frames are published to those
workers that have readers; whatever a reader might have missed it reads from the stream.
"""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

from ..errors import StoreUnavailable, WorkerLost
from . import Follower, Page, Producer, RunRecord, Taken
from .redis_link import Command, NoBackoff, Redis, ResponseError, Retry
from .redis_worker import (
    MARGIN_SECONDS,
    Keys,
    Made,
    Worker,
    packed,
    packed_record,
    unpacked_record,
)

__all__ = ["RedisStore"]

PATIENCE_OF_REQUESTS = 1.0
"""Seconds that a new request waits for a Redis that does not answer."""

PAGE_FRAMES = 500


class RedisStore:
    """Keeps runs on a Redis server. Nothing connects before the first use.

    Args:
        url: ``redis://user:password@host:6379/0``, ``rediss://`` for TLS, or ``unix://``.
        prefix: In front of all keys and channels.
        lease: Seconds after which a run whose worker gives no sign of life is held to be dead; at
            least 2, for it gives one each second.
        patience: Seconds for which what a run says is held for a Redis that does not answer.
        **options: For redis-py's ``Redis.from_url``: certificates, timeouts in seconds...

    Raises:
        ValueError: The address cannot be read, or `lease` is too short.
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "asgi_stream",
        lease: float = 3.0,
        patience: float = 10.0,
        **options: Any,
    ) -> None:
        if lease < 2:
            raise ValueError(f"a lease has at least 2 seconds, not {lease!r}")
        self._url = url
        # The one retry is for a connection that has died while nobody used it.
        retry = Retry(NoBackoff(), 1)
        self._options = {"retry": retry, "socket_timeout": None, **options}
        self._keys = Keys(prefix)
        self._lease = lease
        self._patience = patience
        self._workers: WeakKeyDictionary[AbstractEventLoop, Worker] = WeakKeyDictionary()
        self._client()  # so that a wrong address is found out now

    def __repr__(self) -> str:
        return "RedisStore(...)"  # an address may hold a password

    async def create(
        self, producer: Producer, *, keep: float, place: str | None = None, key: str | None = None
    ) -> str:
        here, record, keys = self._here(), producer.record, self._keys
        run_id = record.run_id
        named = [keys.name(name) for name in (key, place) if name is not None]
        if record.owner is not None:
            named.append(keys.owner(record.owner))
        made = Made(producer, keep, named)
        commands: list[Command] = [
            ("SET", keys.lease(run_id), *here.lease_command, "NX"),
            ("GET", keys.lease(run_id)),
            ("SET", keys.run(run_id), packed_record(record), "EX", made.keep_now),
        ]
        await here.listen()
        if key is not None:
            # The record first: who asks with the same key at the same moment looks for it.
            claim = ("SET", keys.name(key), run_id, "NX", "EX", made.keep_now)
            commands += [claim, ("GET", keys.name(key))]
            *_, found = await here.link.do(*commands, patience=PATIENCE_OF_REQUESTS, at_once=True)
            if found is not None and found.decode() != run_id:
                gone = ("DEL", keys.lease(run_id), keys.run(run_id))
                await here.link.do(gone, patience=PATIENCE_OF_REQUESTS)
                return str(found.decode())
            commands = commands[1:2]
        if place is not None:
            commands.append(("SET", keys.name(place), run_id, "EX", made.keep_now))
        if record.owner is not None:
            commands.append(("ZADD", keys.owner(record.owner), record.created, run_id))
            commands.append(("EXPIRE", keys.owner(record.owner), made.keep_now))
        answers = await here.link.do(*commands, patience=PATIENCE_OF_REQUESTS, at_once=True)
        holder = answers[0] if key is not None else answers[1]
        if holder != here.id.encode():
            raise Taken
        here.made[run_id] = made
        here.beat()
        return run_id

    def append(
        self,
        run_id: str,
        first: int,
        frames: Sequence[bytes],
        keep_from: int = 1,
        record: RunRecord | None = None,
    ) -> bool:
        here, keys = self._here(), self._keys
        made = here.made[run_id]
        ended = record is not None and record.ended is not None
        log = keys.log(run_id)
        commands = _entries(log, first, frames, ended)
        if keep_from > 1:
            commands.append(("XTRIM", log, "MINID", "=", keep_from))
        if made.read_at:
            commands.append(("PUBLISH", keys.frames(run_id), packed(first, frames, ended)))
        if record is not None:
            lives = made.keep_after_end if ended else made.keep_now
            commands.append(("SET", keys.run(run_id), packed_record(record), "EX", lives))
            commands += [("EXPIRE", key, lives) for key in (log, *made.named)]
        if ended:
            commands.append(("DEL", keys.lease(run_id), keys.stop(run_id)))

        def answered(answers: list[Any] | Exception) -> None:
            if isinstance(answers, Exception):
                return over(answers)
            refused = [n for n in range(len(frames)) if isinstance(answers[n], ResponseError)]
            if not refused:
                return over(None)
            # The last of them, for the others may have been trimmed since.
            n = refused[-1]
            return here.link.spawn(self._check_written(here, run_id, first + n, frames[n], over))

        def over(error: Exception | None) -> None:
            if error is None:
                here.feed(run_id, first, frames, ended)
            else:
                here.look(run_id)
            if ended or error is not None:
                here.made.pop(run_id, None)
            made.producer.written(error)

        # What is at once may overtake a beat, which must not write an older record over the last.
        at_once = first == 1 and not ended
        here.link.ask(commands, answered, patience=self._patience, at_once=at_once)
        return False

    async def bury(
        self, run_id: str, first: int, frames: Sequence[bytes], record: RunRecord
    ) -> None:
        here, keys = self._here(), self._keys
        log = keys.log(run_id)
        answers = await here.link.do(*_entries(log, first, frames, True), patience=self._patience)
        if any(isinstance(answer, ResponseError) for answer in answers):
            raise Taken
        await here.link.do(
            # So that its worker, should it wake, can write nothing after that.
            ("XSETID", log, "18446744073709551615-0"),
            # All of it lives as long as it had to.
            ("SET", keys.run(run_id), packed_record(record), "KEEPTTL"),
            ("PUBLISH", keys.frames(run_id), packed(first, frames, True)),
            patience=self._patience,
        )

    async def read(self, run_id: str, after: int) -> Page | None:
        log = self._keys.log(run_id)
        entries, record, alive = await self._look_at(
            run_id, ("XRANGE", log, after + 1, "+", "COUNT", PAGE_FRAMES), self._patience
        )
        if entries:
            frames = [fields[b"f"] for _, fields in entries]
            ended = b"e" in entries[-1][1]
            more = len(entries) == PAGE_FRAMES and not ended
            return Page(_position(entries[0]), frames, ended, more, alive)
        if record is None:
            # A Redis that has just come back without its data is told of the run again.
            back = self._here().has_been_away
            return Page(after + 1, (), False, False, True) if back else None
        ended = record.ended is not None
        return Page(max(after, record.frames if ended else 0) + 1, (), ended, False, alive)

    async def find(self, run_id: str) -> RunRecord | None:
        log = self._keys.log(run_id)
        entries, record, alive = await self._look_at(
            run_id, ("XREVRANGE", log, "+", "-", "COUNT", 1), PATIENCE_OF_REQUESTS
        )
        if record is None:
            return None
        if entries:
            record = replace(record, frames=max(record.frames, _position(entries[0])))
        if not alive:
            return replace(record, state="failed", code=WorkerLost.code)
        return record

    async def named(self, name: str) -> str | None:
        key = self._keys.name(name)
        [found] = await self._here().link.do(("GET", key), patience=PATIENCE_OF_REQUESTS)
        return None if found is None else str(found.decode())

    async def owned(self, owner: str) -> list[RunRecord]:
        link, key = self._here().link, self._keys.owner(owner)
        [members] = await link.do(("ZREVRANGE", key, 0, -1), patience=PATIENCE_OF_REQUESTS)
        ids = [member.decode() for member in members]
        records = await asyncio.gather(*map(self.find, ids))
        gone = [run_id for run_id, record in zip(ids, records, strict=True) if record is None]
        if gone:
            await link.do(("ZREM", key, *gone), patience=PATIENCE_OF_REQUESTS)
        return [record for record in records if record is not None]

    async def stop(self, run_id: str) -> None:
        here, keys = self._here(), self._keys
        if run_id in here.made:
            return here.made[run_id].producer.stop()
        # The key is for a worker that does not hear the message.
        _, maker = await here.link.do(
            ("SET", keys.stop(run_id), 1, "EX", MARGIN_SECONDS),
            ("GET", keys.lease(run_id)),
            patience=PATIENCE_OF_REQUESTS,
        )
        if maker is not None:
            message = here.told(maker.decode(), "stop", run_id)
            await here.link.do(message, patience=PATIENCE_OF_REQUESTS)
        return None

    async def follow(self, run_id: str, follower: Follower) -> None:
        await self._here().follow(run_id, follower, PATIENCE_OF_REQUESTS)

    def unfollow(self, run_id: str, follower: Follower) -> None:
        self._here().unfollow(run_id, follower)

    async def aclose(self) -> None:
        here = self._workers.pop(asyncio.get_running_loop(), None)
        if here is not None:
            await here.aclose()

    def _here(self) -> Worker:
        loop = asyncio.get_running_loop()
        here = self._workers.get(loop)
        if here is None:
            here = self._workers[loop] = Worker(self._client(), self._keys, self._lease)
        return here

    def _client(self) -> Redis:
        client: Redis = Redis.from_url(self._url, **self._options)
        return client

    async def _look_at(
        self, run_id: str, command: Command, patience: float
    ) -> tuple[list[Any], RunRecord | None, bool]:
        """Entries of a run's stream, its record, and whether its worker lives or it has ended."""
        here, keys = self._here(), self._keys
        entries, data, leased = await here.link.do(
            command, ("GET", keys.run(run_id)), ("EXISTS", keys.lease(run_id)), patience=patience
        )
        record = None if data is None else unpacked_record(data)
        ended = record is not None and record.ended is not None
        return entries or [], record, bool(leased) or ended or here.has_been_away

    async def _check_written(
        self,
        here: Worker,
        run_id: str,
        number: int,
        frame: bytes,
        over: Callable[[Exception | None], None],
    ) -> None:
        """Whether a frame that Redis has refused is there because it was written before."""
        log = self._keys.log(run_id)
        try:
            [entries] = await here.link.do(("XRANGE", log, number, number), patience=self._patience)
        except StoreUnavailable as error:
            return over(error)
        written = bool(entries) and entries[0][1][b"f"] == frame
        return over(None if written else Taken())


def _entries(log: str, first: int, frames: Sequence[bytes], ended: bool) -> list[Command]:
    commands: list[Command] = [
        ("XADD", log, f"{number}-0", "f", frame) for number, frame in enumerate(frames, first)
    ]
    if ended:
        commands[-1] = (*commands[-1], "e", 1)
    return commands


def _position(entry: Any) -> int:
    return int(entry[0].partition(b"-")[0])
