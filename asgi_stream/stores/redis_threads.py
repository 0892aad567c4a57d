"""Store records of threads on Redis, and let the runs of many workers take turns on a thread.

A record is a JSON document, which is replaced only if it is still the one that was read. The claims
of a thread are a queue; each is alive as long as its worker renews its lease.
"""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple
from uuid import uuid4
from weakref import WeakKeyDictionary

from ..errors.text import mask_passwords
from ._redis.commands import Command
from ._redis.connection import open_client
from ._redis.encoding import decode_thread, encode_thread
from ._redis.keys import Keys, encode_text, split_prefix
from ._redis.link import REQUEST_SECONDS, Link
from ._redis.thread_claims import ThreadClaim, ThreadClaims
from ._redis.thread_scripts import CLAIM, CREATE, DELETE, FIND, LIST, SWAP
from .thread_store import Claim, Claimant, ThreadRecord, ThreadStatus

__all__ = ["RedisThreadStore"]

PAGE = 100
"""How many records of a list are read at once."""

CHECK_MILLISECONDS = 1000


class _Parts(NamedTuple):
    """What a store has on one event loop."""

    link: Link
    claims: ThreadClaims


REMEMBERED = 1000
"""How many threads' last records are kept in this process."""


class RedisThreadStore:
    """Stores records of threads on a Redis server, as a `ThreadStore`. Connects at the first use.

    If Redis is away for a time, runs keep the threads that they have, and those that wait for a
    thread fail. A run is evicted if another one has taken its thread meanwhile.

    Args:
        url: ``redis://user:password@host:6379/0``, ``rediss://`` for TLS, or ``unix://``. Its query
            may have a ``prefix``: ``redis://host/0?prefix=shop``.
        prefix: Prepended to all keys, unless the URL has a prefix. Apps that share a Redis need
            different ones.
        keep: Seconds after its last update that a record is kept; None for ever.
        lease: Seconds after which the claims of a worker end that shows no sign of life. At least
            2, because workers renew their claims once a second.
        **options: Passed to redis-py's ``Redis.from_url``: certificates, timeouts in seconds...
            ``decode_responses``, here or in the URL, has no effect.

    Raises:
        ValueError: The URL is invalid, `keep` is not positive, or `lease` is too short.

    Example:
        >>> store = RedisThreadStore("redis://127.0.0.1:6379/0", prefix="shop", keep=2_592_000)
    """

    local = False

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "asgi_stream",
        keep: float | None = None,
        lease: float = 3.0,
        **options: Any,
    ) -> None:
        if lease < 2:
            raise ValueError(f"lease must be at least 2 seconds, not {lease!r}")
        if keep is not None and keep <= 0:
            raise ValueError(f"keep must be positive seconds or None, not {keep!r}")
        self._url, url_prefix = split_prefix(url)
        self._options = options
        self._keys = Keys(url_prefix or prefix)
        self._milliseconds: int | str = "" if keep is None else max(1, int(keep * 1000))
        self._lease = lease
        self._by_loop: WeakKeyDictionary[AbstractEventLoop, _Parts] = WeakKeyDictionary()
        self._last_written: dict[tuple[str, str], Any] = {}
        open_client(self._url, options)  # fails now if the URL is invalid

    def __repr__(self) -> str:
        return f"RedisThreadStore({mask_passwords(repr(self._url))})"

    async def check(self) -> None:
        prefix, token = self._keys.thread_check, uuid4().hex.encode()
        record, listed, queue = prefix + b"record", prefix + b"list", prefix + b"queue"
        life = CHECK_MILLISECONDS
        # The claim waits behind those of other checks, and expires.
        await self._execute(
            ("EVALSHA", CREATE.digest, 2, record, listed, b"", token, 0, life, prefix),
            ("EVALSHA", CLAIM.digest, 2, queue, prefix + token, token, prefix, life, life, 1, 0),
            patience=0.0,
        )

    async def create(self, record: ThreadRecord) -> bool:
        keys = self._record_keys(record.scope, record.thread_id)
        [created] = await self._execute(
            ("EVALSHA", CREATE.digest, 2, *keys, *self._written(record, encode_thread(record)))
        )
        return bool(created)

    async def find(self, scope: str, thread_id: str) -> ThreadRecord | None:
        record, _ = self._record_keys(scope, thread_id)
        queue, leases = self._queue(scope, thread_id), self._keys.thread_leases
        [row] = await self._execute(("EVALSHA", FIND.digest, 2, record, queue, leases))
        return decode_thread(*row)

    async def touch(
        self,
        scope: str,
        thread_id: str,
        *,
        route: str,
        now: float,
        status: ThreadStatus | None = None,
        metadata: Mapping[str, Any] | None = None,
        run_id: str | None = None,
    ) -> ThreadRecord:
        keys = *self._record_keys(scope, thread_id), self._queue(scope, thread_id)
        new = ThreadRecord(thread_id=thread_id, scope=scope, route=route, created=now, updated=now)
        current = self._last_written.get((scope, thread_id), b"")
        while True:
            record = decode_thread(current) or new
            record = record.touched(now, status=status, metadata=metadata, run_id=run_id)
            written = self._written(record, encode_thread(record))
            [[is_written, result]] = await self._execute(
                ("EVALSHA", SWAP.digest, 3, *keys, self._keys.thread_leases, current, *written)
            )
            if is_written:
                self._remember((scope, thread_id), written[1])
                return replace(record, status="busy") if result else record
            current = result

    async def delete(self, scope: str, thread_id: str) -> bool:
        keys = self._record_keys(scope, thread_id)
        [deleted] = await self._execute(
            ("EVALSHA", DELETE.digest, 2, *keys, encode_text(thread_id))
        )
        return bool(deleted)

    async def list(self, scope: str) -> list[ThreadRecord]:
        key, leases = self._keys.threads(scope), self._keys.thread_leases
        prefixes = leases, self._keys.thread_records(scope), self._keys.thread_queues(scope)
        [threads] = await self._execute(("ZREVRANGE", key, 0, -1))
        records = []
        for start in range(0, len(threads), PAGE):
            page = threads[start : start + PAGE]
            [rows] = await self._execute(("EVALSHA", LIST.digest, 1, key, *prefixes, *page))
            records += [record for row in rows if (record := decode_thread(*row)) is not None]
        return sorted(records, key=lambda record: record.updated, reverse=True)

    async def claim(
        self,
        scope: str,
        thread_id: str,
        claimant: Claimant,
        *,
        wait: bool = False,
        evict: bool = False,
        linger: float = 0.0,
        attempt: int = 1,
    ) -> Claim:
        claims, queue = self._parts().claims, self._queue(scope, thread_id)
        claim = ThreadClaim(self._keys, queue, claimant, linger, attempt)
        return await claims.claim(claim, wait=wait, evict=evict)

    def release(self, scope: str, thread_id: str, run_id: str) -> None:
        self._parts().claims.release(self._queue(scope, thread_id), run_id)

    async def aclose(self) -> None:
        """Release all claims of this event loop, and close its connections."""
        parts = self._by_loop.pop(asyncio.get_running_loop(), None)
        if parts is not None:
            parts.claims.aclose()
            await parts.link.aclose()

    def _record_keys(self, scope: str, thread_id: str) -> tuple[bytes, bytes]:
        record = self._keys.thread_records(scope) + encode_text(thread_id)
        return record, self._keys.threads(scope)

    def _queue(self, scope: str, thread_id: str) -> bytes:
        return self._keys.thread_queues(scope) + encode_text(thread_id)

    def _remember(self, key: tuple[str, str], data: Any) -> None:
        """Keep what has been written last of a thread, which saves a round trip the next time."""
        self._last_written.pop(key, None)
        self._last_written[key] = data
        if len(self._last_written) > REMEMBERED:
            del self._last_written[next(iter(self._last_written))]

    def _written(self, record: ThreadRecord, data: bytes) -> Command:
        """The arguments that write a record."""
        records = self._keys.thread_records(record.scope)
        thread = encode_text(record.thread_id)
        return thread, data, record.updated, self._milliseconds, records

    async def _execute(
        self, *commands: Command, patience: float = REQUEST_SECONDS
    ) -> Sequence[Any]:
        link, claims = self._parts()
        # What has been released here is seen as released: the queue of the link keeps the order.
        at_once = not claims.removals
        return await link.execute(*commands, patience=patience, at_once=at_once)

    def _parts(self) -> _Parts:
        loop = asyncio.get_running_loop()
        parts = self._by_loop.get(loop)
        if parts is None:
            client = open_client(self._url, self._options)
            link = Link(client, *(_nothing,) * 3)
            claims = ThreadClaims(link, self._keys, lease=self._lease)
            parts = self._by_loop[loop] = _Parts(link, claims)
        return parts


def _nothing(*_: bytes) -> None:
    """Nobody subscribes, and each claim knows its server."""
