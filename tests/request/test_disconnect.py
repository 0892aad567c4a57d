"""A disconnect cancels the functions of a route while they are running."""

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
from asgi_stream._request.disconnect import WATCH_AFTER_SECONDS, cancel_if_disconnected
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
async def test_a_disconnect_cancels_what_a_request_waits_for(server: str, tmp_path: Path) -> None:
    notes = Notes(tmp_path / "notes")
    with serving(f"{__name__}:app", tmp_path, server, {"PROBE_LOG": str(tmp_path / "notes")}) as on:
        for name in NAMES:
            key = new_key(name)
            async with await Connection.post(on.port, f"/{name}", "hi", f"X-Key: {key}") as client:
                await until(lambda key=key: notes.of(key, "start"))  # type: ignore[misc]
                client.leave()
            await until(lambda key=key: notes.of(key, "cancel"), 5)  # type: ignore[misc]
        assert "Traceback" not in on.log()


async def never(*_: Any) -> Any:
    await asyncio.Event().wait()


def body_of(*headers: tuple[bytes, bytes]) -> tuple[asyncio.Queue[Any], RequestBody]:
    """Return the queue of messages that the server receives, and the body that reads them."""
    messages: asyncio.Queue[Any] = asyncio.Queue()
    return messages, RequestBody({"type": "http", "headers": headers}, messages.get, never, None)


class Hook:
    """Waits until `go_on` is set, and records whether it was cancelled."""

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
async def test_a_disconnect_cancels_the_function_and_is_no_error(method: str) -> None:
    hook = Hook()
    route = StreamRoute("/", ECHO, authorize=hook, methods=["POST", "GET"])
    async with Exchange(StreamApp([route]), method, "/?input=1", 1, headers=JSON) as exchange:
        await hook.begun.wait()
        exchange.disconnect()
        await exchange.finished()
    assert hook.cancelled
    assert exchange.status == 499


@pytest.mark.parametrize("reads", [False, True])
async def test_what_the_watch_receives_is_not_lost(reads: bool) -> None:
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
    [frame, _] = frames(exchange.body)
    assert json.loads(frame["token"]) == ["x" * AHEAD_BYTES, 1]


async def test_100_continue_is_not_sent_before_the_body_is_read() -> None:
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


async def test_a_function_that_ignores_its_cancellation_sends_nothing() -> None:
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


async def test_a_cancellation_by_the_server_is_propagated() -> None:
    """As hypercorn cancels a request, or a server that is stopped."""
    _, body = body_of()
    task = asyncio.ensure_future(cancel_if_disconnected(never(), body))
    await asyncio.sleep(2 * WATCH_AFTER_SECONDS)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_disconnect_as_the_work_ends_changes_nothing() -> None:
    messages, body = body_of()

    async def work() -> str:
        await asyncio.sleep(2 * WATCH_AFTER_SECONDS)
        messages.put_nowait({"type": "http.disconnect"})
        return "done"

    assert await cancel_if_disconnected(work(), body) == "done"


async def test_a_pending_receive_gets_the_disconnect_first() -> None:
    messages, body = body_of((b"content-length", b"4"))
    reading, leaving = (
        asyncio.ensure_future(each) for each in (body.receive(), body.wait_for_disconnect())
    )
    await asyncio.sleep(0.01)
    messages.put_nowait({"type": "http.disconnect"})
    assert await reading == {"type": "http.disconnect"}
    await leaving


async def test_a_pending_receive_gets_what_the_watch_receives() -> None:
    messages, body = body_of((b"content-length", b"4"))
    leaving, reading = (
        asyncio.ensure_future(each) for each in (body.wait_for_disconnect(), body.receive())
    )
    await asyncio.sleep(0.01)
    part = {"type": "http.request", "body": b"true"}
    messages.put_nowait(part)
    assert await reading == part
    messages.put_nowait({"type": "http.disconnect"})
    await leaving
