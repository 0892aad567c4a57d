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
from typing import Any
from weakref import WeakKeyDictionary

from ..errors import StoreUnavailable, TooManyOwned, mask_passwords
from .protocol import Follower, OwnershipLost, Page, Producer, Quota, RunRecord
from .redis_append import Append
from .redis_commands import (
    MARGIN_SECONDS,
    Keys,
    Made,
    Probe,
    contiguous,
    number_of,
    without_prefix,
)
from .redis_link import Command, NoBackoff, Redis, Retry
from .redis_lookup import PATIENCE_OF_REQUESTS, Lookup
from .redis_scripts import CLAIM, FINISH
from .redis_worker import Worker

__all__ = ["RedisStore"]

PAGE_FRAMES = 500

SKIPPED = 1_000_000
"""Ids that are left out when a run is finished whose newest frames Redis may have lost: others may
have been shown under them."""


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
        # All that a run with an owner, a key and a quota needs, for a run that nobody sees.
        here = self._here()
        await here.link.meet(0.0)
        probe, quota = Probe(), Quota("ready", 1_000_000)
        made = here.make(probe, keep=1, key="ready", place=None, quota=quota)
        await here.link.do(
            ("DEL", *made.keys),
            made.own(here.packed(probe.record), overwrite=True, extend=True),
            made.count(quota.limit),
            made.change(1, [b"ready"], 1, after=0),
            *made.entries(MARGIN_SECONDS),
            ("XRANGE", made.log, 1, "+", "COUNT", 1),
            ("ZREM", made.quota, made.run_id),
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
        except OwnershipLost:
            raise
        except BaseException:
            self._undo(here, made)
            raise
        made.server = here.link.server
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

    async def finalize_orphan(
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
            await here.health.unsettle(self._patience)
            done = 0
        if not done:
            raise OwnershipLost

    async def read(self, run_id: str, after: int) -> Page | None:
        log = self._keys.of_run(run_id)[0]
        read = ("XRANGE", log, after + 1, "+", "COUNT", PAGE_FRAMES)
        seen = await self._lookup.see(run_id, read, self._patience)
        newest, frames, record = after, list[bytes](), seen.record
        first, closed, more = after + 1, False, False
        if seen.entries:
            first, count = number_of(seen.entries[0]), contiguous(seen.entries)
            newest = first + count - 1
            closed = count == len(seen.entries) and b"e" in seen.entries[-1][1]
            more = not closed and (count < len(seen.entries) or count == PAGE_FRAMES)
            frames = [fields[b"f"] for _, fields in seen.entries[:count]]
        elif record is None and not seen.leased:
            return Page(first, (), False, False) if await self._lookup.may_come() else None
        if closed or more:
            return Page(first, frames, closed, more)
        lost = record is not None and record.frames > newest
        if record is not None and record.ended is not None:
            if lost and self._here().misses(run_id):
                return Page(first, frames, False, False)  # who has made it may write it again
            return Page(first if frames else record.frames + 1, frames, not frames, bool(frames))
        if seen.alive:
            return Page(first, frames, False, False)
        known = not lost and seen.is_certain
        end = max(newest, record.frames if record else 0) + 1
        return Page(first, frames, False, False, final=end if known else end + SKIPPED)

    async def find(self, run_id: str) -> RunRecord | None:
        return await self._lookup.find(run_id)

    async def named(self, name: str) -> str | None:
        return await self._lookup.named(name)

    async def owned(self, owner: str) -> list[RunRecord]:
        key = self._keys.owner(owner)
        members = ("ZRANGE", key, 0, -1)
        [ids] = await self._here().link.do(members, patience=PATIENCE_OF_REQUESTS)
        finding = (self._lookup.find_now(each.decode()) for each in ids)
        found = await asyncio.gather(*finding, return_exceptions=True)
        # A key that something else has taken hides one run, not all of them.
        known = [each[0] for each in found if isinstance(each, tuple) and each[0] is not None]
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

    @property
    def _lookup(self) -> Lookup:
        return Lookup(self._here(), self._keys, self._lease)

    def _client(self) -> Redis:
        client: Redis = Redis.from_url(self._url, **self._options)
        return client

    async def _claim(self, made: Made, key: str) -> str | None:
        """Claim a key for a run; or the id of the run that has it."""
        link, name = self._here().link, self._keys.name(key)
        own, gone = made.run_id.encode(), b""
        lives = int((self._patience + 2 * self._lease) * 1000)
        while True:
            claim = ("EVALSHA", CLAIM.digest, 1, name, own, lives, gone)
            [holder] = await link.do(claim, patience=PATIENCE_OF_REQUESTS, at_once=True)
            if holder == b"?" + own:
                return None
            if other := await self.named(key):
                return other
            gone = holder

    async def _begin(self, here: Worker, made: Made, place: str | None) -> None:
        record = here.packed(made.producer.record)
        commands = [made.own(record, overwrite=False, extend=False), *made.list(made.keep_now)]
        if place is not None:
            name = self._keys.name(place)
            commands.append(("SET", name, made.run_id, "EX", made.keep_now))
        patience = PATIENCE_OF_REQUESTS
        owned, *_ = await here.link.do(*commands, patience=patience, at_once=True)
        if not owned:
            raise OwnershipLost

    def _undo(self, here: Worker, made: Made) -> None:
        """Remove what a run that did not begin has left, if Redis can be reached."""
        commands: list[Command] = [("DEL", made.run, made.lease)]
        commands += [made.release(name) for name in made.names]
        if made.owner is not None:
            commands.append(("ZREM", made.owner, made.run_id))
        if made.quota is not None:
            commands.append(("ZREM", made.quota, made.run_id))
        here.link.ask(commands, _ignored, patience=self._patience)


def _ignored(replies: list[Any] | Exception) -> None:
    """What to do with replies that nothing depends on."""
