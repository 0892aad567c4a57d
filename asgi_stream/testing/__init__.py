"""Tests of a route table or of a store, in process: no server, no sockets, no plugin.

`Exchange` and `request` call an ASGI app and read its response while it is being sent.
`STORE_CHECKS` are the checks that every `asgi_stream.stores.EventStore` must pass, and
`THREAD_STORE_CHECKS` those for every `asgi_stream.stores.ThreadStore`. Each takes two stores over
the same, empty backend, those of two workers; `asgi_stream.testing.store_contract` has an example.

Nothing here imports pytest. For detailed messages of failed checks, put
``pytest.register_assert_rewrite("asgi_stream.testing")`` into ``conftest.py``.
"""

from __future__ import annotations

from .exchange import Exchange, request
from .frame import Frame
from .recording import RecordingFollower, RecordingProducer, read_frames
from .store_contract import STORE_CHECKS, THREAD_STORE_CHECKS, StoreCheck, ThreadStoreCheck

__all__ = [
    "STORE_CHECKS",
    "THREAD_STORE_CHECKS",
    "Exchange",
    "Frame",
    "RecordingFollower",
    "RecordingProducer",
    "StoreCheck",
    "ThreadStoreCheck",
    "read_frames",
    "request",
]
