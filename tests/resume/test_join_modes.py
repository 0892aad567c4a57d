"""Which of a run's frames those get who join it, and the stream mode ``tools``."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode

from asgi_stream import StreamApp, StreamRoute
from asgi_stream.formats.langgraph import LangGraphFormat

from ..asgi import JSON, Exchange, get, post
from ..formats.langgraph_app import app_of, last_answer, said
from .test_thread_runs import SLOW, names

pytestmark = pytest.mark.anyio

THREAD = "/lg/threads/t1"


@tool
def lookup(word: str) -> str:
    """Look a word up."""
    if word == "secret":
        raise RuntimeError("the password is 123")
    return f"{word}?"


def tools_app() -> StreamApp:
    pytest.importorskip("langgraph.pregel._tools", reason="needs the stream mode tools")

    def call(state: MessagesState) -> Any:
        args = {"word": state["messages"][-1].content}
        calls: Any = [{"id": "c1", "name": "lookup", "args": args}]
        return {"messages": [AIMessage("", id="a1", tool_calls=calls)]}

    built: Any = StateGraph(MessagesState).add_node("call", call)
    built.add_node("tools", ToolNode([lookup], handle_tool_errors=False))
    built.add_edge(START, "call").add_edge("call", "tools")
    graph = built.compile(checkpointer=InMemorySaver())
    route = StreamRoute("/lg", {"agent": graph}, format="langgraph", threads=True, resume=True)
    return StreamApp([route])


async def streamed(app: StreamApp, word: str) -> list[Any]:
    """The data of the frames of the mode ``tools``."""
    body = {"assistant_id": "agent", "input": said(word), "stream_mode": ["tools", "values"]}
    path = f"{THREAD}/runs/stream"
    exchange = await post(app, path, {**body, "if_not_exists": "create"})
    blocks = exchange.body.decode().split("\n\n")
    return [json.loads(each.partition("data: ")[2]) for each in blocks if "event: tools\n" in each]


async def test_the_calls_of_tools_are_a_stream_mode() -> None:
    started, finished = await streamed(tools_app(), "hi")
    assert (started["event"], started["tool_call_id"], started["input"]) == (
        *("tool-started", "c1"),
        {"word": "hi"},
    )
    assert (finished["event"], finished["output"]["content"]) == ("tool-finished", "hi?")


async def test_the_text_of_a_tool_s_exception_is_not_sent() -> None:
    app = tools_app()
    *_, failed = await streamed(app, "secret")
    assert failed == {"event": "tool-error", "tool_call_id": "c1", "message": "The run failed."}
    start = {"assistant_id": "agent", "input": said("secret")}
    await post(app, f"{THREAD}/commands", {"id": 1, "method": "run.start", "params": start})
    body = {"channels": ["tools", "lifecycle", "tasks"]}
    path = f"{THREAD}/stream/events"
    async with Exchange(app, "POST", path, body, headers=JSON) as exchange:
        async for frame in exchange.frames():
            if frame.json()["params"]["data"].get("event") == "failed":
                break
        exchange.disconnect()
    assert b"tool-error" in exchange.body
    assert b"password" not in exchange.body


@pytest.fixture
async def joined() -> Any:
    app = app_of(resume=True)
    body = {"assistant_id": "chat", "input": said("a"), "if_not_exists": "create"}
    modes = {"stream_mode": ["values", "updates", "messages", "messages-tuple", "custom"]}
    exchange = await post(app, f"{THREAD}/runs/stream", {**body, **modes})

    async def join(query: str) -> Exchange:
        return await get(app, f"/lg{exchange.headers['location']}{query}")

    return join


LIST = quote(json.dumps(["updates", "values"]))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?stream_mode=updates", {"updates"}),
        ("?stream_mode=updates&stream_mode=values", {"updates", "values"}),
        (f"?stream_mode={LIST}&cancel_on_disconnect=0", {"updates", "values"}),
        (
            "?stream_mode=messages-tuple",
            {"messages", "messages/metadata", "messages/partial"},
        ),
        ("?stream_mode=debug", set()),
        ("?stream_mode=events", set()),
    ],
)
async def test_a_reader_gets_the_stream_modes_that_it_asks_for(
    joined: Any, query: str, expected: set[str]
) -> None:
    first, *some, last = names(await joined(query))
    assert (first, {*some}, last) == ("metadata", expected, "end")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"events", "values"}),
        ("?stream_mode=events", {"events"}),
        ("?stream_mode=values", {"values"}),
    ],
)
async def test_a_run_with_events_may_be_joined_without_them(query: str, expected: set[str]) -> None:
    app = app_of(resume=True)
    body = {**SLOW, "assistant_id": "chat", "stream_mode": ["values", "events"]}
    started = await post(app, f"{THREAD}/runs", {**body, "if_not_exists": "create"})
    run_id = started.json()["run_id"]
    first, *some, last = names(await get(app, f"{THREAD}/runs/{run_id}/stream{query}"))
    assert (first, {*some}, last) == ("metadata", expected, "end")
    result = (await get(app, f"{THREAD}/runs/{run_id}/join")).json()
    assert last_answer(result) == "1 a"


async def test_a_reader_who_asks_for_no_stream_mode_gets_all(joined: Any) -> None:
    everything = {"values", "updates", "messages", "messages/metadata", "messages/partial"}
    for query in ("", "?stream_mode="):
        assert {*names(await joined(query))} == {"metadata", "end"} | everything


@pytest.mark.parametrize("query", ["?stream_mode=all", "?stream_mode=[", "?stream_mode=[1]"])
async def test_an_unknown_stream_mode_is_refused(joined: Any, query: str) -> None:
    assert (await joined(query)).status == 422


async def test_a_reader_gets_new_frames_of_its_stream_modes_only() -> None:
    app = app_of(resume=True)
    body = {**SLOW, "stream_mode": ["messages-tuple", "updates"], "if_not_exists": "create"}
    run_id = (await post(app, f"{THREAD}/runs", body)).json()["run_id"]
    path = f"{THREAD}/runs/{run_id}/stream"
    async with (
        Exchange(app, "GET", f"{path}?stream_mode=updates", b"") as updates,
        Exchange(app, "GET", path, b"") as everything,
    ):
        count = 0
        async for _ in everything.frames():
            count += 1
            if count == 20:
                break
        await post(app, f"{THREAD}/runs/{run_id}/cancel?wait=1", {})
        await updates.finished()
        await everything.finished()
    assert names(updates) == ["metadata", "error"]
    assert names(everything).count("messages") >= 18


async def test_a_frame_that_cannot_be_translated_is_left_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def joined(frame: bytes) -> bytes:
        if b"event: values" in frame:
            raise ValueError("odd")
        return frame

    monkeypatch.setattr(LangGraphFormat, "joined_frames", lambda self, query: joined)
    app = app_of(resume=True)
    body = {"assistant_id": "chat", "input": said("a"), "if_not_exists": "create"}
    started = await post(app, f"{THREAD}/runs/stream", body)
    run_id = started.headers["x-run-id"]
    assert names(started) == ["metadata", "values", "values", "end"]
    exchange = await get(app, f"{THREAD}/runs/{run_id}/stream")
    assert names(exchange) == ["metadata", "end"]
    assert f"run {run_id} of /lg: a reader does not get a frame" in caplog.text
