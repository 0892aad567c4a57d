"""The client goes away in the middle of a turn: its thread is free at once, and goes on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from ..clients import Connection, Notes, new_key, now, until
from ..servers import Server, serving
from .thread_probes import FORMATS

pytestmark = [pytest.mark.anyio, pytest.mark.alone]  # it measures time

STOPS_WITHIN_SECONDS = 3.0  # one is promised, on a machine that is not busy

SAVERS = ("memory", "sqlite")
CLOSED = "tool: The user interrupted this tool call."
HEARS = {
    "model": [],
    "silent": [],
    "tool": ["ai: slow", CLOSED],
    "tools": ["ai: quick, slow, slow", "tool: done", CLOSED, CLOSED],
    "gated": ["ai: gated", CLOSED],
    "nested": [],  # what a subgraph had done so far is lost
}
"""What the model hears in the next turn, between the two messages of the user."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("probes")


@pytest.fixture(scope="module", params=["uvicorn-httptools", "hypercorn", "granian"])
def server(request: pytest.FixtureRequest, folder: Path) -> Iterator[Server]:
    env = {"PROBE_LOG": str(folder / "notes"), "DATABASE": str(folder / request.param)}
    app = "tests.guarantees.thread_probes:app"
    with serving(app, folder, request.param, env) as running:
        yield running


def turn(format: str, graph: str, *texts: str) -> tuple[str, Any]:
    """The path and the body with which a client of a format says the last of these."""
    thread = texts[0]
    match format:
        case "vercel":
            messages: list[Any] = [
                {"id": each, "role": "user", "parts": [{"type": "text", "text": each}]}
                for each in texts
            ]
            return f"/vercel/{graph}", {"id": thread, "messages": messages}
        case "agui":
            messages = [{"id": each, "role": "user", "content": each} for each in texts]
            ids = {"threadId": thread, "runId": new_key()}
            more: Any = {"state": {}, "tools": [], "context": [], "forwardedProps": {}}
            return f"/agui/{graph}", {**ids, "messages": messages, **more}
        case "langgraph":
            value = {"messages": [{"type": "human", "content": texts[-1]}]}
            asks = {"assistant_id": "agent", "if_not_exists": "create", "on_disconnect": "cancel"}
            return f"/langgraph/{graph}/threads/{thread}/runs/stream", {**asks, "input": value}
        case "openai":
            request = {"model": "agent", "input": texts[-1], "stream": True}
            return f"/openai/{graph}/responses?thread_id={thread}", request
    return f"/{format}/{graph}/threads/{thread}", {"messages": [["human", texts[-1]]]}


async def leaves(
    server: Server, notes: Notes, name: str, saver: str, format: str = "tokens", how: str = "fin"
) -> float:
    """Leave in the middle of a turn, and begin the next at once; how long its work went on."""
    key = new_key(name)
    graph = f"{saver}-nested" if name == "nested" else saver
    path, body = turn(format, graph, key)
    async with httpx.AsyncClient(base_url=server.url, timeout=20) as client:
        if name == "gated":
            await client.post(path, json=body)
            body = {"resume": {"decisions": [{"type": "approve"}]}}
        async with await Connection.post(server.port, path, body) as connection:
            ticks = 1 if name == "silent" else 4  # by then the quick tool's result is stored
            await until(lambda: len(notes.of(key, "tick")) >= ticks, 10)
            left = now()
            connection.leave(how)
            path, body = turn(format, graph, key, "next")
            answer = await client.post(path, json=body)
        assert answer.status_code == 200, (name, saver, format, how, answer.text)
        ended = [each["at"] for each in notes.of(key) if each["what"] in ("tick", "end")]
        [hears] = [json.loads(each["who"]) for each in notes.of(key, "hears")]
        assert hears == [f"human: {key}", *HEARS[name], "human: next"], (name, saver, format, how)
        assert len(notes.of(key, "start")) == len(notes.of(key, "end"))
    return float(max(ended) - left)


async def all_leave(*runs: Any) -> None:
    assert max(await asyncio.gather(*runs)) < STOPS_WITHIN_SECONDS


async def test_every_thread_goes_on(server: Server, folder: Path) -> None:
    notes = Notes(folder / "notes")
    await leaves(server, notes, "model", "memory")  # which imports what is imported late
    await all_leave(*(leaves(server, notes, name, saver) for name in HEARS for saver in SAVERS))


@pytest.mark.parametrize("how", ["rst", "half-close"])
async def test_a_thread_goes_on_however_the_client_leaves(
    server: Server, folder: Path, how: str
) -> None:
    notes = Notes(folder / "notes")
    await all_leave(*(leaves(server, notes, name, "sqlite", how=how) for name in HEARS))


async def test_a_thread_goes_on_in_every_format(server: Server, folder: Path) -> None:
    notes = Notes(folder / "notes")
    await all_leave(
        *(
            leaves(server, notes, name, saver, format)
            for format in FORMATS[1:-1]
            for name in ("model", "tools")
            for saver in SAVERS
        )
    )


async def test_a_thread_of_responses_goes_on(server: Server, folder: Path) -> None:
    notes = Notes(folder / "notes")
    runs = ((name, saver) for name in ("model", "tools") for saver in SAVERS)
    await all_leave(*(leaves(server, notes, *each, "openai") for each in runs))
