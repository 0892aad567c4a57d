"""A slow reader costs little, and nobody else notices it."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from ..clients import Connection, Notes, new_key, until
from ..servers import Server, serving

pytestmark = [pytest.mark.anyio, pytest.mark.alone]  # it measures time

POLLED_WITHIN_SECONDS = 0.1
SERVERS = ["uvicorn-httptools", "uvicorn-h11-uvloop", "hypercorn", "granian"]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("slow") / "notes"


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, log: Path) -> Iterator[Server]:
    with serving("tests.apps:app", log.parent, request.param, {"PROBE_LOG": str(log)}) as running:
        httpx.post(f"{running.url}/stream/odd", json=1)  # whatever is imported at the first run
        yield running


def resident(server: Server) -> int:
    """Bytes of memory that the process that answers has resident."""
    pid = httpx.get(f"{server.url}/pid").text
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096


@asynccontextmanager
async def polled(server: Server) -> AsyncIterator[list[float]]:
    """Seconds that each answer of /health takes, as long as the block runs."""
    took: list[float] = []

    async def poll() -> None:
        async with httpx.AsyncClient() as client:
            while True:
                begun = time.perf_counter()
                await client.get(f"{server.url}/health")
                took.append(time.perf_counter() - begun)
                await asyncio.sleep(0.005)

    task = asyncio.ensure_future(poll())
    try:
        await until(lambda: len(took) > 3)
        took.clear()
        yield took
        count = len(took)
        await until(lambda: len(took) > count + 3)
    finally:
        task.cancel()


def unnoticed(took: list[float]) -> None:
    """Answers came as usual. A single one may have met the garbage collector, or a busy machine."""
    assert statistics.median(took) < POLLED_WITHIN_SECONDS
    assert max(took) < 2


async def test_a_reader_that_reads_nothing_is_not_noticed_by_others(
    server: Server, log: Path
) -> None:
    key = new_key()
    async with await Connection.post(server.port, "/stream/flood", key) as stalled:
        await stalled.read_until(b"data: ")
        async with polled(server) as took:
            await asyncio.sleep(2)
        unnoticed(took)
        # The run is paused, not ended: what cannot be sent is not made.
        assert Notes(log).of(key, "end") == []
        stalled.leave("rst")
        await until(lambda: Notes(log).of(key, "end"), 5)


async def test_a_drop_with_many_frames_waiting_is_seen_at_once(server: Server, log: Path) -> None:
    key = new_key()
    async with await Connection.post(server.port, "/stream/flood-40k", key) as stalled:
        await stalled.read_until(b"data: ")
        await until(lambda: Notes(log).of(key, "end"), 30)
        async with polled(server) as took:
            stalled.leave("rst")
            await asyncio.sleep(0.5)
        unnoticed(took)


async def test_a_slow_reader_gets_everything_in_order(server: Server) -> None:
    async with await Connection.post(
        server.port, "/stream/flood-40k", "x", "Connection: close"
    ) as slow:
        await slow.read_until(b"data: ")
        async with polled(server) as took:
            await asyncio.sleep(0.5)
            body = await slow.read_to_end(30)
        unnoticed(took)
    numbers = [int(part.split(b" ")[0]) for part in body.split(b'{"token": "w')[1:]]
    assert numbers == list(range(40_000))


@pytest.mark.parametrize("format", ["pages", "pages-chunks", "pages-events"])
async def test_a_reader_that_stalls_costs_a_bounded_memory(
    server: Server, log: Path, format: str
) -> None:
    key, before = new_key(), resident(server)
    async with await Connection.post(server.port, f"/stream/{format}", key) as stalled:
        await stalled.read_until(b"xxx")
        await asyncio.sleep(1)
        assert Notes(log).of(key, "end") == []
        # 200 MB would have been said by now.
        assert resident(server) - before < 20_000_000
        stalled.leave("rst")
        await until(lambda: Notes(log).of(key, "end"), 5)


async def test_a_reader_that_takes_nothing_for_too_long_is_dropped(
    server: Server, log: Path
) -> None:
    key = new_key()
    async with await Connection.post(server.port, "/stream/dropped", key) as stalled:
        await stalled.read_until(b"data: ")
        await until(lambda: Notes(log).of(key, "end"), 20)
    assert "dropped a client that read nothing for 1 s" in server.log()
    assert "Traceback" not in server.log()
