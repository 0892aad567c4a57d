"""Clients of LangGraph's protocol v2, against format ``langgraph`` on a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from ..formats.langgraph_app import said
from ..servers import Server, serving
from .node import run

pytestmark = pytest.mark.anyio

QUESTION: Any = {"question": "Shall I?", "log": []}


@pytest.fixture(scope="module")
def threads_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("threads")
    with serving("tests.formats.langgraph_app:served", folder) as server:
        yield server


@pytest.fixture
async def client(threads_server: Server) -> AsyncIterator[LangGraphClient]:
    client = get_client(url=f"{threads_server.url}/lg")
    yield client
    await client.aclose()


async def page(server: Server, how: str) -> Any:
    return await run("langgraph_protocol", how=how, apiUrl=f"{server.url}/lg")


async def test_use_stream_talks_and_is_loaded_again(threads_server: Server) -> None:
    assert await page(threads_server, "talk") == ["a", "1 a", "b", "3 b", "c", "5 c"]


async def test_use_stream_answers_in_another_tab(threads_server: Server) -> None:
    report = await page(threads_server, "respond")
    assert report["value"] == {"question": "Shall I?"}
    assert report["log"] == ["prepared", "answered yes", "concluded"]


async def test_use_stream_answers_all_at_once(threads_server: Server) -> None:
    assert await page(threads_server, "respondAll") == 4


async def test_use_stream_is_joined_and_stopped(threads_server: Server) -> None:
    report = await page(threads_server, "stop")
    assert report["length"] > 40
    assert report["errors"] == []


async def test_use_stream_shows_a_run_of_the_older_api(threads_server: Server) -> None:
    assert await page(threads_server, "older") == ["a", "1 a", "b", "3 b", "c", "5 c"]


async def test_use_stream_shows_failures(threads_server: Server) -> None:
    failed, refused = await page(threads_server, "fail")
    assert failed == "The run failed."
    assert "Unknown assistant 'nix'" in refused


async def test_use_stream_forks(threads_server: Server) -> None:
    assert await page(threads_server, "fork") == ["a", "1 a", "c", "3 c"]


async def test_the_python_client_streams_a_thread(client: LangGraphClient) -> None:
    async with asyncio.timeout(20), client.threads.stream(assistant_id="chat") as thread:
        for text, expected in (("a", ["1 ", "a"]), ("b", ["3 ", "b"])):
            await thread.run.start(input=said(text))
            messages = [each async for each in thread.messages]
            assert [piece async for piece in messages[-1].text] == expected
        output = await thread.output
        assert output is not None


@pytest.mark.alone  # the SDK ends the iteration early if its other connection is faster
async def test_the_python_client_answers_an_interrupt(client: LangGraphClient) -> None:
    async with asyncio.timeout(20), client.threads.stream(assistant_id="nested") as thread:
        await thread.run.start(input=QUESTION)
        subgraphs = [each async for each in thread.subgraphs]
        assert [each.graph_name for each in subgraphs] == ["inner"]
        assert thread.interrupted
        await thread.run.respond("yes")
        values = [each async for each in thread.values]
        assert values[-1]["log"] == ["prepared", "answered yes", "concluded"]


async def test_the_python_client_reads_a_thread_that_it_did_not_start(
    client: LangGraphClient,
) -> None:
    async with asyncio.timeout(20), client.threads.stream(assistant_id="chat") as thread:
        await thread.run.start(input=said("a"))
        await thread.output
        again = client.threads.stream(thread.thread_id, assistant_id="chat")
        async with again as reader:
            values: Any = await reader.output
    assert [each["content"] for each in values["messages"]] == ["a", "1 a"]


async def test_the_python_client_sees_the_end_of_a_run_that_is_cancelled(
    client: LangGraphClient,
) -> None:
    async with asyncio.timeout(20), client.threads.stream(assistant_id="slow") as thread:
        run_id = (await thread.run.start(input=said("a")))["run_id"]
        values = aiter(thread.values)
        await anext(values)
        await client.runs.cancel(thread.thread_id, run_id)
        assert [each async for each in values]
        with pytest.raises(RuntimeError, match="cancelled"):
            await thread.output
        run = await client.runs.get(thread.thread_id, run_id)
    assert run["status"] == "interrupted"
