from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from asgi_stream.stores import EventStore
from asgi_stream.stores.memory import MemoryStore
from asgi_stream.stores.redis import RedisStore

from ..redis_server import RedisServer


@pytest.fixture(params=["memory", "redis"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[EventStore]:
    if request.param == "memory":
        yield MemoryStore()
        return
    server: RedisServer = request.getfixturevalue("redis")
    redis_store = RedisStore(server.url, prefix=uuid4().hex)
    yield redis_store
    await redis_store.aclose()
