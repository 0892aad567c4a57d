"""Stores of runs that outlive their readers.

A store is any object with the methods of `EventStore`. The package has two: ``memory.MemoryStore``
(one process, nothing to install) and ``redis.RedisStore`` (many workers and machines).
"""

from __future__ import annotations

from ..errors.text import mask_passwords
from .protocol import EventStore, Follower, OwnershipLost, Page, Producer, Quota
from .record import RunRecord, State
from .thread_store import Claim, Claimant, ThreadRecord, ThreadStatus, ThreadStore

__all__ = [
    "Claim",
    "Claimant",
    "EventStore",
    "Follower",
    "OwnershipLost",
    "Page",
    "Producer",
    "Quota",
    "RunRecord",
    "State",
    "ThreadRecord",
    "ThreadStatus",
    "ThreadStore",
    "open_store",
    "open_thread_store",
]


def open_store(url: str, *, prefix: str = "asgi_stream") -> EventStore:
    """Return the store for a URL: ``"memory"``, ``redis://``, ``rediss://`` or ``unix://``.

    Nothing connects before the first use.

    Args:
        url: The URL. A Redis URL may have a prefix: ``redis://host/0?prefix=shop``.
        prefix: Prepended to all keys on Redis, if the URL has no prefix.

    Returns:
        The store.

    Raises:
        ValueError: The URL is invalid, or of an unknown kind.
        ImportError: The extra that the store needs is not installed.

    Example:
        >>> store = open_store("redis://127.0.0.1:6379/0", prefix="shop")
    """
    if url == "memory":
        from .memory import MemoryStore

        return MemoryStore()
    if url.startswith(("redis://", "rediss://", "unix://")):
        from .redis import RedisStore

        return RedisStore(url, prefix=prefix)
    raise _unknown(url)


def open_thread_store(url: str, *, prefix: str = "asgi_stream") -> ThreadStore:
    """Return the store of threads for a URL, as `open_store` does for runs.

    Args:
        url: The URL, as for `open_store`.
        prefix: Prepended to all keys on Redis, if the URL has no prefix.

    Raises:
        ValueError: The URL is invalid, or of an unknown kind.
        ImportError: The extra that the store needs is not installed.

    Example:
        >>> store = open_thread_store("memory")
    """
    if url == "memory":
        from .memory_threads import MemoryThreadStore

        return MemoryThreadStore()
    if url.startswith(("redis://", "rediss://", "unix://")):
        from .redis_threads import RedisThreadStore

        return RedisThreadStore(url, prefix=prefix)
    raise _unknown(url)


def _unknown(url: str) -> ValueError:
    expected = 'expected "memory" or a URL like redis://host:6379/0'
    return ValueError(f"{expected}, not {mask_passwords(repr(url))}")
