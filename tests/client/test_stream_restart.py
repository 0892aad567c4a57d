"""The reader in JavaScript while the servers behind its connection stop, with runs on a Redis."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from ..clients import new_key, until
from ..redis_server import RedisServer
from ..servers import Server, serving
from .javascript import run
from .relaying import relaying

pytestmark = pytest.mark.anyio


@pytest.fixture
def servers(redis: RedisServer, tmp_path: Path) -> Iterator[list[Server]]:
    env = {"REDIS": redis.url, "PROBE_LOG": str(tmp_path / "notes")}
    with ExitStack() as stack:
        yield [
            stack.enter_context(serving("tests.resume.stored_app:app", tmp_path, env=env))
            for _ in range(2)
        ]


async def read(port: int, folder: Path, count: int) -> Any:
    body = {"key": new_key(), "count": count, "per_second": 20}
    url = f"http://127.0.0.1:{port}/stream/count"
    return await run("read", folder, url=url, input=body, options={"resume": True})


def words(outcome: Any) -> list[str]:
    return [each["token"] for each in outcome["events"]]


async def test_a_server_that_stops_hands_its_readers_over(
    servers: list[Server], tmp_path: Path
) -> None:
    here, other = servers
    legs = (here.port, 1500), (other.port, math.inf), (here.port, math.inf)
    async with relaying(*legs) as port, asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(read(port, tmp_path, 100))
        await until(lambda: "GET /stream/count/runs/" in other.log())
        other.terminate()
    outcome = reading.result()
    assert words(outcome) == [f"t{n} " for n in range(100)]
    assert outcome["end"] == "end"
    assert len(outcome["opened"]) == 3


async def test_of_a_server_that_is_killed_the_rest_is_read_and_an_error(
    servers: list[Server], tmp_path: Path
) -> None:
    here, other = servers
    legs = (here.port, 1500), (other.port, math.inf)
    async with relaying(*legs) as port, asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(read(port, tmp_path, 200))
        await until(lambda: "GET /stream/count/runs/" in other.log())
        here.process.kill()
    outcome = reading.result()
    assert words(outcome) == [f"t{n} " for n in range(len(outcome["events"]))]
    assert 0 < len(outcome["events"]) < 200
    assert outcome["error"]["code"] == "worker_lost"
