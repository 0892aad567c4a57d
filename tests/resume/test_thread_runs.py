"""The stored runs of threads, in the format ``langgraph``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from asgi_stream import Resume, StreamApp, Threads
from asgi_stream.errors import StoreUnavailable
from asgi_stream.stores.memory import MemoryStore
from asgi_stream.stores.memory_threads import MemoryThreadStore
from asgi_stream.stores.rollback import ROLLBACKS, is_marked, rolling_back

from ..asgi import JSON, Exchange, call, get, post
from ..formats.langgraph_app import app_of, last_answer, said

pytestmark = pytest.mark.anyio

SLOW = {"assistant_id": "slow", "input": said("a"), "stream_mode": "messages-tuple"}
CHAT = {"assistant_id": "chat", "input": said("b")}
THREAD = "/lg/threads/t1"


@pytest.fixture
async def app() -> AsyncIterator[StreamApp]:
    app = app_of(resume=True)
    await post(app, "/lg/threads", {"thread_id": "t1"})
    yield app
    for run in await runs(app):
        await post(app, f"{THREAD}/runs/{run['run_id']}/cancel?wait=1", {})


async def start(app: StreamApp, body: Any = SLOW) -> Any:
    exchange = await post(app, f"{THREAD}/runs", body)
    assert exchange.status == 200, exchange.body
    return exchange.json()


async def runs(app: StreamApp, query: str = "") -> Any:
    return (await get(app, f"{THREAD}/runs{query}")).json()


async def run_of(app: StreamApp, run_id: str) -> Any:
    return (await get(app, f"{THREAD}/runs/{run_id}")).json()


async def values(app: StreamApp) -> Any:
    return (await get(app, f"{THREAD}/state")).json()["values"]


async def cancel(app: StreamApp, run_id: str, query: str = "") -> Exchange:
    return await call(app, "POST", f"{THREAD}/runs/{run_id}/cancel{query}")


def names(exchange: Exchange) -> list[str]:
    lines = exchange.body.decode().split("\n")
    return [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]


async def test_a_run_in_the_background_is_answered_at_once(app: StreamApp) -> None:
    exchange = await post(app, f"{THREAD}/runs", CHAT)
    run = exchange.json()
    assert exchange.headers["content-location"] == f"/threads/t1/runs/{run['run_id']}"
    assert exchange.headers["x-run-id"] == run["run_id"]
    assert (run["thread_id"], run["status"]) == ("t1", "pending")
    [assistant] = (await post(app, "/lg/assistants/search", {"graph_id": "chat"})).json()
    assert run["assistant_id"] == assistant["assistant_id"]
    joined = await get(app, f"{THREAD}/runs/{run['run_id']}/join")
    assert last_answer(joined.json()) == "1 b"
    assert (await run_of(app, run["run_id"]))["status"] == "success"
    again = await get(app, f"{THREAD}/runs/{run['run_id']}/join")
    assert again.json() == joined.json()


async def test_a_run_in_the_background_has_no_reader_that_could_leave() -> None:
    app = app_of(resume=Resume(on_disconnect="cancel"))
    await post(app, "/lg/threads", {"thread_id": "t1"})
    run = await start(app, {**CHAT, "on_disconnect": "cancel"})
    joined = await get(app, f"{THREAD}/runs/{run['run_id']}/join")
    assert last_answer(joined.json()) == "1 b"


async def test_runs_are_listed_newest_first(app: StreamApp) -> None:
    first = await start(app)
    second = await start(app, CHAT)
    listed = await runs(app)
    assert [each["run_id"] for each in listed] == [second["run_id"], first["run_id"]]
    assert [each["run_id"] for each in await runs(app, "?limit=1&offset=1")] == [first["run_id"]]
    pending = await runs(app, "?status=pending&limit=1000&select=run_id&select=status")
    assert pending == [{"run_id": second["run_id"], "status": "pending"}]
    assert await runs(app, "?status=error&select=run_id") == []
    assert (await get(app, f"{THREAD}/runs?status=odd")).status == 422
    assert (await get(app, f"{THREAD}/runs?limit=x")).status == 422
    assert (await cancel(app, first["run_id"])).status == 202
    await get(app, f"{THREAD}/runs/{second['run_id']}/join")
    statuses = {each["run_id"]: each["status"] for each in await runs(app)}
    assert statuses == {first["run_id"]: "interrupted", second["run_id"]: "success"}


async def test_a_run_that_waits_can_be_cancelled(app: StreamApp) -> None:
    first, second = await start(app), await start(app, CHAT)
    assert (await cancel(app, second["run_id"], "?wait=1&action=rollback")).status == 200
    assert (await run_of(app, second["run_id"]))["status"] == "interrupted"
    assert (await run_of(app, first["run_id"]))["status"] == "running"


async def test_a_stream_is_joined_from_a_position(app: StreamApp) -> None:
    exchange = await post(app, f"{THREAD}/runs/stream", CHAT)
    run_id = exchange.headers["x-run-id"]
    path = f"/threads/t1/runs/{run_id}"
    assert exchange.headers["content-location"] == path
    assert exchange.headers["location"] == f"{path}/stream"
    for headers in ({}, {"last-event-id": "-1"}):
        joined = await get(app, f"/lg{path}/stream", headers=headers)
        assert joined.body == exchange.body
        assert joined.headers["location"] == f"{path}/stream"
    joined = await get(app, f"/lg{path}/stream", headers={"last-event-id": "1"})
    assert names(joined) == names(exchange)[1:]
    joined = await get(app, f"/lg{path}/stream", headers={"last-event-id": "x"})
    assert joined.status == 400


async def test_a_run_that_is_not_kept_any_more_has_ended(app: StreamApp) -> None:
    path = f"{THREAD}/runs/{uuid4()}"
    for headers in ({}, {"last-event-id": "-1"}, {"last-event-id": "7"}):
        exchange = await get(app, f"{path}/stream?cancel_on_disconnect=0", headers=headers)
        assert exchange.status == 200
        assert exchange.headers["content-type"].startswith("text/event-stream")
        assert exchange.body == b"event: end\ndata: null\n\n"
    for method, end in (("GET", ""), ("GET", "/join"), ("POST", "/cancel"), ("DELETE", "")):
        assert (await call(app, method, path + end)).status == 404
    assert (await get(app, f"{THREAD}/runs/nope/stream")).status == 404


async def test_a_reader_that_leaves_cancels_the_run_if_it_says_so(app: StreamApp) -> None:
    run = await start(app)
    path = f"{THREAD}/runs/{run['run_id']}/stream"
    async with Exchange(app, "GET", path) as staying:
        await staying.until(b"w1 ")
        staying.disconnect()
    assert (await run_of(app, run["run_id"]))["status"] == "running"
    async with Exchange(app, "GET", f"{path}?cancel_on_disconnect=true") as leaving:
        await leaving.until(b"w2 ")
        leaving.disconnect()
    joined = await get(app, f"{THREAD}/runs/{run['run_id']}/join")
    assert joined.status == 200
    assert (await run_of(app, run["run_id"]))["status"] == "interrupted"


async def test_a_cancelled_run_ends_with_the_state_of_its_thread(app: StreamApp) -> None:
    run = await start(app)
    path = f"{THREAD}/runs/{run['run_id']}"
    async with Exchange(app, "GET", f"{path}/join") as joining:
        exchange = await cancel(app, run["run_id"], "?wait=1&action=interrupt")
        assert [each["content"] for each in exchange.json()["messages"]] == ["a"]
        assert (await joining.finished()).json() == exchange.json()
    assert (await cancel(app, run["run_id"])).status == 404
    async with asyncio.timeout(20):  # the run's clean-up
        while (await get(app, THREAD)).json()["status"] != "idle":
            await asyncio.sleep(0)


@pytest.mark.parametrize("wait", ["0", "1"])
async def test_a_run_is_rolled_back(app: StreamApp, wait: str) -> None:
    await post(app, f"{THREAD}/runs/wait", CHAT)
    before = await values(app)
    async with Exchange(app, "POST", f"{THREAD}/runs/stream", SLOW, headers=JSON) as running:
        await running.until(b"w1 ")
        assert len((await values(app))["messages"]) == 3
        run_id = running.headers["x-run-id"]
        exchange = await cancel(app, run_id, f"?wait={wait}&action=rollback")
        assert exchange.status == (202 if wait == "0" else 200)
        await running.finished()
    if wait == "1":
        assert exchange.json() == before
    async with asyncio.timeout(20):
        while await values(app) != before:
            await asyncio.sleep(0)


@pytest.mark.parametrize("wait", ["0", "1"])
async def test_a_rollback_comes_before_the_run_that_waits(app: StreamApp, wait: str) -> None:
    slow = await start(app)
    async with asyncio.timeout(20):
        while not (await values(app)).get("messages"):
            await asyncio.sleep(0)
    waiting = await start(app, CHAT)
    again = await start(app, CHAT)
    cancelled = await cancel(app, slow["run_id"], f"?wait={wait}&action=rollback")
    assert cancelled.status == (202 if wait == "0" else 200)
    assert wait == "0" or cancelled.json() == {}
    for run in (waiting, again):
        await get(app, f"{THREAD}/runs/{run['run_id']}/join")
    messages = [each["content"] for each in (await values(app))["messages"]]
    assert messages == ["b", "1 b", "b", "3 b"]


async def test_one_request_rolls_a_run_back() -> None:
    store = MemoryThreadStore()
    async with (
        rolling_back(store, "r", "/", wanted=True) as first,
        rolling_back(store, "r", "/", wanted=True) as second,
    ):
        assert (first, second) == (True, False)
        assert await is_marked(store, "r")
    assert not await is_marked(store, "r")


class Mute(MemoryThreadStore):
    """Keeps the mark of a run that is rolled back, as if its worker had died meanwhile."""

    muted = 1

    async def delete(self, scope: str, thread_id: str) -> bool:
        if scope == ROLLBACKS and self.muted:
            self.muted -= 1
            return False
        return await super().delete(scope, thread_id)


async def test_a_run_whose_worker_does_not_answer_is_rolled_back_too() -> None:
    store = Mute()
    app = app_of(resume=True, threads=Threads(store=store))
    await post(app, "/lg/threads", {"thread_id": "t1"})
    run = await start(app)
    async with asyncio.timeout(20):
        while not (await values(app)).get("messages"):
            await asyncio.sleep(0)
        assert (await cancel(app, run["run_id"], "?action=rollback")).status == 202
        while await values(app) or await store.list(ROLLBACKS):
            await asyncio.sleep(0.01)


async def test_a_run_that_asks_ends_well(app: StreamApp) -> None:
    run = await start(app, {"assistant_id": "ask", "input": {"question": "?", "log": []}})
    joined = await get(app, f"{THREAD}/runs/{run['run_id']}/join")
    assert [each["value"] for each in joined.json()["__interrupt__"]] == [{"question": "?"}]
    assert (await run_of(app, run["run_id"]))["status"] == "success"
    assert (await get(app, THREAD)).json()["status"] == "interrupted"


async def test_a_workflow_that_asks_has_no_values(app: StreamApp) -> None:
    run = await start(app, {"assistant_id": "workflow", "input": 1})
    joined = await get(app, f"{THREAD}/runs/{run['run_id']}/join")
    assert [each["value"] for each in joined.json()["__interrupt__"]] == [2]


async def test_a_failed_run_results_in_its_error(app: StreamApp) -> None:
    run = await start(app, {"assistant_id": "fails", "input": {"question": "x"}})
    joined = await get(app, f"{THREAD}/runs/{run['run_id']}/join")
    error = joined.json()["__error__"]
    assert (error["error"], error["message"]) == ("run_failed", "The run failed.")
    assert (await run_of(app, run["run_id"]))["status"] == "error"


async def test_a_run_in_progress_is_not_deleted(app: StreamApp) -> None:
    run = await start(app)
    path = f"{THREAD}/runs/{run['run_id']}"
    assert (await call(app, "DELETE", path)).status == 409
    await cancel(app, run["run_id"], "?wait=1")
    assert (await call(app, "DELETE", path)).status == 204


async def test_a_deleted_run_is_gone_and_what_it_has_written_stays(app: StreamApp) -> None:
    kept, deleted = [await start(app, CHAT) for _ in range(2)]
    path = f"{THREAD}/runs/{deleted['run_id']}"
    values = (await get(app, f"{path}/join")).json()
    assert (await call(app, "DELETE", path)).status == 204
    assert (await call(app, "DELETE", path)).status == 404
    assert [each["run_id"] for each in (await get(app, f"{THREAD}/runs")).json()] == [
        kept["run_id"]
    ]
    for below in ("", "/join"):
        assert (await get(app, path + below)).status == 404
    assert names(await get(app, f"{path}/stream")) == ["end"]
    assert (await get(app, f"{THREAD}/state")).json()["values"] == values


RUNS = [
    ("GET", "/runs", None),
    ("POST", "/runs", CHAT),
    ("GET", "/runs/{r}", None),
    ("DELETE", "/runs/{r}", None),
    ("GET", "/runs/{r}/join", None),
    ("GET", "/runs/{r}/stream", None),
    ("POST", "/runs/{r}/cancel", {}),
]


@pytest.mark.parametrize(("method", "path", "body"), RUNS)
async def test_another_owner_s_runs_do_not_exist(
    app: StreamApp, method: str, path: str, body: Any
) -> None:
    run = await start(app)
    content = json.dumps(body).encode() if body is not None else b""
    path = path.replace("{r}", run["run_id"])
    headers = {**JSON, "x-user": "other"}
    for thread in (THREAD, "/lg/threads/another"):
        exchange = await call(app, method, thread + path, content, headers=headers)
        assert exchange.status == 404, exchange.body
    # Nor with a thread of the same id.
    await post(app, "/lg/threads", {"thread_id": "t1"}, headers={"x-user": "other"})
    exchange = await call(app, method, THREAD + path, content, headers=headers)
    assert run["run_id"].encode() not in exchange.body
    assert (await run_of(app, run["run_id"]))["status"] in ("pending", "running")
    assert exchange.status == (200 if path.endswith(("/runs", "/stream")) else 404)


@pytest.mark.parametrize(("method", "path", "body"), RUNS[2:])
async def test_a_run_is_there_on_its_own_thread_only(
    app: StreamApp, method: str, path: str, body: Any
) -> None:
    run = await start(app)
    await post(app, "/lg/threads", {"thread_id": "t2"})
    path = "/lg/threads/t2" + path.replace("{r}", run["run_id"])
    content = json.dumps(body).encode() if body is not None else b""
    exchange = await call(app, method, path, content, headers=JSON)
    assert exchange.status == (200 if path.endswith("/stream") else 404)
    assert b"w0" not in exchange.body


@pytest.mark.parametrize(("method", "path", "body"), RUNS)
async def test_a_route_without_resume_keeps_no_runs(method: str, path: str, body: Any) -> None:
    app = app_of()
    await post(app, "/lg/threads", {"thread_id": "t1"})
    content = json.dumps(body).encode() if body is not None else b""
    path = THREAD + path.replace("{r}", str(uuid4()))
    exchange = await call(app, method, path, content, headers=JSON)
    assert exchange.status == 404
    assert exchange.json()["detail"] == "This server keeps no runs."


async def test_a_forgotten_thread_is_found_in_the_checkpointer() -> None:
    app = app_of(resume=True, threads=Threads(store=MemoryThreadStore(threads=1)))
    await post(app, "/lg/threads", {"thread_id": "t1"})
    await post(app, f"{THREAD}/runs/wait", CHAT)
    await post(app, "/lg/threads", {"thread_id": "t2"})
    assert await runs(app) == []
    exchange = await get(app, f"{THREAD}/runs/{uuid4()}/stream")
    assert exchange.body == b"event: end\ndata: null\n\n"
    assert (await get(app, "/lg/threads/t3/runs")).status == 404


async def test_a_store_that_is_gone_when_a_reader_leaves_is_no_matter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = MemoryStore()
    app = app_of(resume=Resume(store=store))
    await post(app, "/lg/threads", {"thread_id": "t1"})
    run = await start(app)
    stopped = asyncio.Event()

    async def stop(run_id: str) -> None:
        stopped.set()
        raise StoreUnavailable

    path = f"{THREAD}/runs/{run['run_id']}/stream?cancel_on_disconnect=1"
    with monkeypatch.context() as patched:
        patched.setattr(store, "stop", stop)
        async with Exchange(app, "GET", path) as leaving:
            await leaving.until(b"w1 ")
            leaving.disconnect()
        await asyncio.wait_for(stopped.wait(), 5)
    assert (await run_of(app, run["run_id"]))["status"] == "running"
    await cancel(app, run["run_id"], "?wait=1")
