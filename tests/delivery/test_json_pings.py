"""JSON responses with whitespace in front, which keeps proxies from closing them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda
from langgraph.graph import MessagesState, StateGraph

from asgi_stream import Limits, StreamApp, StreamRoute, TableError
from asgi_stream.client import RemoteRunnable
from asgi_stream.errors import RunFailed
from asgi_stream.events import Event, RunError
from asgi_stream.formats import Format

from ..asgi import JSON, Exchange, post
from ..servers import serving

pytestmark = pytest.mark.anyio

LIMITS = Limits(hold=0.05, ping=0.03)
HELD = Limits(hold=5, ping=0.03)
ACCEPT = {"accept": "application/json"}
CHAT = {"messages": [{"role": "user", "content": "Hi"}]}
MESSAGE = {"type": "human", "content": "Hi"}

ASKED: Mapping[str, tuple[str, str, Any]] = {
    # The format, the endpoint below the route, and the body.
    "tokens": ("tokens", "", {"messages": [MESSAGE]}),
    "chunks": ("chunks", "", {"messages": [MESSAGE]}),
    "events": ("events", "", {"messages": [MESSAGE]}),
    "openai": ("openai", "/chat/completions", {"model": "chat", **CHAT}),
    "langserve": ("langserve", "/invoke", {"input": {"messages": [MESSAGE]}}),
    "langserve-batch": ("langserve", "/batch", {"inputs": [{"messages": [MESSAGE]}]}),
    "langgraph": ("langgraph", "/runs/wait", {"assistant_id": "chat", "input": CHAT}),
}

ERROR = {"error": {"code": "run_failed", "message": "The run failed."}}
NATIVE = {"code": "run_failed", "message": "The run failed."}
ERRORS: Mapping[str, Any] = {
    "openai": {"error": {**NATIVE, "type": "server_error", "param": None}},
    "langserve": {**NATIVE, "detail": "The run failed."},
    "langserve-batch": {**NATIVE, "detail": "The run failed."},
    "langgraph": {"__error__": {"error": "run_failed", "message": "The run failed."}},
}


def graph(seconds: float, fails: bool = False) -> Any:
    async def answer(state: MessagesState) -> dict[str, Any]:
        await asyncio.sleep(seconds)
        if fails:
            raise ValueError("secret")
        return {"messages": [AIMessage("Hello.", id="m")]}

    built: Any = StateGraph(MessagesState)
    return built.add_node(answer).set_entry_point("answer").compile()


def app_of(format: str, runnable: Any, **options: Any) -> StreamApp:
    options = {"limits": LIMITS, **options}
    return StreamApp([StreamRoute("/chat", runnable, format=format, **options)])


def without_ids(value: Any) -> Any:
    """Return `value` without ids and times, which differ from run to run."""
    if isinstance(value, dict):
        changing = ("id", "run_id", "run_ids", "created", "parent_ids", "metadata")
        return {key: without_ids(each) for key, each in value.items() if key not in changing}
    return [without_ids(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", ASKED)
async def test_the_document_is_the_same_behind_the_whitespace(name: str) -> None:
    format, endpoint, body = ASKED[name]
    runnable = graph(0.5)
    plain = await post(app_of(format, runnable), f"/chat{endpoint}", body, headers=ACCEPT)
    pinged = await post(
        app_of(format, runnable, json_pings=True), f"/chat{endpoint}", body, headers=ACCEPT
    )
    assert plain.status == pinged.status == 200
    assert pinged.headers["content-type"] == plain.headers["content-type"] == "application/json"
    assert plain.body[:1] in (b"{", b"[")
    spaces = len(pinged.body) - len(pinged.body.lstrip(b" "))
    assert spaces >= 2
    assert without_ids(pinged.json()) == without_ids(plain.json())


@pytest.mark.parametrize("name", ASKED)
async def test_a_failure_behind_the_whitespace_is_the_document(name: str) -> None:
    format, endpoint, body = ASKED[name]
    app = app_of(format, graph(0.5, fails=True), json_pings=True)
    answer = await post(app, f"/chat{endpoint}", body, headers=ACCEPT)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.body.startswith(b"  ")
    assert not answer.messages[-1].get("more_body")
    assert without_ids(answer.json()) == ERRORS.get(name, ERROR)


@pytest.mark.parametrize("name", ASKED)
async def test_a_failure_before_the_hold_has_its_status(name: str) -> None:
    format, endpoint, body = ASKED[name]
    app = app_of(format, graph(0, fails=True), json_pings=True, limits=HELD)
    answer = await post(app, f"/chat{endpoint}", body, headers=ACCEPT)
    assert answer.status == (200 if name == "langgraph" else 500)  # as its SDKs expect
    assert not answer.body.startswith(b" ")


async def test_an_answer_before_the_hold_has_no_whitespace() -> None:
    app = app_of("tokens", graph(0), json_pings=True, limits=HELD)
    answer = await post(app, "/chat", CHAT, headers=ACCEPT)
    assert answer.body.startswith(b"{")


async def test_streams_are_as_they_are() -> None:
    answer = await post(app_of("tokens", graph(0.5), json_pings=True), "/chat", CHAT)
    assert answer.body.startswith(b": ping\n")
    assert answer.body.endswith(b"data: [DONE]\n\n")


async def test_the_work_stops_when_the_client_leaves() -> None:
    stopped = asyncio.Event()

    async def work(_: Any) -> str:
        try:
            await asyncio.sleep(10)
        finally:
            stopped.set()
        return ""

    app = app_of("tokens", RunnableLambda(work), json_pings=True)
    async with Exchange(app, "POST", "/chat", 1, headers={**JSON, **ACCEPT}) as exchange:
        await exchange.until(b"  ")
        exchange.disconnect()
        async with asyncio.timeout(20):
            await stopped.wait()


async def test_the_server_s_end_is_a_document() -> None:
    app = app_of("tokens", graph(10), json_pings=True)
    async with Exchange(app, "POST", "/chat", CHAT, headers={**JSON, **ACCEPT}) as exchange:
        await exchange.until(b"  ")
        await app.aclose()
        await exchange.finished()
    assert exchange.json()["error"]["code"] == "shutdown"


@pytest.mark.parametrize("format", ["tokens", "chunks", "events", "langserve"])
async def test_the_client_reads_the_error_as_one(format: str, tmp_path: Path) -> None:
    with serving(f"{__name__}:{format}_app", tmp_path) as server:
        failing: Any = RemoteRunnable(f"{server.url}/fails", format=format)
        with pytest.raises(RunFailed, match=r"The run failed\.") as failed:
            await failing.ainvoke({"messages": [MESSAGE]})
        assert failed.value.id is not None
        works: Any = RemoteRunnable(f"{server.url}/works", format=format)
        output = await works.ainvoke({"messages": [MESSAGE]})
    text = output if isinstance(output, str) else output["messages"][-1].content
    assert text == "Hello."


def served(format: str) -> StreamApp:
    routes = [
        StreamRoute("/works", graph(0.5), format=format),
        StreamRoute("/fails", graph(0.5, fails=True), format=format),
    ]
    return StreamApp(routes, limits=LIMITS, json_pings=True)


tokens_app, chunks_app, events_app, langserve_app = (
    served(each) for each in ("tokens", "chunks", "events", "langserve")
)


class Plain(Format):
    """A user's format whose refusals are text and whose streams break on an error."""

    wants = frozenset()
    breaks_on_error = True

    def encode(self, event: Event) -> bytes:
        return b""

    @classmethod
    def refusal(cls, error: RunError) -> tuple[bytes, str]:
        return error.message.encode(), "text/plain"


async def test_the_document_is_json_whatever_the_format_s_refusals_are() -> None:
    app = app_of(f"{__name__}:Plain", graph(0.5, fails=True), json_pings=True)
    answer = await post(app, "/chat", CHAT, headers=ACCEPT)
    assert answer.status == 200
    assert without_ids(answer.json()) == ERROR
    assert not answer.messages[-1].get("more_body")  # it is complete
    app = app_of(f"{__name__}:Plain", graph(0, fails=True), json_pings=True)
    answer = await post(app, "/chat", CHAT, headers=ACCEPT)
    assert (answer.status, answer.body) == (500, b"The run failed.")


def test_pings_that_are_off_are_not_wanted() -> None:
    with pytest.raises(TableError, match=r"json_pings: needs limits\.ping, which is off"):
        StreamApp([StreamRoute("/", graph(0), json_pings=True, limits=Limits(ping=0))])
