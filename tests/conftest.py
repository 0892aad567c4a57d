from __future__ import annotations

from collections.abc import Iterator

import pytest

from .redis_server import RedisServer, redis_server


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A server for all tests that do not harm it."""
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server
