"""`RemoteRunnable` and ``asgi-stream call`` on threads, against a real server."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from click.testing import CliRunner, Result
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableLambda
from langgraph.graph import MessagesState
from langgraph.types import Command

from asgi_stream import StreamApp, StreamRoute
from asgi_stream.cli.answers import answering_options
from asgi_stream.cli.commands import main
from asgi_stream.client import RemoteRunnable
from asgi_stream.errors import InvalidInput, NotFound, NotPending, ThreadBusy
from asgi_stream.events import Interrupt

from ..servers import Server, serving
from .native_graphs import approving, asks, counts, first, graph_of, second

pytestmark = pytest.mark.anyio

HI = {"messages": [["human", "hi"]]}
ANN, BOB = {"x-user": "ann"}, {"x-user": "bob"}


async def slow(state: MessagesState) -> Any:
    await asyncio.sleep(5)
    return {"messages": [AIMessage("late")]}


app = StreamApp(
    [
        StreamRoute("/tokens", graph_of(counts)),
        StreamRoute("/chunks", graph_of(counts), format="chunks"),
        StreamRoute("/events", graph_of(counts), format="events", resume=True),
        StreamRoute("/langserve", graph_of(counts), format="langserve"),
        StreamRoute("/asks", graph_of(asks), format="chunks"),
        StreamRoute("/asks-tokens", graph_of(asks)),
        StreamRoute("/asks-events", graph_of(asks), format="events"),
        StreamRoute("/asks-langserve", graph_of(asks), format="langserve"),
        StreamRoute("/two", graph_of(first, second), format="chunks"),
        StreamRoute("/approving", approving(), resume=True),
        StreamRoute("/slow", graph_of(slow)),
    ],
    threads=True,
    configurable=("tenant",),
    authorize=lambda request: request.headers.get("x-user"),
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("threads")
    with serving("tests.threads.test_native_client:app", folder) as started:
        yield started


def remote(server: Server, path: str, thread: str = "", **options: Any) -> RemoteRunnable[Any, Any]:
    if path.endswith("langserve"):
        options["format"] = "langserve"
    thread = thread or uuid4().hex
    return RemoteRunnable(f"{server.url}/{path}", thread_id=thread, **options)


def last(output: Any) -> Any:
    """The text of the last message of an output."""
    return output if isinstance(output, str) else output["messages"][-1].text


@pytest.mark.parametrize("path", ["tokens", "chunks", "events", "langserve"])
async def test_a_thread_remembers_in_sync_and_async_calls(server: Server, path: str) -> None:
    runnable = remote(server, path, headers=ANN, params={"tenant": "t"}, configurable=("tenant",))
    if path == "langserve":
        runnable = remote(server, path, headers=ANN)
    assert last(await runnable.ainvoke(HI)) == "1 so far"
    assert last(await asyncio.to_thread(runnable.invoke, HI)) == "3 so far"
    assert [chunk async for chunk in runnable.astream(HI)]
    assert await asyncio.to_thread(lambda: list(runnable.stream(HI)))
    texts = ["hi", "1 so far", "hi", "3 so far", "hi", "5 so far", "hi", "7 so far"]
    messages = await runnable.aget_messages()
    assert [each.text for each in messages] == texts
    assert [type(each) for each in messages] == [HumanMessage, AIMessage] * 4
    assert await asyncio.to_thread(runnable.get_messages) == messages
    state = await runnable.aget_state()
    assert state["values"]["messages"] == messages
    assert (state["next"], state["interrupts"]) == ([], [])
    assert await asyncio.to_thread(runnable.get_state) == state
    history = await runnable.aget_state_history(limit=3)
    assert history[0] == state
    assert len(history) == 3
    assert await asyncio.to_thread(runnable.get_state_history, limit=3) == history


@pytest.mark.parametrize("path", ["asks", "asks-tokens", "asks-events", "asks-langserve"])
async def test_an_interrupt_is_answered_as_a_local_graph_s(server: Server, path: str) -> None:
    runnable = remote(server, path)
    answers: list[Any] = [{"resume": "yes"}, Command(resume="yes")]
    for answer in answers:
        output = await runnable.ainvoke(HI)
        [interrupt] = (await runnable.aget_state())["interrupts"]
        assert interrupt["value"] == "Sure?"
        if path != "asks-tokens":
            assert output["__interrupt__"] == [interrupt]
        assert last(await runnable.ainvoke(answer)) == "You said yes"
    await runnable.ainvoke(HI)
    [interrupt] = (await runnable.aget_state())["interrupts"]
    by_id: Any = Command(resume={interrupt["id"]: "by id"})
    assert last(await asyncio.to_thread(runnable.invoke, by_id)) == "You said by id"
    await runnable.ainvoke(HI)
    assert [chunk async for chunk in runnable.astream(Command(resume="streamed"))]
    await asyncio.to_thread(runnable.invoke, HI)
    list(await asyncio.to_thread(lambda: list(runnable.stream(Command(resume="in a thread")))))
    texts = [each.text for each in await runnable.aget_messages() if each.type == "ai"]
    assert texts[2:] == ["You said by id", "You said streamed", "You said in a thread"]
    with pytest.raises(NotPending, match="does not wait"):
        await runnable.ainvoke({"resume": "again"})


async def test_errors_have_their_classes(server: Server) -> None:
    runnable = remote(server, "two", headers=ANN)
    with pytest.raises(NotFound, match="no such thread"):
        await runnable.aget_state()
    with pytest.raises(NotFound):
        await asyncio.to_thread(runnable.get_messages)
    await runnable.ainvoke(HI)
    with pytest.raises(InvalidInput, match="name the ids") as which:
        await runnable.ainvoke({"resume": "yes"})
    assert [*which.value.fields] == ["resume"]
    bob = RemoteRunnable[Any, Any](runnable.url, thread_id=runnable._thread_id, headers=BOB)
    for call in (bob.aget_state, bob.aget_messages, bob.aget_state_history):
        with pytest.raises(NotFound):
            await call()
    with pytest.raises(NotPending):
        await bob.ainvoke({"resume": "yes"})
    with pytest.raises(InvalidInput, match="limit"):
        await runnable.aget_state_history(limit=0)
    with pytest.raises(ValueError, match="Command with more than resume"):
        await runnable.ainvoke(Command(resume="yes", goto="first"))
    with pytest.raises(ValueError, match="was made without one"):
        await RemoteRunnable[Any, Any](runnable.url).aget_state()


async def test_a_busy_thread_refuses_a_second_run(server: Server) -> None:
    runnable = remote(server, "slow")
    first_run = asyncio.create_task(runnable.ainvoke(HI))
    async with asyncio.timeout(10), httpx.AsyncClient() as client:
        url = f"{server.url}/slow/threads/{runnable._thread_id}"
        while "busy" not in (await client.get(url)).text:
            await asyncio.sleep(0.01)
    with pytest.raises(ThreadBusy):
        await runnable.ainvoke(HI)
    first_run.cancel()


@pytest.mark.parametrize("thread", ["a/b", "π 🧵", "x\x00y", "%2F?#&"])
async def test_odd_ids_reach_the_server_as_they_are(server: Server, thread: str) -> None:
    runnable = remote(server, "chunks", f"{thread}{uuid4().hex}", headers=ANN)
    await runnable.ainvoke(HI)
    assert (await runnable.aget_state())["checkpoint"]["thread_id"] == runnable._thread_id
    assert len(await runnable.aget_messages()) == 2


async def test_a_thread_of_a_call_comes_before_that_of_the_runnable(server: Server) -> None:
    runnable = remote(server, "tokens", configurable=("thread_id",))
    other: Any = {"configurable": {"thread_id": uuid4().hex}}
    assert await runnable.ainvoke(HI) == "1 so far"
    assert await runnable.ainvoke(HI, other) == "1 so far"
    assert await runnable.ainvoke(HI, other) == "3 so far"
    chain: Any = RunnableLambda(lambda _: HI) | runnable
    assert await chain.ainvoke("x") == "3 so far"


async def test_what_is_no_json_is_an_error() -> None:
    handler = httpx.MockTransport(lambda _: httpx.Response(200, text="<html>"))
    async with httpx.AsyncClient(transport=handler) as client:
        runnable: Any = RemoteRunnable("http://x/y", thread_id="a", client=client)
        with pytest.raises(httpx.DecodingError, match="Invalid JSON"):
            await runnable.aget_state()


# The command.


def called(server: Server, path: str, *options: str) -> Result:
    return CliRunner().invoke(main, ["call", f"{server.url}/{path}", *options])


def test_the_command_talks_on_a_thread(server: Server) -> None:
    thread = f"a b/{uuid4().hex}"
    for n in (1, 3):
        done = called(server, "tokens", "--thread", thread, "--input", json.dumps(HI))
        assert done.exit_code == 0
        assert done.stdout == f"{n} so far\n"
        assert f" on thread {thread}, tokens" in done.stderr


@pytest.mark.parametrize("path", ["asks", "asks-events", "approving", "two"])
def test_the_command_says_how_an_interrupt_is_answered(server: Server, path: str) -> None:
    body = json.dumps({"messages": [["human", "7"]]})
    done = called(server, path, "--thread", uuid4().hex, "--input", body)
    assert done.exit_code == 0
    assert re.search("^· interrupt [0-9a-f]{32}: ", done.stderr, re.MULTILINE)
    [line] = re.findall("^To answer: (.*)$", done.stderr, re.MULTILINE)
    done = called(server, path, *shlex.split(line))
    assert done.exit_code == 0
    answered = {"approving": "refunded 7", "asks-events": ""}  # which has no model
    assert answered.get(path, "...") in done.stdout + done.stderr
    again = called(server, path, *shlex.split(line))
    assert again.exit_code == 1
    assert "not_pending" in again.stderr
    raw = called(server, path, "--thread", uuid4().hex, "--raw", "--input", body)
    assert "To answer" not in raw.output


def test_a_call_that_waits_for_approval_has_an_example_of_its_own() -> None:
    value = {"type": "tool_approval", "tool_call_id": "c", "name": "refund", "args": {}}
    line = answering_options("tokens", "it's", [Interrupt("a", value), Interrupt("b", {"x": 1})])
    assert shlex.split(line) == [
        "--thread",
        "it's",
        "--input",
        '{"resume": {"a": {"type": "approve"}, "b": "..."}}',
    ]
