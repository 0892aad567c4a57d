"""The client goes away: within a second the work has stopped and everything is released."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from h2.connection import H2Connection

from ..clients import Connection, Notes, new_key, now, until
from ..servers import ALL_SERVERS, Server, serving
from .probes import GRAPHS, STOPPABLE

pytestmark = [pytest.mark.anyio, pytest.mark.alone]  # it measures time

STOPS_WITHIN_SECONDS = 3.0  # one is promised, on a machine that is not busy

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
    with serving(
        "tests.guarantees.probes:app", log.parent, request.param, {"PROBE_LOG": str(log)}
    ) as running:
        yield running


def input_for(path: str, key: str) -> Any:
    name = path.rpartition("/")[2]
    value = {"key": key} if name in GRAPHS or name == "chain" else key
    if not path.startswith("/mcp/"):
        return value
    arguments = value if isinstance(value, dict) else {"input": value}
    params = {"name": name, "arguments": arguments, "_meta": {"progressToken": 1}}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


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


@pytest.mark.parametrize("accept", ["text/event-stream", "application/json"])
async def test_every_call_of_a_tool_stops(server: Server, log: Path, accept: str) -> None:
    paths = [f"/mcp/{name}" for name in STOPPABLE]
    await all_stop(server, Notes(log), paths, f"Accept: {accept}")


@pytest.mark.parametrize("how", ["rst", "half-close"])
async def test_runs_stop_however_the_client_leaves(server: Server, log: Path, how: str) -> None:
    await all_stop(server, Notes(log), [f"/tokens/{name}" for name in STOPPABLE], how=how)


@pytest.mark.parametrize("app", ["wrapped_once", "wrapped_twice", "gzipped"])
async def test_runs_stop_through_middleware(app: str, tmp_path: Path) -> None:
    log = tmp_path / "notes"
    with serving(f"tests.guarantees.probes:{app}", tmp_path, env={"PROBE_LOG": str(log)}) as server:
        await all_stop(server, Notes(log), [f"/tokens/{name}" for name in STOPPABLE])


async def test_after_a_sync_step_nothing_further_is_started(server: Server, log: Path) -> None:
    notes, key = Notes(log), new_key("sync_step")
    async with await Connection.post(server.port, "/tokens/sync_step", key) as client:
        await until(lambda: notes.of(key, "tick"))
        client.leave()
        # The thread itself cannot be stopped.
        await until(lambda: notes.of(key, "end"))
    await asyncio.sleep(0.3)
    assert {note["who"] for note in notes.of(key)} == {"sync"}


async def test_a_batch_stops_with_all_of_its_inputs(server: Server, log: Path) -> None:
    notes, key = Notes(log), new_key("batch")
    inputs = {"inputs": [{"key": key}] * 100}
    async with await Connection.post(server.port, "/batches/batch", inputs) as client:
        await until(lambda: len(notes.of(key, "start")) == 10, 20)
        left = now()
        client.leave()
        await until(lambda: len(notes.of(key, "end")) == 10, 5)
    assert notes.of(key)[-1]["at"] - left < STOPS_WITHIN_SECONDS
    health = httpx.get(f"{server.url}/health")  # whatever would still begin has had its turn
    assert (health.status_code, len(notes.of(key, "start"))) == (200, 10)


@pytest.mark.parametrize("how", ["reset", "close"])
@pytest.mark.parametrize("name", ["hypercorn", "granian"])
async def test_runs_stop_over_http_2(name: str, how: str, tmp_path: Path) -> None:
    log, key = tmp_path / "notes", new_key()
    notes = Notes(log)
    options = ("--http=2",) if name == "granian" else ()
    env = {"PROBE_LOG": str(log)}
    with serving("tests.guarantees.probes:app", tmp_path, name, env, options) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        async with Connection(reader, writer) as connection:
            client = H2Connection()
            client.initiate_connection()
            body = json.dumps({"key": key}).encode()
            head = {":method": "POST", ":path": "/tokens/graph_parallel", ":scheme": "http"}
            head |= {":authority": "x", "content-type": "application/json"}
            client.send_headers(1, [*head.items()])
            client.send_data(1, body, end_stream=True)
            writer.write(client.data_to_send())
            await until(lambda: notes.of(key, "tick"), 20)
            left = now()
            if how == "reset":
                client.reset_stream(1)
                writer.write(client.data_to_send())
            else:
                connection.leave()
            await until(lambda: len(notes.of(key, "cancel")) == 2, 5)
    assert notes.of(key)[-1]["at"] - left < STOPS_WITHIN_SECONDS
