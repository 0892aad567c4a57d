"""Where the frames of runs are kept that outlive their readers.

A store is any object with the methods of `EventStore`. The two that come with the package are
``MemoryStore`` (one process, nothing to install) and ``RedisStore`` (many workers and machines).
"""

from __future__ import annotations

from ..errors import mask_passwords
from .protocol import EventStore, Follower, OwnershipLost, Page, Producer, Quota, RunRecord, State

__all__ = [
    "EventStore",
    "Follower",
    "OwnershipLost",
    "Page",
    "Producer",
    "Quota",
    "RunRecord",
    "State",
    "open_store",
]


def open_store(url: str, *, prefix: str = "asgi_stream") -> EventStore:
    """A store by its address: ``"memory"``, or ``redis://``, ``rediss://`` or ``unix://``.

    Nothing connects before the first use.

    Args:
        url: The address. That of a Redis may say its prefix: ``redis://host/0?prefix=shop``.
        prefix: What the names of all that is kept on a Redis begin with, if the address has none.

    Raises:
        ValueError: There is no such kind of store, or the address cannot be read.
        ImportError: What it needs is not installed.
    """
    if url == "memory":
        from .memory import MemoryStore

        return MemoryStore()
    if url.startswith(("redis://", "rediss://", "unix://")):
        from .redis import RedisStore

        return RedisStore(url, prefix=prefix)
    expected = 'expected "memory" or an address like redis://host:6379/0'
    raise ValueError(f"{expected}, not {mask_passwords(repr(url))}")
