"""`asgi_stream.testing`, as a user's own tests use it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from asgi_stream import StreamApp, StreamRoute
from asgi_stream.stores import Page, Quota
from asgi_stream.stores.memory import MemoryStore
from asgi_stream.testing import (
    STORE_CHECKS,
    Exchange,
    Frame,
    RecordingFollower,
    RecordingProducer,
    request,
    store_contract,
)

from .models import chain_of

pytestmark = pytest.mark.anyio

ASK = {"question": "Hi?"}
START = {"type": "http.response.start", "status": 200, "headers": [(b"x-a", b"1")]}


def chat(*script: Any) -> StreamApp:
    return StreamApp([StreamRoute("/chat", chain_of(*script))])


def piecewise(*pieces: bytes, then: Exception | None = None) -> Any:
    """An app whose response is `pieces`, each sent when the last has had its turn."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            await asyncio.sleep(0)
        if then is not None:
            raise then
        await send({"type": "http.response.body"})

    return app


async def frames_of(*pieces: bytes) -> list[Frame]:
    async with Exchange(piecewise(*pieces), "GET", "/") as response:
        return [frame async for frame in response.frames()]


def example_of(documented: Any) -> str:
    """The code of a docstring's Example, without its indentation."""
    code = (documented.__doc__ or "").partition("::\n\n")[2]
    indent = min(len(line) - len(line.lstrip()) for line in code.splitlines() if line.strip())
    lines = [line[indent:] for line in code.splitlines()]
    return "\n".join(lines)


async def test_a_request_has_its_whole_response() -> None:
    response = await request(chat("Hel", "lo"), "POST", "/chat", json=ASK)
    assert response.status == 200
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.body.endswith(b"data: [DONE]\n\n")
    response = await request(chat("Hel", "lo"), "GET", "/health")
    assert response.json() == {"status": "ok"}


async def test_frames_are_read_as_they_come_until_the_client_disconnects() -> None:
    closed = asyncio.Event()

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(START)
        await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
        message = await receive()
        assert message == {"type": "http.disconnect"}
        closed.set()

    async with Exchange(endless, "GET", "/") as response:
        async for frame in response.frames():
            assert frame == Frame("1")
            assert not closed.is_set()
            break
        response.disconnect()
        await asyncio.wait_for(closed.wait(), 5)
    assert len(response.messages) == 2


async def test_frames_are_what_a_browser_reads() -> None:
    pieces = (
        b": ping\n",
        b"id: 7\nevent: a\ndata: 1",
        b"\ndata:2\n\n: x\n\ndata: ",
        b'{"a": 1}\n\nda',
    )
    first, second = await frames_of(*pieces)
    assert first == Frame("1\n2", event="a", id="7")
    assert second.json() == {"a": 1}
    assert await frames_of(b"data: a\n\ndata: b\n\n") == [Frame("a"), Frame("b")]
    assert await frames_of() == []


async def test_the_body_is_waited_for_piece_by_piece() -> None:
    async with Exchange(piecewise(b"a", b"b", b"c"), "GET", "/") as response:
        assert await response.until(b"b") in (b"ab", b"abc")
        assert (await response.finished()).body == b"abc"
        assert await response.until(b"c") == b"abc"
        with pytest.raises(AssertionError, match="ended without b'd': b'abc'"):
            await response.until(b"d")


async def test_a_stalled_client_accepts_nothing_until_it_resumes() -> None:
    async with Exchange(piecewise(b"a"), "GET", "/", stalled=True, timeout=0.5) as response:
        with pytest.raises(TimeoutError):
            await response.started()
        assert response.messages == []
        response.resume()
        assert (await response.started()).headers == {"x-a": "1"}
        await response.until(b"a")


async def test_errors_of_the_app_reach_the_test() -> None:
    with pytest.raises(LookupError):
        await request(piecewise(b"a", then=LookupError()), "GET", "/")
    response = Exchange(piecewise(b"a", then=LookupError()), "GET", "/")
    await response.__aenter__()
    with pytest.raises(LookupError):
        await response.until(b"never")


async def test_an_app_without_a_response_and_an_exchange_without_a_start_are_errors() -> None:
    async def silent(scope: Scope, receive: Receive, send: Send) -> None:
        pass

    async with Exchange(silent, "GET", "/") as response:
        with pytest.raises(AssertionError, match="without a response"):
            await response.started()
    with pytest.raises(RuntimeError, match="async with"):
        await Exchange(silent, "GET", "/").finished()


async def test_an_app_that_ignores_the_disconnect_is_cancelled_in_the_end() -> None:
    async def deaf(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        async with Exchange(deaf, "GET", "/", timeout=0.05):
            pass


async def test_a_request_is_what_a_server_makes_of_it() -> None:
    seen: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen[:] = [scope, await receive()]
        await piecewise()(scope, receive, send)

    url = "/ai/a%20b?c=%20d"
    await request(app, "PUT", url, json=[1], headers={"X-A": "1"}, root_path="/ai")
    scope, body = seen
    assert (scope["method"], scope["path"], scope["root_path"]) == ("PUT", "/ai/a b", "/ai")
    assert scope["query_string"] == b"c=%20d"
    assert dict(scope["headers"]) == {b"x-a": b"1", b"content-type": b"application/json"}
    assert body == {"type": "http.request", "body": b"[1]", "more_body": False}
    await request(app, "PUT", "/", json={}, headers={"Content-Type": "text/plain"})
    assert dict(seen[0]["headers"]) == {b"content-type": b"text/plain"}
    await request(app, "PUT", "/", content=b"x")
    assert (seen[0]["headers"], seen[1]["body"]) == ([], b"x")


@pytest.mark.parametrize("documented", [Exchange, request])
async def test_the_examples_work(documented: Any) -> None:
    body = example_of(documented).replace("\n", "\n    ")
    names: dict[str, Any] = {"app": chat("Hel", "lo"), "Exchange": Exchange, "request": request}
    exec(f"async def example():\n    {body}", names)
    await names["example"]()


class MyStore(MemoryStore):
    """A store of a user's own."""


async def test_the_contract_runs_on_a_store_of_a_users_own() -> None:
    names: dict[str, Any] = {"MyStore": MyStore}
    exec(example_of(store_contract), names)
    test = names["test_my_store"]
    [parameters] = [mark for mark in test.pytestmark if mark.name == "parametrize"]
    assert parameters.args == ("check", STORE_CHECKS)
    for check in STORE_CHECKS:
        await test(check)


class Unlimited(MyStore):
    async def create(self, producer: Any, *, quota: Quota | None = None, **options: Any) -> str:
        return await super().create(producer, **options)


class Forgetful(MyStore):
    async def read(self, run_id: str, after: int) -> Page | None:
        return None


class Overeager(MyStore):
    async def finalize_orphan(self, *arguments: Any) -> None:
        pass


class Repeating(MyStore):
    def append(self, run_id: str, first: int, *arguments: Any, **options: Any) -> bool:
        return super().append(run_id, 1, *arguments, **options)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (Unlimited, "quotas_count_unfinished_runs"),
        (Forgetful, "frames_are_read_from_any_position"),
        (Overeager, "live_runs_are_not_finalized_as_orphans"),
        (Repeating, "followers_get_new_frames"),
    ],
)
async def test_a_store_that_breaks_a_promise_fails_its_check(
    kind: type[MyStore], name: str
) -> None:
    store = kind()
    [check] = [check for check in STORE_CHECKS if check.__name__ == name]
    with pytest.raises(AssertionError):
        await check(store, store)


async def test_a_follower_and_a_producer_record_errors() -> None:
    class Full(MyStore):
        def append(self, run_id: str, *arguments: Any, **options: Any) -> bool:
            asyncio.get_running_loop().call_soon(producer.written, OSError())
            return False

    producer, follower = RecordingProducer(Full()), RecordingFollower()
    await producer.create()
    await producer.append(b"a")
    assert [type(error) for error in producer.errors] == [OSError]
    follower.lost(LookupError())
    assert [type(error) for error in follower.errors] == [LookupError]


def test_it_needs_no_pytest_and_no_extra() -> None:
    code = """
import sys
for name in ("pytest", "httpx", "redis", "click", "opentelemetry", "langgraph"):
    sys.modules[name] = None
import asgi_stream.testing
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
