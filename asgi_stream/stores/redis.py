"""Store runs on Redis, for many workers and machines.

A run's log is a stream (https://redis.io/docs/latest/develop/data-types/streams/, Redis 6.2 or
later) whose entry ids are the ids of its frames. Lua scripts append to it: frames that are already
there, because the first reply was lost, are not written twice; and if the log is shorter than its
worker knows, because Redis has come back with older data, the missing frames are rewritten first.
The same step publishes new frames to the workers that have readers, which read from the stream
whatever they may have missed.
"""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop
from collections.abc import Sequence
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from ..errors.text import mask_passwords
from ._redis.append import Append
from ._redis.commands import Names
from ._redis.connection import open_client
from ._redis.creation import Creation
from ._redis.deletion import delete_run
from ._redis.keys import Keys, split_prefix
from ._redis.link import REQUEST_SECONDS
from ._redis.lookup import Lookup
from ._redis.orphans import finalize_orphan, take_over
from ._redis.worker import Worker
from .protocol import Follower, Page, Producer, Quota
from .record import RunRecord

__all__ = ["RedisStore"]


class _Parts(NamedTuple):
    """What a store has on one event loop."""

    worker: Worker
    lookup: Lookup
    creation: Creation


class RedisStore:
    """Stores runs on a Redis server, as an `EventStore`. Connects at the first use.

    Args:
        url: ``redis://user:password@host:6379/0``, ``rediss://`` for TLS, or ``unix://``. Its query
            may have a ``prefix``: ``redis://host/0?prefix=shop``.
        prefix: Prepended to all keys and channels, unless the URL has a prefix. Apps that share a
            Redis need different ones.
        lease: Seconds after which a run whose worker shows no sign of life counts as orphaned. At
            least 2, because workers renew their leases once a second.
        patience: Seconds to hold a run's frames while Redis does not respond or rejects commands,
            before the run fails.
        backlog: Bytes of frames that a worker holds of its runs, unfinished ones and those that are
            still kept, to rewrite them if Redis comes back without them. The runs that ended first
            are dropped first.
        **options: Passed to redis-py's ``Redis.from_url``: certificates, timeouts in seconds...
            ``decode_responses``, here or in the URL, has no effect.

    Raises:
        ValueError: The URL is invalid, or `lease` is too short.

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
            raise ValueError(f"lease must be at least 2 seconds, not {lease!r}")
        self._url, url_prefix = split_prefix(url)
        self._options = options
        self._keys = Keys(url_prefix or prefix)
        self._lease = lease
        self._patience = patience
        self._backlog = backlog
        self._by_loop: WeakKeyDictionary[AbstractEventLoop, _Parts] = WeakKeyDictionary()
        open_client(self._url, options)  # fails now if the URL is invalid

    def __repr__(self) -> str:
        return f"RedisStore({mask_passwords(repr(self._url))})"

    async def check(self) -> None:
        await self._parts().creation.check()

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
        names = Names(keep=keep, conversation_id=conversation_id, key=key, quota=quota)
        return await self._parts().creation.create(producer, names, origin)

    def append(
        self,
        run_id: str,
        first: int,
        frames: Sequence[bytes],
        keep_from: int = 1,
        record: RunRecord | None = None,
    ) -> bool:
        worker = self._worker()
        run = worker.runs[run_id]
        Append(worker, run, first, frames, keep_from, record, patience=self._patience)
        return False

    async def finalize_orphan(
        self, run_id: str, after: int, first: int, frames: Sequence[bytes], record: RunRecord
    ) -> None:
        worker, patience = self._worker(), self._patience
        await finalize_orphan(
            worker, self._keys, run_id, after, first, frames, record, patience=patience
        )

    async def take_over(
        self, producer: Producer, after: int, frames: Sequence[bytes]
    ) -> bytes | None:
        worker, patience = self._worker(), self._patience
        return await take_over(worker, producer, after, frames, patience=patience)

    async def read(self, run_id: str, after: int) -> Page | None:
        return await self._parts().lookup.read(run_id, after)

    async def find(self, run_id: str) -> RunRecord | None:
        return await self._parts().lookup.find(run_id)

    async def named(self, name: str) -> str | None:
        return await self._parts().lookup.named(name)

    async def owned(self, owner: str) -> list[RunRecord]:
        return await self._parts().lookup.owned(owner)

    async def stop(self, run_id: str) -> None:
        await self._worker().request_stop(run_id)

    async def delete(self, run_id: str) -> None:
        worker, lookup, _ = self._parts()
        await delete_run(worker, lookup, self._keys, run_id)

    async def follow(self, run_id: str, follower: Follower) -> None:
        worker = self._worker()
        await worker.readers.follow(run_id, follower, REQUEST_SECONDS)
        worker.beat()

    def unfollow(self, run_id: str, follower: Follower) -> None:
        self._worker().readers.unfollow(run_id, follower)

    async def aclose(self) -> None:
        parts = self._by_loop.pop(asyncio.get_running_loop(), None)
        if parts is not None:
            await parts.worker.aclose()

    def _worker(self) -> Worker:
        return self._parts().worker

    def _parts(self) -> _Parts:
        loop = asyncio.get_running_loop()
        parts = self._by_loop.get(loop)
        if parts is None:
            times = {"lease": self._lease, "patience": self._patience}
            client = open_client(self._url, self._options)
            worker = Worker(client, self._keys, backlog=self._backlog, **times)
            lookup = Lookup(worker, self._keys, **times)
            creation = Creation(worker, lookup, self._keys, **times)
            parts = self._by_loop[loop] = _Parts(worker, lookup, creation)
        return parts
