"""``runs/wait`` on a thread whose runs are stored: it waits, and can be continued elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from asgi_stream import Limits, StreamApp
from asgi_stream.formats._langgraph.result import ResultReader
from asgi_stream.formats.langgraph import LangGraphFormat

from ..asgi import JSON, Exchange, get, post
from ..formats.langgraph_app import app_of, last_answer, said

pytestmark = pytest.mark.anyio

THREAD = "/lg/threads/t1"
SLOW = {"assistant_id": "slow", "input": said("a"), "if_not_exists": "create"}
QUESTION = {"question": "Shall I?", "log": []}


@pytest.fixture
def app() -> StreamApp:
    return app_of(resume=True)


async def wait(app: StreamApp, assistant: str, **body: Any) -> Any:
    body = {"assistant_id": assistant, "if_not_exists": "create", **body}
    exchange = await post(app, f"{THREAD}/runs/wait", body)
    assert exchange.status == 200, exchange.body
    return exchange.json()


async def until(condition: Callable[[], Awaitable[Any]]) -> Any:
    async with asyncio.timeout(20):
        while not (result := await condition()):
            await asyncio.sleep(0)
        return result


def waiting(app: StreamApp, **body: Any) -> Exchange:
    return Exchange(app, "POST", f"{THREAD}/runs/wait", {**SLOW, **body}, headers=JSON)


async def runs(app: StreamApp, query: str = "") -> Any:
    exchange = await get(app, f"{THREAD}/runs{query}")
    return exchange.json() if exchange.status == 200 else []


async def running(app: StreamApp) -> Any:
    [run] = await until(lambda: runs(app, "?status=running"))
    return run


def without_ids(value: Any) -> Any:
    match value:
        case {**fields}:
            return {key: without_ids(each) for key, each in fields.items() if key != "id"}
        case [*items]:
            return [without_ids(each) for each in items]
    return value


@pytest.mark.parametrize(
    ("assistant", "bodies"),
    [
        ("chat", [{"input": said("a")}, {"input": said("b")}]),
        ("ask", [{"input": QUESTION}, {"command": {"resume": "yes"}}]),
        ("ask", [{"input": QUESTION, "interrupt_before": ["ask"]}, {"input": None}]),
        ("several", [{"input": QUESTION}]),
        ("nested", [{"input": QUESTION}, {"command": {"resume": "yes"}}]),
        ("workflow", [{"input": 2}, {"input": 1}, {"command": {"resume": 7}}]),
        ("fails", [{"input": QUESTION}]),
        ("ask", [{"input": QUESTION}, {"command": {"goto": "__end__"}}]),
    ],
)
async def test_a_stored_run_results_in_what_any_other_does(
    app: StreamApp, assistant: str, bodies: list[Any]
) -> None:
    live = app_of()
    for body in bodies:
        expected = await wait(live, assistant, **body)
        assert without_ids(await wait(app, assistant, **body)) == without_ids(expected)


async def test_the_result_can_be_read_at_another_url_after_a_disconnect(app: StreamApp) -> None:
    async with waiting(app, assistant_id="chat") as exchange:
        await exchange.started()
        location = exchange.headers["location"]
        assert location == f"{exchange.headers['content-location']}/join"
        exchange.disconnect()
    assert last_answer((await get(app, f"/lg{location}")).json()) == "1 a"


async def test_a_run_that_a_client_waits_for_is_listed_and_can_be_cancelled(
    app: StreamApp,
) -> None:
    async with waiting(app) as exchange:
        run = await running(app)
        await post(app, f"{THREAD}/runs/{run['run_id']}/cancel", {})
        await exchange.finished()
    assert exchange.json()["__error__"]["error"] == "cancelled"
    [run] = await runs(app)
    assert run["status"] == "interrupted"


async def test_a_run_ends_with_the_client_that_waits_for_it_if_it_says_so(app: StreamApp) -> None:
    async with waiting(app, on_disconnect="cancel") as exchange:
        await running(app)
        exchange.disconnect()
    await until(lambda: runs(app, "?status=interrupted"))


async def test_a_client_that_waits_gets_pings() -> None:
    app = app_of(resume=True, limits=Limits(ping=0.05, run=20))
    async with waiting(app) as exchange:
        run = await running(app)
        async with asyncio.timeout(20):
            while len(exchange.body) < 3:
                await asyncio.sleep(0)
        await post(app, f"{THREAD}/runs/{run['run_id']}/cancel", {})
        await exchange.finished()
    assert exchange.body.startswith(b"   ")
    assert exchange.json()["__error__"]


async def test_a_server_that_closes_the_connection_ends_the_response_only(app: StreamApp) -> None:
    exchange = waiting(app)
    send: Any = exchange._send
    task = asyncio.ensure_future(app(exchange.scope, exchange.received.get, send))
    run = await running(app)
    task.cancel()
    async with asyncio.timeout(20):
        await asyncio.wait({task})
    assert exchange.json()["__error__"]["error"] == "shutdown"
    assert (await running(app))["run_id"] == run["run_id"]
    await post(app, f"{THREAD}/runs/{run['run_id']}/cancel?wait=1", {})


async def test_a_server_that_stops_ends_the_run_and_its_response(app: StreamApp) -> None:
    async with waiting(app) as exchange:
        await running(app)
        await app.aclose()
        await exchange.finished()
    assert exchange.json()["__error__"]["error"] == "shutdown"


async def test_an_interrupt_that_is_left_open_is_in_the_result(app: StreamApp) -> None:
    asked_for = (await wait(app, "several", input=QUESTION))["__interrupt__"]
    one, other = (each["id"] for each in asked_for)
    result = await wait(app, "several", command={"resume": {one: "yes"}})
    assert [each["id"] for each in result["__interrupt__"]] == [other]


async def test_a_response_ends_whatever_its_format_raises(
    app: StreamApp, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> Any:
        raise ValueError("odd")

    monkeypatch.setattr(ResultReader, "document", broken)
    monkeypatch.setattr(LangGraphFormat, "failure", broken)
    async with waiting(app, assistant_id="chat") as exchange:
        await exchange.finished()
    assert not exchange.body.strip()
    assert "a background task failed" in caplog.text
