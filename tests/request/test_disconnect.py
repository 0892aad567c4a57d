"""A client that leaves while a function of the route still works ends that too."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import Runnable, RunnableLambda
from starlette.requests import Request

from asgi_stream import StreamApp, StreamRoute
from asgi_stream._request.disconnect import WATCH_AFTER_SECONDS, unless_left
from asgi_stream._request.unread_body import AHEAD_BYTES, RequestBody

from ..asgi import JSON, Exchange, frames
from ..clients import Connection, Notes, new_key, until
from ..guarantees.probes import noted
from ..servers import ALL_SERVERS, serving

pytestmark = pytest.mark.anyio

ECHO: Runnable[Any, Any] = RunnableLambda(lambda value: value)
NAMES = ["authorize", "configure", "function", "generator"]


async def slowly(request: Request) -> Any:
    with noted(request.headers["x-key"], "hook"):
        await asyncio.sleep(20)


async def made(request: Request) -> Runnable[Any, Any]:
    await slowly(request)
    return ECHO


async def opened(request: Request) -> AsyncIterator[Runnable[Any, Any]]:
    await slowly(request)
    yield ECHO


app = StreamApp(
    [
        StreamRoute("/authorize", ECHO, authorize=slowly),
        StreamRoute("/configure", ECHO, configure=slowly),
        StreamRoute("/function", made),
        StreamRoute("/generator", opened),
    ]
)


@pytest.mark.parametrize("server", ALL_SERVERS)
async def test_what_a_request_waits_for_stops_when_its_client_leaves(
    server: str, tmp_path: Path
) -> None:
    notes = Notes(tmp_path / "notes")
    with serving(f"{__name__}:app", tmp_path, server, {"PROBE_LOG": str(tmp_path / "notes")}) as on:
        for name in NAMES:
            key = new_key(name)
            async with await Connection.post(on.port, f"/{name}", "hi", f"X-Key: {key}") as client:
                await until(lambda key=key: notes.of(key, "start"))  # type: ignore[misc]
                client.leave()
            await until(lambda key=key: notes.of(key, "cancel"), 1)  # type: ignore[misc]
        assert "Traceback" not in on.log()


async def never(*_: Any) -> Any:
    await asyncio.Event().wait()


def received(*headers: tuple[bytes, bytes]) -> tuple[asyncio.Queue[Any], RequestBody]:
    """The body of a request, and the queue of what its server receives of it."""
    messages: asyncio.Queue[Any] = asyncio.Queue()
    return messages, RequestBody({"type": "http", "headers": headers}, messages.get, never, None)


class Hook:
    """Waits until it is told to go on, and says what became of it."""

    def __init__(self) -> None:
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()
        self.cancelled = False
        self.reads = False

    async def __call__(self, request: Request) -> None:
        self.begun.set()
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        if self.reads:
            await request.body()


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_the_function_is_cancelled_and_nothing_is_sent(method: str) -> None:
    hook = Hook()
    route = StreamRoute("/", ECHO, authorize=hook, methods=["POST", "GET"])
    async with Exchange(StreamApp([route]), method, "/?input=1", 1, headers=JSON) as exchange:
        await hook.begun.wait()
        exchange.disconnect()
        await exchange.finished()
    assert hook.cancelled
    assert exchange.messages == []


@pytest.mark.parametrize("reads", [False, True])
async def test_what_was_received_meanwhile_is_not_lost(reads: bool) -> None:
    hook = Hook()
    hook.reads = reads
    app = StreamApp([StreamRoute("/", ECHO, authorize=hook)])
    headers = {**JSON, "transfer-encoding": "chunked"}
    start = b'["' + b"x" * AHEAD_BYTES + b'",'
    async with Exchange(app, "POST", "/", start, headers=headers) as exchange:
        first = exchange.received.get_nowait()
        exchange.received.put_nowait({**first, "more_body": True})
        await hook.begun.wait()
        await asyncio.sleep(2 * WATCH_AFTER_SECONDS)
        assert exchange.received.empty()
        exchange.received.put_nowait({**first, "body": b" 1", "more_body": True})
        exchange.received.put_nowait({**first, "body": b"]"})
        await asyncio.sleep(WATCH_AFTER_SECONDS)
        assert exchange.received.qsize() == 2  # and not more than that
        hook.go_on.set()
        await exchange.finished()
    [said, _] = frames(exchange.body)
    assert json.loads(said["token"]) == ["x" * AHEAD_BYTES, 1]


async def test_a_client_that_waits_for_100_is_not_told_it_before_its_body_is_wanted() -> None:
    hook = Hook()
    app = StreamApp([StreamRoute("/", ECHO, authorize=hook)])
    headers = {**JSON, "expect": "100-continue", "content-length": "4"}
    async with Exchange(app, "POST", "/", "hi", headers=headers) as exchange:
        await hook.begun.wait()
        await asyncio.sleep(2 * WATCH_AFTER_SECONDS)
        assert exchange.received.qsize() == 1
        hook.go_on.set()
        await exchange.finished()
    assert b"hi" in exchange.body


async def test_a_function_that_ignores_its_end_is_heard_and_its_answer_is_not_sent() -> None:
    async def stubborn(request: Request) -> None:
        begun.set()
        try:
            await asyncio.sleep(20)
        except asyncio.CancelledError:
            return

    begun = asyncio.Event()
    app = StreamApp([StreamRoute("/", ECHO, authorize=stubborn)])
    async with Exchange(app, "POST", "/", "hi", headers=JSON) as exchange:
        await begun.wait()
        exchange.disconnect()
        await exchange.finished()
    assert not app._loops.current.streams


async def test_another_s_cancellation_is_passed_on() -> None:
    """As hypercorn cancels a request, or a server that goes away."""
    _, body = received()
    task = asyncio.ensure_future(unless_left(never(), body))
    await asyncio.sleep(2 * WATCH_AFTER_SECONDS)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_client_that_leaves_as_the_work_ends_ends_nothing_else() -> None:
    messages, body = received()

    async def work() -> str:
        await asyncio.sleep(2 * WATCH_AFTER_SECONDS)
        messages.put_nowait({"type": "http.disconnect"})
        return "done"

    assert await unless_left(work(), body) == "done"


async def test_who_reads_the_body_hears_first_that_its_client_has_left() -> None:
    messages, body = received((b"content-length", b"4"))
    reading, leaving = (asyncio.ensure_future(each) for each in (body.receive(), body.left()))
    await asyncio.sleep(0.01)
    messages.put_nowait({"type": "http.disconnect"})
    assert await reading == {"type": "http.disconnect"}
    await leaving


async def test_what_the_watch_receives_goes_to_who_waits_for_it() -> None:
    messages, body = received((b"content-length", b"4"))
    leaving, reading = (asyncio.ensure_future(each) for each in (body.left(), body.receive()))
    await asyncio.sleep(0.01)
    part = {"type": "http.request", "body": b"true"}
    messages.put_nowait(part)
    assert await reading == part
    messages.put_nowait({"type": "http.disconnect"})
    await leaving
