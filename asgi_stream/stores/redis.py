"""Runs on Redis, for many workers and machines.

A run is a stream (https://redis.io/docs/latest/develop/data-types/streams/, Redis 6.2 or later)
whose ids are the positions of its frames. Scripts append to it: what is there already, because the
reply to the first time was lost, is not doubled, and a log that is shorter than its worker knows,
because Redis has come back with older data, is written again first. In the same step new frames are
published to those workers that have readers; whatever a reader might have missed it reads from the
stream.
"""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

from ..errors import StoreUnavailable, TooManyOwned, WorkerLost, mask_passwords
from . import Follower, Page, Producer, Quota, RunRecord, Taken
from .redis_append import Append
from .redis_commands import (
    MARGIN_SECONDS,
    Keys,
    Made,
    Probe,
    contiguous,
    number_of,
    unpacked_record,
    without_prefix,
)
from .redis_link import Command, NoBackoff, Redis, Retry
from .redis_scripts import CLAIM, FINISH
from .redis_worker import Worker

__all__ = ["RedisStore"]

PATIENCE_OF_REQUESTS = 1.0
"""Seconds that a new request waits for a Redis that does not answer."""

PAGE_FRAMES = 500

SKIPPED = 1_000_000
"""Ids that are left out when a run is finished whose newest frames Redis may have lost: others may
have been shown under them."""

POLL_SECONDS = 0.05
"""Between two looks for what another worker is about to write."""


class RedisStore:
    """Keeps runs on a Redis server. Nothing connects before the first use.

    Args:
        url: ``redis://user:password@host:6379/0``, ``rediss://`` for TLS, or ``unix://``. A
            ``prefix`` may be in its query: ``redis://host/0?prefix=shop``.
        prefix: In front of all keys and channels, unless the address has one: apps that share a
            Redis need one each.
        lease: Seconds after which a run whose worker gives no sign of life is held to be dead; at
            least 2, for it gives one each second.
        patience: Seconds for which what a run says is held for a Redis that does not answer, or
            refuses.
        backlog: Bytes of frames that a worker holds of the runs that it makes, and has made as long
            as they are kept, to write them again if Redis comes back without them. The runs that
            ended first are dropped first.
        **options: For redis-py's ``Redis.from_url``: certificates, timeouts in seconds...

    Raises:
        ValueError: The address cannot be read, or `lease` is too short.

    Example:
        >>> store = RedisStore("redis://127.0.0.1:6379/0", prefix="shop", patience=30)
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "asgi_stream",
        lease: float = 3.0,
        patience: float = 10.0,
        backlog: int = 67_108_864,
        **options: Any,
    ) -> None:
        if lease < 2:
            raise ValueError(f"a lease has at least 2 seconds, not {lease!r}")
        self._url, named = without_prefix(url)
        # A connection that is made again may lead to another Redis, which the link has to know.
        retry = Retry(NoBackoff(), 0)
        self._options = {"retry": retry, "socket_timeout": None, **options}
        self._keys = Keys(named or prefix)
        self._lease = lease
        self._patience = patience
        self._backlog = backlog
        self._workers: WeakKeyDictionary[AbstractEventLoop, Worker] = WeakKeyDictionary()
        try:
            self._client()  # so that a wrong address is found out now
        except ValueError:
            # The reason repeats parts of the URL, of its password too if that is not encoded.
            raise ValueError(
                "expected an address like redis://host:6379/0, with a percent-encoded password"
                f" if there is one, not {mask_passwords(repr(url))}"
            ) from None

    def __repr__(self) -> str:
        return f"RedisStore({mask_passwords(repr(self._url))})"

    async def check(self) -> None:
        here = self._here()
        made = here.make(Probe(), keep=1, key="ready", place=None, quota=None)
        await here.link.do(
            ("DEL", made.log),
            made.change(1, [b"ready"], 1, after=0),
            *made.entries(MARGIN_SECONDS),
            ("PUBLISH", made.channel, b""),
            patience=0.0,
        )

    async def create(
        self,
        producer: Producer,
        *,
        keep: float,
        place: str | None = None,
        key: str | None = None,
        quota: Quota | None = None,
    ) -> str:
        here, run_id = self._here(), producer.record.run_id
        made = here.make(producer, keep=keep, key=key, place=place, quota=quota)
        await here.link.meet(PATIENCE_OF_REQUESTS)
        await here.listen()
        if key is not None and (other := await self._claim(made, key)) is not None:
            return other
        try:
            if quota is not None:
                count = made.count(quota.limit)
                [counted] = await here.link.do(count, patience=PATIENCE_OF_REQUESTS, at_once=True)
                if not counted:
                    raise TooManyOwned
            await self._begin(here, made, place)
        except Taken:
            raise
        except BaseException:
            self._undo(here, made)
            raise
        here.made[run_id] = made
        here.beat()
        if key is not None:
            # The run has begun, so this is tried for as long as its frames are.
            confirmed = made.name(self._keys.name(key), made.keep_now)
            here.link.ask([confirmed], _ignored, patience=self._patience)
        return run_id

    def append(
        self,
        run_id: str,
        first: int,
        frames: Sequence[bytes],
        keep_from: int = 1,
        record: RunRecord | None = None,
    ) -> bool:
        here = self._here()
        Append(here, self._patience, here.made[run_id], first, frames, keep_from, record)
        return False

    async def bury(
        self, run_id: str, after: int, first: int, frames: Sequence[bytes], record: RunRecord
    ) -> None:
        here, keys = self._here(), self._keys
        data, channel = here.packed(record), keys.frames(run_id)
        head = ("EVALSHA", FINISH.digest, 4, *keys.of_run(run_id), after, first, channel, data)
        try:
            [done] = await here.link.do((*head, MARGIN_SECONDS, *frames), patience=0.0)
        except StoreUnavailable:
            # The run's worker could not renew its lease either. It gets the time to do so, from the
            # moment on when Redis can be written again.
            await here.unsettle(self._patience)
            done = 0
        if not done:
            raise Taken

    async def read(self, run_id: str, after: int) -> Page | None:
        log = self._keys.of_run(run_id)[0]
        read = ("XRANGE", log, after + 1, "+", "COUNT", PAGE_FRAMES)
        entries, record, server, alive = await self._look_at(run_id, read, self._patience)
        if entries:
            first, count = number_of(entries[0]), contiguous(entries)
            ended = count == len(entries) and b"e" in entries[-1][1]
            more = not ended and (count < len(entries) or count == PAGE_FRAMES)
            final = None if alive or ended or more else self._final(first + count, server)
            frames = [fields[b"f"] for _, fields in entries[:count]]
            return Page(first, frames, ended, more, final)
        if record is None:
            back = self._here().has_been_away or await self._here().is_unsettled(self._patience)
            return Page(after + 1, (), False, False) if back else None
        ended = record.ended is not None
        first = record.frames + 1 if ended else after + 1
        return Page(first, (), ended, False, None if alive else self._final(after + 1, server))

    async def find(self, run_id: str) -> RunRecord | None:
        here, loop = self._here(), asyncio.get_running_loop()
        found = await self._find(run_id)
        until = loop.time() + 2 * self._lease
        while found is None and loop.time() < until:
            if not await here.is_unsettled(PATIENCE_OF_REQUESTS) and not here.has_been_away:
                return await self._find(run_id)
            await asyncio.sleep(POLL_SECONDS)
            found = await self._find(run_id)
        return found

    async def named(self, name: str) -> str | None:
        link, key = self._here().link, self._keys.name(name)
        while True:
            [holder] = await link.do(("GET", key), patience=PATIENCE_OF_REQUESTS)
            if holder is None or not holder.startswith(b"?"):
                return None if holder is None else str(holder.decode())
            await asyncio.sleep(POLL_SECONDS)  # a claim is confirmed, or runs out

    async def owned(self, owner: str) -> list[RunRecord]:
        key = self._keys.owner(owner)
        members = ("ZRANGE", key, 0, -1)
        [ids] = await self._here().link.do(members, patience=PATIENCE_OF_REQUESTS)
        records = await asyncio.gather(*(self._find(each.decode()) for each in ids))
        known = [record for record in records if record is not None]
        return sorted(known, key=lambda record: record.created, reverse=True)

    async def stop(self, run_id: str) -> None:
        here = self._here()
        if run_id in here.made:
            return here.made[run_id].producer.stop()
        *_, lease, stop = self._keys.of_run(run_id)
        # The key is for a worker that does not hear the message.
        _, maker = await here.link.do(
            ("SET", stop, 1, "EX", MARGIN_SECONDS),
            ("GET", lease),
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
            here = self._workers[loop] = Worker(
                self._client(),
                self._keys,
                lease=self._lease,
                patience=self._patience,
                backlog=self._backlog,
            )
        return here

    def _client(self) -> Redis:
        client: Redis = Redis.from_url(self._url, **self._options)
        return client

    async def _claim(self, made: Made, key: str) -> str | None:
        """Claim a key for a run; or the id of the run that has it."""
        link, name = self._here().link, self._keys.name(key)
        own = made.run_id.encode()
        claim = ("EVALSHA", CLAIM.digest, 1, name, own, int(self._lease * 1000))
        while True:
            [holder] = await link.do(claim, patience=PATIENCE_OF_REQUESTS, at_once=True)
            if holder == b"?" + own:
                return None
            if other := await self.named(key):
                return other

    async def _begin(self, here: Worker, made: Made, place: str | None) -> None:
        record = here.packed(made.producer.record)
        commands = [made.own(record, overwrite=False, extend=False), *made.list(made.keep_now)]
        if place is not None:
            name = self._keys.name(place)
            commands.append(("SET", name, made.run_id, "EX", made.keep_now))
        patience = PATIENCE_OF_REQUESTS
        owned, *_ = await here.link.do(*commands, patience=patience, at_once=True)
        if not owned:
            raise Taken

    def _undo(self, here: Worker, made: Made) -> None:
        """Remove what a run that did not begin has left, if Redis can be reached."""
        commands: list[Command] = [("DEL", made.run, made.lease)]
        if made.owner is not None:
            commands.append(("ZREM", made.owner, made.run_id))
        if made.quota is not None:
            commands.append(("ZREM", made.quota, made.run_id))
        here.link.ask(commands, _ignored, patience=self._patience)

    async def _look_at(
        self, run_id: str, command: Command, patience: float
    ) -> tuple[list[Any], RunRecord | None, str, bool]:
        """Entries of a run's log; its record, with its server; if it may go on or has ended."""
        here, (_, run, lease, _) = self._here(), self._keys.of_run(run_id)
        # The entries last: what the record says of the run's end is among them.
        data, leased, unsettled, entries = await here.link.do(
            ("GET", run),
            ("EXISTS", lease),
            ("EXISTS", self._keys.unsettled),
            command,
            patience=patience,
        )
        record, server = (None, "") if data is None else unpacked_record(data)
        ended = record is not None and record.ended is not None
        alive = bool(leased or unsettled) or ended or here.has_been_away
        return entries or [], record, server, alive

    async def _find(self, run_id: str) -> RunRecord | None:
        log = self._keys.of_run(run_id)[0]
        newest = ("XREVRANGE", log, "+", "-", "COUNT", 1)
        entries, record, server, alive = await self._look_at(run_id, newest, PATIENCE_OF_REQUESTS)
        if record is None:
            return None
        if entries:
            record = replace(record, frames=max(record.frames, number_of(entries[0])))
        if record.ended is None:
            certain = server == self._here().link.server
            record = replace(record, certain=certain)
        if not alive:
            return replace(record, state="failed", code=WorkerLost.code)
        return record

    def _final(self, number: int, server: str) -> int:
        """The id of the last frame of a run that nobody makes any more."""
        known = server == self._here().link.server
        return number if known else number + SKIPPED


def _ignored(replies: list[Any] | Exception) -> None:
    """What to do with replies that nothing depends on."""
