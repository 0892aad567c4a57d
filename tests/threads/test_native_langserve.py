"""Threads of LangServe's clients."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from asgi_stream import StreamApp, StreamRoute
from benchmarks.serving import langserve

from ..asgi import call, get, post
from ..servers import Server, serving
from .native_graphs import asks, counts, graph_of

pytestmark = pytest.mark.anyio

HERE = Path(__file__).parent
HI = {"messages": [["human", "hi"]]}
ANN = {"x-user": "ann"}
FIRST = "input: the first run on a thread needs one"

app = StreamApp(
    [
        StreamRoute("/counts", graph_of(counts)),
        StreamRoute("/asks", graph_of(asks)),
        StreamRoute("/stops", graph_of(counts), astream_kwargs={"interrupt_before": ["counts"]}),
    ],
    format="langserve",
    threads=True,
    authorize=lambda request: request.headers.get("x-user"),
)


def on(thread: Any, input: Any = HI) -> dict[str, Any]:
    return {"input": input, "config": {"configurable": {"thread_id": thread}}}


async def test_the_config_s_thread_remembers_for_its_owner() -> None:
    for n, endpoint in enumerate(("invoke", "stream", "stream_events")):
        response = await post(app, f"/counts/{endpoint}", on("a"), headers=ANN)
        assert response.headers["x-thread-id"] == "a"
        assert f"{2 * n + 1} so far" in response.body.decode()
    assert b"1 so far" in (await post(app, "/counts/invoke", on("a"))).body
    state = await get(app, "/counts/threads/a/state", headers=ANN)
    assert len(state.json()["values"]["messages"]) == 6
    bob = await get(app, "/counts/threads/a/state", headers={"x-user": "bob"})
    assert (bob.status, bob.json()["code"]) == (404, "not_found")
    listed = (await get(app, "/counts/threads", headers=ANN)).json()["threads"]
    assert [each["thread_id"] for each in listed] == ["a"]
    assert (await post(app, "/counts/threads/a", HI, headers=ANN)).status == 405
    assert (await call(app, "DELETE", "/counts/threads/a", headers=ANN)).status == 204


@pytest.mark.parametrize("endpoint", ["invoke", "stream", "stream_events"])
async def test_null_goes_on_from_where_the_thread_stands(endpoint: str) -> None:
    first = await post(app, f"/stops/{endpoint}", on(endpoint))
    assert b"so far" not in first.body
    response = await post(app, f"/stops/{endpoint}", on(endpoint, None))
    assert response.status == 200
    assert b"1 so far" in response.body
    new = await post(app, f"/stops/{endpoint}", on(f"no {endpoint}", None))
    assert (new.status, new.json()["message"]) == (422, FIRST)


async def test_interrupts_come_as_the_runnable_has_them() -> None:
    output = (await post(app, "/asks/invoke", on("b"))).json()["output"]
    [interrupt] = output["__interrupt__"]
    assert interrupt["value"] == "Sure?"
    streamed = await post(app, "/asks/stream", on("c"))
    assert b'{"__interrupt__":[{"value":"Sure?"' in streamed.body
    answer = on("b", {"resume": {interrupt["id"]: "yes"}})
    output = (await post(app, "/asks/invoke", answer)).json()["output"]
    assert output["messages"][-1]["content"] == "You said yes"
    again = await post(app, "/asks/invoke", answer)
    assert (again.status, again.json()["code"]) == (409, "not_pending")


@pytest.mark.parametrize(
    ("endpoint", "body", "field"),
    [
        ("invoke", on(7), "config.configurable.thread_id"),
        ("invoke", on(""), "thread_id"),
        ("invoke", on("x" * 1001), "thread_id"),
        ("batch", {"inputs": [HI], "config": on("a")["config"]}, "thread_id"),
        ("batch", {"inputs": [HI]}, "thread_id"),
    ],
)
async def test_what_a_thread_cannot_do_is_refused(endpoint: str, body: Any, field: str) -> None:
    response = await post(app, f"/counts/{endpoint}", body)
    assert response.status == 422
    [detail] = response.json()["detail"]
    assert detail["loc"] == ["body", *field.split(".")]
    if endpoint == "batch":
        assert detail["msg"] == "a thread takes one input at a time, not a batch"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("langserve")
    with serving("tests.threads.test_native_langserve:app", folder) as started:
        yield started


async def test_the_python_client_talks_on_a_thread(server: Server) -> None:
    python = await asyncio.to_thread(langserve)
    command = [str(python), str(HERE / "native_langserve_client.py"), server.url]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    result = json.loads(done.stdout)
    assert result["counts"] == ["1 so far", "3 so far", "5 so far"]
    assert result["value"] == "Sure?"
    assert result["answered"] == "You said yes"
    assert "409" in result["again"]
    assert "one input at a time" in result["batch"]
