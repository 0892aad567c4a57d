"""LangGraph's own clients, against format ``langgraph``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import httpx
import pytest
from langgraph.pregel.remote import RemoteException, RemoteGraph
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from ..clients import Notes, new_key, until
from ..servers import Server
from .node import run

pytestmark = pytest.mark.anyio

SDKS = ["@langchain/langgraph-sdk", "@langchain/langgraph-sdk-1"]
ASK: Any = {"messages": [{"role": "user", "content": "Hi"}]}
ANSWER = "It rains. (it failed: ValueError('secret'))"


def base(server: Server) -> str:
    return f"{server.url}/langgraph"


async def ask(server: Server, how: str, assistant: str = "agent", **more: Any) -> Any:
    options = {"module": SDKS[0], "content": "Hi", "apiUrl": base(server), **more}
    return await run("langgraph", how=how, assistant=assistant, **options)


@pytest.mark.parametrize("module", SDKS)
async def test_use_stream_shows_the_messages(server: Server, module: str) -> None:
    report = await ask(server, "useStream", module=module)
    assert "error" not in report
    messages = [(message["type"], message["content"]) for message in report["messages"]]
    assert messages == [
        ("human", "Hi"),
        ("ai", "I look. "),
        ("tool", "rain in Paris"),
        ("tool", "it failed: ValueError('secret')"),
        ("ai", ANSWER),
    ]
    assert report["custom"] == [{"looked": "Paris"}]


@pytest.mark.parametrize("module", SDKS)
async def test_use_stream_s_stop_stops_the_work(server: Server, notes: Notes, module: str) -> None:
    key = new_key()
    url = f"{base(server)}/only/slow"
    await ask(server, "useStream", module=module, apiUrl=url, content=key, stopAtMessage=True)
    assert await until(lambda: notes.of(key, "cancel"), 5)


@pytest.mark.parametrize("module", SDKS)
@pytest.mark.parametrize("case", ["first", "fails", "cut"])
async def test_use_stream_shows_a_failure(server: Server, case: str, module: str) -> None:
    url = f"{base(server)}/only/{case}"
    report = await ask(server, "useStream", module=module, apiUrl=url)
    assert report["error"]
    assert "secret" not in report["error"]


@pytest.mark.parametrize("module", SDKS)
async def test_the_client_streams_in_each_mode(server: Server, module: str) -> None:
    modes = ["values", "updates", "messages-tuple", "custom"]
    report = await ask(server, "stream", module=module, streamMode=modes)
    names = [event["event"] for event in report["events"]]
    assert names[0] == "metadata"
    assert set(names) - {"end"} == {"metadata", "values", "updates", "messages", "custom"}
    assert report["created"] == report["events"][0]["data"]["run_id"]
    values = [event["data"] for event in report["events"] if event["event"] == "values"]
    assert values[-1]["messages"][-1]["content"] == ANSWER
    for event in report["events"]:
        if event["event"] == "messages":
            message, about = event["data"]
            assert message["id"]
            assert about["langgraph_node"] in ("model", "tools")
    waited = await ask(server, "wait", module=module)
    assert waited["values"]["messages"][-1]["content"] == ANSWER


@pytest.mark.parametrize("module", SDKS)
async def test_the_client_gets_langchain_s_events(server: Server, module: str) -> None:
    report = await ask(server, "stream", module=module, streamMode=["events", "values"])
    assert {each["event"] for each in report["events"]} - {"end"} == {
        "metadata",
        "values",
        "events",
    }
    events = [each["data"] for each in report["events"] if each["event"] == "events"]
    assert {event["run_id"] for event in events if not event["parent_ids"]} == {report["created"]}
    [tool, *_] = [event for event in events if event["event"] == "on_tool_end"]
    assert tool["data"]["output"]["content"] == "rain in Paris"
    assert "secret" not in str([event for event in events if event["event"] == "on_tool_error"])


@pytest.mark.parametrize("module", SDKS)
@pytest.mark.parametrize("assistant", ["first", "fails", "cut", "nope"])
async def test_a_failure_is_the_client_s_error(server: Server, assistant: str, module: str) -> None:
    mode = "messages-tuple"
    report = await ask(server, "stream", assistant, module=module, streamMode=mode)
    last = report["events"][-1]["event"] if report["events"] else None
    assert report.get("thrown") or last == "error"
    assert "secret" not in str(report)


@pytest.mark.parametrize("module", SDKS)
async def test_an_abort_stops_the_work(server: Server, notes: Notes, module: str) -> None:
    key = new_key()
    options = {"module": module, "content": key, "stopAtMessage": True}
    await ask(server, "stream", "slow", streamMode="messages-tuple", **options)
    assert await until(lambda: notes.of(key, "cancel"), 5)


@asynccontextmanager
async def served_by(server: Server) -> AsyncIterator[LangGraphClient]:
    client = get_client(url=base(server))
    yield client
    await client.aclose()


@pytest.fixture
async def client(server: Server) -> AsyncIterator[LangGraphClient]:
    async with served_by(server) as client:
        yield client


async def test_the_python_client_streams_and_waits(client: LangGraphClient) -> None:
    parts = [
        part
        async for part in client.runs.stream(
            None, "agent", input=ASK, stream_mode=["messages", "values"]
        )
    ]
    names = [part.event for part in parts]
    assert names[0] == "metadata"
    assert {"messages/metadata", "messages/partial", "values"} < set(names)
    partial = [part.data[0]["content"] for part in parts if part.event == "messages/partial"]
    assert partial[-1] == ANSWER
    values: Any = await client.runs.wait(None, "agent", input=ASK)
    assert values["messages"][-1]["content"] == ANSWER
    [assistant, *_] = await client.assistants.search()
    assert assistant["graph_id"] == "agent"
    assert await client.assistants.get(assistant["assistant_id"]) == assistant
    assert await client.assistants.search(graph_id="agent") == [assistant]
    [first, second] = await client.assistants.search(limit=2)
    assert (first, await client.assistants.search(limit=1, offset=1)) == (assistant, [second])
    paged = await client.assistants.search(limit=1, response_format="object")
    assert paged == {"assistants": [assistant], "next": "1"}
    assert await client.assistants.count(graph_id="agent") == 1


async def test_the_python_client_gets_langchain_s_events(client: LangGraphClient) -> None:
    parts = client.runs.stream(None, "agent", input=ASK, stream_mode="events")
    events: list[Any] = [part.data async for part in parts if part.event == "events"]
    keys = {"event", "name", "run_id", "parent_ids", "tags", "metadata", "data"}
    assert all(event.keys() == keys for event in events)
    tokens = [each["data"]["chunk"] for each in events if each["event"] == "on_chat_model_stream"]
    assert "".join(each["content"] for each in tokens).endswith(ANSWER)
    names = [event["event"] for event in events if not event["parent_ids"]]
    assert names == ["on_chain_start", "on_chain_end"]


async def test_the_python_client_is_told_of_failures(client: LangGraphClient) -> None:
    with pytest.raises(Exception, match="run_failed: The run failed"):
        await client.runs.wait(None, "first", input=ASK)
    failed: Any = await client.runs.wait(None, "first", input=ASK, raise_error=False)
    assert failed["__error__"]["error"] == "run_failed"
    with pytest.raises(httpx.HTTPStatusError):
        await client.runs.wait(None, "agent", input=ASK, command={"resume": 1})
    with pytest.raises(httpx.HTTPStatusError):
        await client.runs.wait(None, "nope", input=ASK)
    options: Any = {"input": ASK, "stream_mode": "messages-tuple"}
    parts = [part async for part in client.runs.stream(None, "fails", **options)]
    assert parts[-1].event == "error"
    assert parts[-1].data["message"] == "The run failed."


async def test_closing_the_python_client_s_iterator_stops_the_work(
    client: LangGraphClient, notes: Notes
) -> None:
    key = new_key()
    value = {"messages": [{"role": "user", "content": key}]}
    options: Any = {"input": value, "stream_mode": "messages-tuple"}
    parts: Any = client.runs.stream(None, "slow", **options)
    async with aclosing(parts):
        async for part in parts:
            if part.event == "messages":
                break
    assert await until(lambda: notes.of(key, "cancel"), 5)


async def test_a_remote_graph_is_a_graph(server: Server) -> None:
    async with served_by(server) as client:
        graph = RemoteGraph("agent", client=client)
        values = await graph.ainvoke(ASK)
        assert values["messages"][-1]["content"] == ANSWER
        modes: Any = ["messages", "updates"]
        chunks: list[Any] = [chunk async for chunk in graph.astream(ASK, stream_mode=modes)]
        assert {"messages", "updates"} <= {chunk[0] for chunk in chunks}
        with pytest.raises(RemoteException):
            await RemoteGraph("fails", client=client).ainvoke(ASK)
