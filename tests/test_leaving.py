"""The client goes away: within a second the work has stopped and everything is released."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .clients import Connection, Notes, new_key, now, until
from .probes import GRAPHS, STOPPABLE
from .servers import ALL_SERVERS, Server, serving

pytestmark = pytest.mark.anyio

STOPS_WITHIN_SECONDS = 1.0

MATRIX = [
    *[f"/{format}/{name}" for format in ("tokens", "events", "chunks") for name in STOPPABLE],
    *[f"/{mode}/{name}" for mode in ("messages", "several") for name in GRAPHS],
]
# Without a streaming format nobody asks this model to stream, and a silent thread is not stopped.
MATRIX.remove("/chunks/graph_sync_model")


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("probes") / "notes"


@pytest.fixture(scope="module", params=ALL_SERVERS)
def server(request: pytest.FixtureRequest, log: Path) -> Iterator[Server]:
    with serving("tests.probes:app", log.parent, request.param, {"PROBE_LOG": str(log)}) as found:
        yield found


def input_for(path: str, key: str) -> Any:
    name = path.rpartition("/")[2]
    return {"key": key} if name in GRAPHS or name == "chain" else key


async def stops(
    server: Server, notes: Notes, path: str, *headers: str, how: str = "fin", more: bytes = b""
) -> float:
    """Leave in the middle of a run; how many seconds its work went on after that."""
    key = new_key(path.rpartition("/")[2])
    body = input_for(path, key)
    async with await Connection.post(server.port, path, body, *headers, more=more) as client:
        await until(lambda: notes.of(key, "tick"), 20)
        await asyncio.sleep(0.5)
        left = now()
        client.leave(how)
        try:
            await until(lambda: len(notes.of(key, "end")) == len(notes.of(key, "start")), 6)
        except TimeoutError:
            return float("inf")
    return float(notes.of(key)[-1]["at"] - left)


async def all_stop(
    server: Server, notes: Notes, paths: list[str], *headers: str, how: str = "fin"
) -> dict[str, float]:
    # One first: what is imported at the first run must not hide what happens in the others.
    await stops(server, notes, "/tokens/chain")
    took = await asyncio.gather(*(stops(server, notes, p, *headers, how=how) for p in paths))
    late = {path: t for path, t in zip(paths, took, strict=True) if t > STOPS_WITHIN_SECONDS}
    assert not late
    return dict(zip(paths, took, strict=True))


async def test_every_run_stops(
    server: Server, log: Path, record_property: Callable[[str, object], None]
) -> None:
    took = await all_stop(server, Notes(log), MATRIX)
    record_property("slowest", max(took.items(), key=lambda item: item[1]))


async def test_every_json_answer_stops(server: Server, log: Path) -> None:
    paths = [f"/{format}/{name}" for format in ("tokens", "events") for name in STOPPABLE]
    await all_stop(server, Notes(log), paths, "Accept: application/json")


@pytest.mark.parametrize("how", ["rst", "half-close"])
async def test_runs_stop_however_the_client_leaves(server: Server, log: Path, how: str) -> None:
    await all_stop(server, Notes(log), [f"/tokens/{name}" for name in STOPPABLE], how=how)
