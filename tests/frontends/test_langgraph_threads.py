"""LangGraph's own Python clients with threads, against format ``langgraph`` on a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any
from uuid import uuid4

import httpx
import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.pregel.remote import RemoteGraph
from langgraph.types import Command
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import ConflictError, NotFoundError

from ..formats.langgraph_app import Shown, last_answer, said
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


async def test_the_client_keeps_threads(client: LangGraphClient) -> None:
    threads: Any = client.threads
    label = str(uuid4())
    thread = await threads.create(metadata={"label": label}, graph_id="chat")
    id_ = thread["thread_id"]
    assert (await threads.get(id_))["metadata"]["label"] == label
    with pytest.raises(ConflictError):
        await threads.create(thread_id=id_)
    again = await threads.create(thread_id=id_, if_exists="do_nothing")
    assert again["thread_id"] == id_
    assert (await threads.update(id_, metadata={"title": "x"}))["metadata"]["title"] == "x"
    await client.runs.wait(id_, "chat", input=said("a"))
    [row] = await threads.search(
        metadata={"label": label}, sort_by="updated_at", sort_order="desc", status="idle"
    )
    assert last_answer(row["values"]) == "1 a"
    [row] = await threads.search(ids=[id_], select=["thread_id"])
    assert row == {"thread_id": id_}
    assert await threads.count(metadata={"label": label}) == 1
    await threads.delete(id_)
    with pytest.raises(NotFoundError):
        await threads.get(id_)


async def test_the_client_reads_and_writes_states(client: LangGraphClient) -> None:
    id_ = (await client.threads.create())["thread_id"]
    assert (await client.threads.get_state(id_))["checkpoint"] is None
    for text in "ab":
        await client.runs.wait(id_, "chat", input=said(text))
    states = await client.threads.get_history(id_, limit=20)
    old = states[3]
    checkpoint: Any = old["checkpoint"]
    assert await client.threads.get_state(id_, checkpoint=checkpoint) == old
    assert await client.threads.get_state(id_, checkpoint_id=checkpoint["checkpoint_id"]) == old
    assert await client.threads.get_history(id_, before=checkpoint) == states[4:]
    written: Any = await client.threads.update_state(id_, said("c"), as_node="reply")
    head = await client.threads.get_state(id_, subgraphs=True)
    assert head["checkpoint"] == written["checkpoint"]
    values = await client.runs.wait(id_, "chat", input=None, checkpoint=checkpoint)
    assert last_answer(values) == "1 a"
    values = await client.runs.wait(id_, "chat", input=said("d"), checkpoint=checkpoint)
    assert last_answer(values) == "3 d"


async def test_the_client_answers_interrupts(client: LangGraphClient) -> None:
    id_ = (await client.threads.create())["thread_id"]
    modes: Any = ["values", "updates", "tasks", "checkpoints", "debug"]
    parts = [
        part async for part in client.runs.stream(id_, "ask", input=QUESTION, stream_mode=modes)
    ]
    assert {part.event for part in parts} >= {"metadata", *modes}
    thread = await client.threads.get(id_)
    [[interrupt]] = thread["interrupts"].values()
    assert interrupt["value"] == {"question": "Shall I?"}
    with pytest.raises(httpx.HTTPStatusError, match="409"):
        await client.runs.wait(id_, "ask", command={"resume": {"0" * 32: "x"}})
    values: Any = await client.runs.wait(id_, "ask", command={"resume": "yes"})
    assert values["log"] == ["prepared", "answered yes", "concluded"]


async def test_the_client_runs_in_the_background(client: LangGraphClient) -> None:
    id_ = (await client.threads.create())["thread_id"]
    created: list[Any] = []
    job = await client.runs.create(
        id_, "slow", input=said("a"), on_run_created=created.append, stream_mode="messages-tuple"
    )
    assert created == [{"run_id": job["run_id"], "thread_id": id_}]
    waiting = await client.runs.create(id_, "chat", input=said("b"))
    listed = await client.runs.list(id_, limit=5, status="pending")
    assert [each["run_id"] for each in listed] == [waiting["run_id"]]
    events: list[str] = []
    async for part in client.runs.join_stream(id_, job["run_id"], last_event_id="-1"):
        events.append(part.event)
        if part.event == "messages" and events.count("messages") == 3:
            await client.runs.cancel(id_, job["run_id"], wait=True)
    assert events[-1] == "error"
    assert (await client.runs.get(id_, job["run_id"]))["status"] == "interrupted"
    assert last_answer(await client.runs.join(id_, waiting["run_id"])) == "2 b"
    assert (await client.runs.get(id_, waiting["run_id"]))["status"] == "success"
    await client.runs.delete(id_, job["run_id"])
    assert [each["run_id"] for each in await client.runs.list(id_)] == [waiting["run_id"]]
    gone = client.runs.join_stream(id_, str(uuid4()), last_event_id="-1")
    assert [part.event async for part in gone] == ["end"]


class Cut(httpx.AsyncHTTPTransport):
    """Cuts the response to the first request off, once it has begun."""

    paths: Sequence[str] = ()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        self.paths = [*self.paths, request.url.path]
        if len(self.paths) == 1:
            await response.aclose()
            return httpx.Response(200, headers=response.headers, content=cut_off())
        return response


async def cut_off() -> AsyncIterator[bytes]:
    yield b" "
    raise httpx.ReadError("The connection is gone.")


async def test_the_client_comes_back_for_the_result_of_a_run(threads_server: Server) -> None:
    transport, id_ = Cut(), str(uuid4())
    url = f"{threads_server.url}/lg"
    async with httpx.AsyncClient(base_url=url, transport=transport) as cut:
        client = LangGraphClient(cut)
        with pytest.warns(UserWarning, match="attempting reconnect"):
            values = await client.runs.wait(
                id_, "chat", input=said("a"), if_not_exists="create", on_disconnect="continue"
            )
        assert last_answer(values) == "1 a"
        [run] = await client.runs.list(id_)
    runs = f"/lg/threads/{id_}/runs"
    assert transport.paths[:2] == [f"{runs}/wait", f"{runs}/{run['run_id']}/join"]


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
async def test_the_client_cancels(client: LangGraphClient, action: Any) -> None:
    id_ = (await client.threads.create())["thread_id"]
    slow: Any = {"input": said("a"), "stream_mode": "messages-tuple"}
    job = await client.runs.create(id_, "slow", **slow)
    async with asyncio.timeout(10):
        async for part in client.runs.join_stream(id_, job["run_id"], last_event_id="-1"):
            if part.event == "messages":
                await client.runs.cancel(id_, job["run_id"], action=action)
                break
        while (await client.threads.get(id_))["status"] == "busy":
            await asyncio.sleep(0.01)
    messages = (await client.threads.get_state(id_))["values"].get("messages", [])  # type: ignore[union-attr]
    assert len(messages) == (0 if action == "rollback" else 1)


async def test_the_client_chooses_what_a_second_run_does(client: LangGraphClient) -> None:
    id_ = (await client.threads.create())["thread_id"]
    await client.runs.create(id_, "slow", input=said("a"))
    with pytest.raises(ConflictError):
        await client.runs.create(id_, "chat", input=said("b"), multitask_strategy="reject")
    values = await client.runs.wait(id_, "chat", input=said("c"), multitask_strategy="interrupt")
    assert last_answer(values) == "2 c"
    await client.runs.create(id_, "slow", input=said("d"))
    values = await client.runs.wait(id_, "chat", input=said("e"), multitask_strategy="rollback")
    assert last_answer(values) == "4 e"


async def test_another_user_s_thread_is_not_found(threads_server: Server) -> None:
    url = f"{threads_server.url}/lg"
    ada, ben = (get_client(url=url, headers={"x-user": user}) for user in ("ada", "ben"))
    id_ = (await ada.threads.create())["thread_id"]
    job = await ada.runs.create(id_, "chat", input=said("a"))
    for asking in (
        ben.threads.get(id_),
        ben.threads.get_state(id_),
        ben.threads.get_history(id_),
        ben.runs.wait(id_, "chat", input=said("b")),
        ben.runs.join(id_, job["run_id"]),
        ben.runs.cancel(id_, job["run_id"]),
    ):
        with pytest.raises(httpx.HTTPStatusError) as raised:
            await asking
        assert raised.value.response.status_code == 404
    await ada.aclose()
    await ben.aclose()


async def test_a_remote_graph_has_threads(client: LangGraphClient) -> None:
    graph = RemoteGraph("ask", client=client)
    config: Any = {"configurable": {"thread_id": str(uuid4())}}
    values: Any = await graph.ainvoke(QUESTION, config)
    assert values["log"] == ["prepared"]
    snapshot = await graph.aget_state(config)
    assert snapshot.next == ("ask",)
    [interrupt] = snapshot.interrupts
    assert interrupt.value == {"question": "Shall I?"}
    written = await graph.aupdate_state(config, {"log": ["written"]}, as_node="prepare")
    assert written["configurable"]["thread_id"] == config["configurable"]["thread_id"]
    values = await graph.ainvoke(Command(resume="yes"), config)
    assert values["log"] == ["prepared", "written", "answered yes", "concluded"]
    states = [each async for each in graph.aget_state_history(config, limit=20)]
    assert states[-1].metadata is not None
    before = [each async for each in graph.aget_state_history(config, before=states[1].config)]
    assert before == states[2:]


async def test_a_remote_graph_is_a_node_that_asks(client: LangGraphClient) -> None:
    remote = RemoteGraph("ask", client=client, name="remote")
    built = StateGraph(Shown).add_node("remote", remote).add_edge(START, "remote")
    parent = built.compile(checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": str(uuid4())}}
    values: Any = await parent.ainvoke(QUESTION, config)
    [interrupt] = values["__interrupt__"]
    assert interrupt.value == {"question": "Shall I?"}
    # A `RemoteGraph` passes no answer on, so the node's own thread gets it.
    values = await remote.ainvoke(Command(resume={interrupt.id: "yes"}), config)
    assert values["log"] == ["prepared", "answered yes", "concluded"]


SDKS = ["@langchain/langgraph-sdk", "@langchain/langgraph-sdk-1"]
each_sdk = pytest.mark.parametrize("module", SDKS)


async def use_stream(server: Server, how: str, module: str, route: str = "lg", **more: Any) -> Any:
    """What ``useStream`` has shown."""
    url = f"{server.url}/{route}"
    shown = await run("langgraph_threads", how=how, module=module, apiUrl=url, **more)
    assert "thrown" not in shown, shown["thrown"]
    assert how == "fail" or shown["errors"] == []
    return shown


@each_sdk
@pytest.mark.parametrize("route", ["lg", "plain", "users"])
async def test_use_stream_talks_on_a_new_thread(
    threads_server: Server, module: str, route: str
) -> None:
    shown = await use_stream(threads_server, "talk", module, route, assistantId="chat")
    assert shown["messages"] == ["a", "1 a", "b", "3 b"]
    [thread_id] = shown["threads"]
    assert [each["thread_id"] for each in shown["runs"]] == [thread_id] * 2


@each_sdk
@pytest.mark.parametrize("route", ["lg", "plain"])
async def test_use_stream_hears_of_langchain_s_events(
    threads_server: Server, module: str, route: str
) -> None:
    shown = await use_stream(threads_server, "events", module, route, assistantId="chat")
    assert shown["messages"] == ["a", "1 a"]
    first, *events, last = shown["events"]
    assert (first, last) == ("on_chain_start LangGraph", "on_chain_end LangGraph")
    assert events.count("on_chat_model_stream Echo") == 3


@each_sdk
async def test_use_stream_asks_and_goes_on(threads_server: Server, module: str) -> None:
    shown = await use_stream(threads_server, "interrupt", module, assistantId="ask")
    assert shown["interrupt"]["value"] == {"question": "Shall I?"}
    assert shown["values"]["log"] == ["prepared", "answered yes", "concluded"]
    assert shown["after"] is None


@each_sdk
async def test_use_stream_edits_and_shows_both_branches(
    threads_server: Server, module: str
) -> None:
    shown = await use_stream(threads_server, "branches", module, assistantId="chat")
    assert shown["edited"] == ["c", "1 c"]
    assert shown["original"] == ["a", "1 a", "b", "3 b"]


@each_sdk
async def test_use_stream_reconnects_in_mid_run_and_stops(
    threads_server: Server, client: LangGraphClient, module: str
) -> None:
    id_ = (await client.threads.create())["thread_id"]
    shown = await use_stream(threads_server, "reconnect", module, assistantId="slow", threadId=id_)
    assert shown["start"] == "w0 w1 w2 "
    assert shown["loading"]
    assert shown["status"] == "interrupted"


@each_sdk
@pytest.mark.parametrize("kept", [True, False])
async def test_use_stream_reconnects_after_the_end(
    threads_server: Server, client: LangGraphClient, module: str, kept: bool
) -> None:
    id_ = (await client.threads.create())["thread_id"]
    job = await client.runs.create(id_, "chat", input=said("a"))
    await client.runs.join(id_, job["run_id"])
    run_id = job["run_id"] if kept else str(uuid4())
    shown = await use_stream(
        threads_server, "return", module, assistantId="chat", threadId=id_, runId=run_id
    )
    assert shown["messages"] == ["a", "1 a"]


@each_sdk
async def test_use_stream_stops_the_work(threads_server: Server, module: str) -> None:
    shown = await use_stream(threads_server, "stop", module, assistantId="slow")
    assert shown["status"] == "interrupted"
    assert shown["error"] is None


@each_sdk
async def test_use_stream_joins_a_run(
    threads_server: Server, client: LangGraphClient, module: str
) -> None:
    id_ = (await client.threads.create())["thread_id"]
    shown = await use_stream(threads_server, "join", module, assistantId="chat", threadId=id_)
    assert shown["messages"] == ["a", "1 a"]


@each_sdk
async def test_use_stream_shows_that_a_run_failed(threads_server: Server, module: str) -> None:
    shown = await use_stream(threads_server, "fail", module, assistantId="fails")
    assert "The run failed." in shown["error"]
