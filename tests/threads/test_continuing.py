"""Runs whose workers are killed: real servers on one Redis and one SQLite file."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from ..clients import until
from ..redis_server import RedisServer
from ..servers import Server
from .continuing import TAKEN_SECONDS, WORDS, Reader, Start, kill, said, starting

pytestmark = pytest.mark.anyio


@pytest.fixture
def start(redis: RedisServer, tmp_path: Path) -> Iterator[Start]:
    with starting(redis, tmp_path) as start_servers:
        yield start_servers


@asynccontextmanager
async def run_on(server: Server, text: str, readers: list[Server]) -> AsyncIterator[list[Reader]]:
    """A run of ``/chunks`` on one worker, and its readers on others."""
    first = Reader("POST", f"{server.url}/chunks?thread_id=t", said(text))
    await until(lambda: first.location, 10)
    others = [Reader("GET", f"{each.url}/{first.location}") for each in readers]
    await until(lambda: all(each.status for each in others), 10)
    yield [first, *others]
    for each in (first, *others):
        each.task.cancel()


def updates_of(data: list[Any]) -> list[Any]:
    assert data[-1] == "[DONE]"
    return [
        [message["content"] for node in each["data"].values() for message in node["messages"]]
        for each in data[:-1]
        if each["mode"] == "updates"
    ]


async def messages_of(server: Server) -> list[str]:
    async with httpx.AsyncClient() as client:
        thread = (await client.get(f"{server.url}/chunks/threads/t/state")).json()
    assert thread["next"] == []
    return [each["content"] for each in thread["values"]["messages"]]


def without_pings(text: str) -> str:
    return text.replace(": ping\n", "")


async def test_a_run_goes_on_whose_worker_is_killed_in_an_answer(start: Start) -> None:
    workers = start(3)
    first, second, third = workers
    async with run_on(first, "look say:1", [second, third]) as (client, one, other):
        await workers.begun("say")
        await until(lambda: "w4 " in one.text and "w4 " in other.text)
        kill(first)
        data = await one.ended()
        assert updates_of(data) == [[""], ["looked"], [WORDS]]
        await other.ended()
        assert without_pings(one.text) == without_pings(other.text)
        assert client.broken
        assert without_pings(one.text).startswith(without_pings(client.text))
    assert workers.steps == ["look", "say", "say"]
    assert len(workers.heirs()) == 1
    assert await messages_of(third) == ["look say:1", "", "looked", WORDS]
    later = await Reader("GET", f"{third.url}/{client.location}").ended()
    assert later == data


async def test_a_run_goes_on_whose_workers_are_killed_in_a_tool(start: Start) -> None:
    workers = start(3)
    first, *others = workers
    async with run_on(first, "look work:2 say", others) as (_, *readers):
        await workers.begun("work")
        kill(first)
        await workers.begun("work", 2)
        [heir] = workers.heirs()
        kill(heir)
        [last] = [each for each in others if each is not heir]
        data = await readers[others.index(last)].ended()
    assert updates_of(data) == [[""], ["looked"], [""], ["worked"], [WORDS]]
    assert workers.steps == ["look", "work", "work", "work", "say"]
    assert await messages_of(last) == ["look work:2 say", "", "looked", "", "worked", WORDS]
    assert "as attempt 3 of 3" in last.log()


async def test_a_worker_that_was_only_paused_leaves_the_run_to_its_heir(start: Start) -> None:
    workers = start(2)
    first, second = workers
    async with run_on(first, "look work:1 say", [second]) as (client, reader):
        await workers.begun("work")
        first.process.send_signal(signal.SIGSTOP)
        data = await reader.ended()
        assert updates_of(data)[-1] == [WORDS]
        first.process.send_signal(signal.SIGCONT)
        assert await client.ended() == data
        await until(lambda: "another worker has it" in first.log())
    assert workers.steps == ["look", "work", "work", "say"]
    history = ["look work:1 say", "", "looked", "", "worked", WORDS]
    assert await messages_of(first) == await messages_of(second) == history
    async with httpx.AsyncClient() as http:
        assert (await http.get(f"{first.url}/chunks/threads/t")).json()["status"] == "idle"


async def test_a_request_that_waits_for_the_thread_comes_after_the_run(start: Start) -> None:
    workers = start(2)
    first, second = workers
    url = "langgraph/threads/t/runs/stream"
    modes = ["messages-tuple", "values"]
    about = {"assistant_id": "agent", "if_not_exists": "create", "stream_mode": modes}
    dying = Reader("POST", f"{first.url}/{url}", {**about, "input": said("look work:1 say")})
    await workers.begun("work")
    reader = Reader("GET", f"{second.url}/langgraph{dying.location}/stream")
    waiting = Reader("POST", f"{second.url}/{url}", {**about, "input": said("say")})
    await until(lambda: reader.status and waiting.status)
    kill(first)
    values = (await reader.ended())[-2]
    texts = [each["content"] for each in values["messages"]]
    assert texts == ["look work:1 say", "", "looked", "", "worked", WORDS]
    values = (await waiting.ended())[-2]
    assert [each["content"] for each in values["messages"]] == [*texts, "say", WORDS]
    assert workers.steps == ["look", "work", "work", "say", "say"]
    await dying.task


async def test_the_next_request_goes_on_if_nobody_reads_the_run(start: Start) -> None:
    workers = start(2)
    first, second = workers
    async with run_on(first, "look work:1 say", []) as (client,):
        await workers.begun("work")
        kill(first)
    async with asyncio.timeout(TAKEN_SECONDS):
        while (again := Reader("POST", f"{second.url}/chunks?thread_id=t", said("say"))).task:
            await again.task
            if again.status != 409:
                break
            await asyncio.sleep(0.2)
    assert updates_of(await again.ended()) == [[WORDS]]
    late = await Reader("GET", f"{second.url}/{client.location}").ended()
    assert late[-2]["error"]["code"] == "worker_lost"
    assert workers.steps == ["look", "work", "say"]
