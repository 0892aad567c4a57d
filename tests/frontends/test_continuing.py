"""Clients whose run goes on with another worker, because theirs is killed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from langgraph_sdk import get_client

from ..clients import until
from ..redis_server import RedisServer
from ..threads.continuing import WORDS, Reader, Start, kill, said, starting
from .node import run

pytestmark = pytest.mark.anyio


@pytest.fixture
def start(redis: RedisServer, tmp_path: Path) -> Iterator[Start]:
    with starting(redis, tmp_path) as start_servers:
        yield start_servers


KILLED = {"in an answer": ("look say:1", "say"), "in a tool": ("look work:1 say", "work")}


def chat_of(text: str) -> dict[str, Any]:
    part = {"type": "text", "text": text}
    return {"id": "c", "messages": [{"id": "u", "role": "user", "parts": [part]}]}


@pytest.mark.parametrize(("text", "step"), KILLED.values(), ids=KILLED)
@pytest.mark.parametrize("version", ["ai", "ai-6"])
async def test_the_ai_sdk_reads_on(version: str, text: str, step: str, start: Start) -> None:
    workers = start(2)
    first, second = workers
    body = chat_of(text)
    begun = Reader("POST", f"{first.url}/vercel", body)
    await workers.begun(step)
    steps = [{"resume": True}]
    chat = asyncio.create_task(
        run(
            "chat",
            module=version,
            api=f"{second.url}/vercel",
            id="c",
            messages=body["messages"],
            steps=steps,
        )
    )
    await until(lambda: "/vercel/c/stream" in second.log(), 20)
    kill(first)
    report = await chat
    assert report["errors"] == []
    assert report["status"] == "ready"
    [_, answer] = report["messages"]
    tools = [each for each in answer["parts"] if each["type"] == "dynamic-tool"]
    assert {each["state"] for each in tools} == {"output-available"}
    texts = [each for each in answer["parts"] if each["type"] == "text"]
    assert {each["state"] for each in texts} == {"done"}
    again = ["w0 w1 w2 w3 w4 "] if step == "say" else []
    assert [each["text"] for each in texts] == [*again, WORDS]
    await begun.task


@pytest.mark.parametrize(("text", "step"), KILLED.values(), ids=KILLED)
async def test_the_langgraph_sdk_reads_on(text: str, step: str, start: Start) -> None:
    workers = start(2)
    first, second = workers
    api = get_client(url=f"{first.url}/langgraph")
    thread = (await api.threads.create())["thread_id"]
    begun = await api.runs.create(
        thread,
        "agent",
        input=cast(Any, said(text)),
        stream_mode=["values", "messages-tuple", "updates"],
    )
    await api.aclose()
    await workers.begun(step)
    other = get_client(url=f"{second.url}/langgraph")
    parts: list[Any] = []

    async def read() -> None:
        async for part in other.runs.join_stream(thread, begun["run_id"], last_event_id="-1"):
            parts.append(part)

    reading = asyncio.create_task(read())
    await until(lambda: len(parts) > 4, 10)
    kill(first)
    await reading
    assert [part.data["attempt"] for part in parts if part.event == "metadata"] == [1, 2]
    assert {part.event for part in parts} <= {"metadata", "values", "messages", "updates", "end"}
    values = [part.data for part in parts if part.event == "values"][-1]
    assert [each["content"] for each in values["messages"]][-1] == WORDS
    assert await other.runs.join(thread, begun["run_id"]) == values
    assert (await other.runs.get(thread, begun["run_id"]))["status"] == "success"
    await other.aclose()


async def test_use_stream_of_react_reads_on(start: Start) -> None:
    workers = start(2)
    first, second = workers
    params = {
        "assistant_id": "agent",
        "input": said("look say:1"),
    }
    command = {"id": 1, "method": "run.start", "params": params}
    async with httpx.AsyncClient() as client:
        url = f"{first.url}/langgraph/threads/t/commands"
        answer = (await client.post(url, json=command)).json()
    assert answer["type"] == "success"
    await workers.begun("say")
    page = asyncio.create_task(
        run(
            "langgraph_protocol",
            seconds=60,
            how="watch",
            apiUrl=f"{second.url}/langgraph",
            threadId="t",
        )
    )
    await until(lambda: second.log().count("/threads/t/stream/events") > 1, 20)
    kill(first)
    report = await page
    assert "error" not in report
    whole = ["look say:1", "", "looked", WORDS]
    # This version keeps what has been streamed of the answer that was lost, until it is reloaded.
    assert report["texts"] == [*whole, "w0 w1 w2 w3 w4 "]
    assert report["reloaded"] == whole
    assert len(workers.heirs()) == 1
