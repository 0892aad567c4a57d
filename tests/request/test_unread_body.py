"""A request whose body is not read still gets its response."""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from h2.connection import H2Connection
from h2.events import DataReceived, ResponseReceived, StreamEnded
from starlette.types import Message

from asgi_stream._request import unread_body
from asgi_stream._request.unread_body import RequestBody

from ..clients import Connection
from ..guarantees.test_proxies import proxy
from ..servers import Server, serving

pytestmark = pytest.mark.anyio

SERVERS = ["uvicorn-httptools", "uvicorn-h11", "hypercorn", "granian"]
LARGE = b'"' + b"x" * 20_000_000 + b'"'
JSON = "application/json"

UNREAD = [
    # Method, path, media type, status.
    ("POST", "/stream/words", JSON, 413),
    ("POST", "/stream/words", "text/plain", 415),
    ("POST", "/stream/nowhere", JSON, 404),
    ("PUT", "/stream/words", JSON, 405),
]


@pytest.fixture(scope="module", params=SERVERS)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("request_body")
    env = {"PROBE_LOG": str(folder / "notes")}
    with serving("tests.apps:app", folder, request.param, env) as running:
        yield running


def answer(
    port: int, method: str, path: str, kind: str, body: Any, headers: dict[str, str] | None = None
) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, body, {"content-type": kind, **(headers or {})})
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


@pytest.mark.parametrize(("method", "path", "kind", "status"), UNREAD)
def test_a_large_unread_body_gets_its_response(
    server: Server, method: str, path: str, kind: str, status: int
) -> None:
    for _ in range(3):
        assert answer(server.port, method, path, kind, LARGE) == status


def test_a_large_chunked_body_gets_its_response(server: Server) -> None:
    parts = (b"x" * 65_536 for _ in range(300))
    assert answer(server.port, "POST", "/stream/words", JSON, parts) == 413


def test_the_connection_serves_the_next_request(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    for _ in range(3):
        connection.request("POST", "/stream/words", LARGE, {"content-type": JSON})
        response = connection.getresponse()
        assert (response.status, response.read()[:9]) == (413, b'{"error":')
        assert response.getheader("connection") != "close"
    connection.close()


async def test_a_client_that_expects_100_continue_is_answered_at_once(server: Server) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    async with Connection(reader, writer) as client:
        head = "POST /stream/words HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        writer.write(f"{head}Content-Length: 20000000\r\nExpect: 100-continue\r\n\r\n".encode())
        received = await client.read_until(b'"body_too_large"', 3)
    # Hypercorn sends 100 to every client that expects it, before it calls the app.
    continued = received.startswith(b"HTTP/1.1 100")
    received = received[received.index(b"HTTP/1.1 4") :]
    assert b" 413 " in received.partition(b"\r\n")[0]
    assert continued != (b"connection: close" in received.lower())


@pytest.mark.parametrize(("method", "path", "kind", "status"), UNREAD)
async def test_a_body_requested_by_100_continue_is_discarded(
    server: Server, method: str, path: str, kind: str, status: int
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    async with Connection(reader, writer) as client:
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n"
        expect = f"Content-Length: {len(LARGE)}\r\nExpect: 100-continue\r\n\r\n"
        writer.write(f"{head}{expect}".encode())
        received = await client.read_until(b"\r\n\r\n", 3)
        if received.startswith(b"HTTP/1.1 100"):
            writer.write(LARGE)
            async with asyncio.timeout(10):
                await writer.drain()
        received = await client.read_until(b'{"error":', 3)
    assert f"HTTP/1.1 {status} ".encode() in received


def test_nginx_forwards_the_response(server: Server, tmp_path: Path) -> None:
    body = LARGE[:1_000_000]  # which nginx itself takes
    with proxy("nginx", server, tmp_path) as port:
        seen = [answer(port, "POST", "/stream/small", JSON, body) for _ in range(5)]
    assert seen == [413] * 5


async def test_other_http2_streams_continue(tmp_path: Path) -> None:
    with serving("tests.apps:app", tmp_path, "hypercorn", {"PROBE_LOG": "/dev/null"}) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        async with Connection(reader, writer), asyncio.timeout(20):
            client = H2Connection()
            client.initiate_connection()
            head = {":method": "POST", ":path": "/stream/words", ":scheme": "http"}
            head |= {":authority": "x", "content-type": JSON}
            client.send_headers(1, [*head.items()])
            client.send_data(1, b'"neighbour"', end_stream=True)
            client.send_headers(3, [*head.items()])
            statuses: dict[int, str] = {}
            left, neighbour, ended = 2_000_000, b"", False
            while not ended or b'"w9 "' not in neighbour:
                while left and (room := min(client.local_flow_control_window(3), 16_000, left)):
                    left -= room
                    client.send_data(3, b"1" * room, end_stream=not left)
                writer.write(client.data_to_send())
                data = await reader.read(65_536)
                assert data, "the connection was closed"
                for event in client.receive_data(data):
                    if isinstance(event, ResponseReceived):
                        fields = {str(k, "ascii") if isinstance(k, bytes) else k: v
                                  for k, v in event.headers}  # fmt: skip
                        status = fields[":status"]
                        statuses[event.stream_id] = (
                            status.decode() if isinstance(status, bytes) else status
                        )
                    elif isinstance(event, DataReceived):
                        client.acknowledge_received_data(
                            event.flow_controlled_length, event.stream_id
                        )
                        neighbour += event.data if event.stream_id == 1 else b""
                    elif isinstance(event, StreamEnded) and event.stream_id == 3:
                        ended = True
        assert (statuses, left) == ({1: "200", 3: "413"}, 0)


# In process: the bounds.


class Exchange:
    """A fake server: the parts of a body that it has, and the messages that it was sent."""

    def __init__(self, *parts: bytes, ends: bool = True, disconnects: bool = False) -> None:
        self.parts, self.ends, self.disconnects = [*parts], ends, disconnects
        self.sent: list[Message] = []

    async def receive(self) -> Message:
        if self.parts:
            part = self.parts.pop(0)
            more = bool(self.parts) or not self.ends or self.disconnects
            return {"type": "http.request", "body": part, "more_body": more}
        if self.disconnects:
            return {"type": "http.disconnect"}
        await asyncio.Event().wait()
        raise AssertionError

    async def send(self, message: Message) -> None:
        self.sent.append(message)


async def exchange(
    server: Exchange,
    *headers: tuple[bytes, bytes],
    version: str = "1.1",
    seconds: float | None = 9,
    **more: Any,
) -> list[Message]:
    scope = {"type": "http", "http_version": version, "headers": headers, **more}
    body = RequestBody(scope, server.receive, server.send, seconds)
    _, send = body.direct()
    start = {"type": "http.response.start", "status": 404}
    await send({**start, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"no"})
    return server.sent


START, BODY = "http.response.start", "http.response.body"
CHUNKED = (b"transfer-encoding", b"chunked")
LAST = {"type": BODY, "body": b"", "more_body": False}


async def test_the_rest_of_a_body_is_discarded_before_the_end() -> None:
    server = Exchange(b"one", b"two")
    start, body, end = await exchange(server, CHUNKED)
    assert (start["headers"], server.parts) == ([], [])
    assert body == {"type": BODY, "body": b"no", "more_body": True}
    assert end == LAST


async def test_a_request_without_a_body_is_unchanged() -> None:
    start, body = await exchange(Exchange(), (b"content-length", b"0"))
    assert start["headers"] == [(b"content-length", b"2")]
    assert body == {"type": BODY, "body": b"no"}


@pytest.mark.parametrize(
    "headers",
    [
        [CHUNKED, (b"expect", b"100-Continue")],
        [(b"content-length", b"67108865")],
        [(b"content-length", b"9" * 5000)],
    ],
)
async def test_a_body_that_is_not_discarded_closes_the_connection(headers: Any) -> None:
    server = Exchange(b"one")
    start, body = await exchange(server, *headers)
    assert start["headers"][-1] == (b"connection", b"close")
    assert (body, server.parts) == ({"type": BODY, "body": b"no"}, [b"one"])


@pytest.mark.parametrize(("version", "left"), [("1.1", []), ("2", [b"one"])])
async def test_hypercorn_sends_100_continue_itself(version: str, left: list[bytes]) -> None:
    server = Exchange(b"one")
    headers = [CHUNKED, (b"expect", b"100-continue")]
    await exchange(server, *headers, version=version, asgi={"spec_version": "2.1"})
    assert server.parts == left


async def test_http2_has_no_connection_header() -> None:
    start, *_ = await exchange(Exchange(b"one"), (b"content-length", b"67108865"), version="2")
    assert start["headers"] == [(b"content-length", b"2")]


async def test_after_100_continue_the_rest_is_discarded() -> None:
    server = Exchange(b"one", b"two")
    scope = {"type": "http", "headers": [CHUNKED, (b"expect", b"100-continue")]}
    body = RequestBody(scope, server.receive, server.send, None)
    await body.receive()
    await body.send({"type": BODY, "body": b"no"})
    assert (server.parts, server.sent[-1]) == ([], LAST)


async def test_a_body_that_was_read_changes_nothing() -> None:
    server = Exchange(b"one")
    body = RequestBody({"type": "http", "headers": [CHUNKED]}, server.receive, server.send, None)
    await body.receive()
    await body.send({"type": BODY, "body": b"no"})
    assert server.sent == [{"type": BODY, "body": b"no"}]


async def test_silence_ends_the_discarding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unread_body, "SILENCE_SECONDS", 0.01)
    assert (await exchange(Exchange(b"one", ends=False), CHUNKED))[-1] == LAST


async def test_the_receive_timeout_ends_the_discarding() -> None:
    assert (await exchange(Exchange(b"one", ends=False), CHUNKED, seconds=0.01))[-1] == LAST


async def test_a_body_without_an_end_is_discarded_up_to_the_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(unread_body, "DISCARDED_BYTES", 5)
    server = Exchange(b"one", b"two", b"three")
    assert (await exchange(server, CHUNKED))[-1] == LAST
    assert server.parts == [b"three"]


async def test_a_disconnected_client_is_sent_no_end() -> None:
    sent = await exchange(Exchange(b"one", disconnects=True), CHUNKED)
    assert sent[-1]["more_body"] is True


async def test_a_part_received_by_another_task_counts() -> None:
    gate = asyncio.Event()

    async def receive() -> Message:
        await gate.wait()
        return {"type": "http.request", "body": b"", "more_body": False}

    server = Exchange()
    body = RequestBody({"type": "http", "headers": [CHUNKED]}, receive, server.send, None)
    listener = asyncio.create_task(body.receive())
    await asyncio.sleep(0)
    answering = asyncio.create_task(body.send({"type": BODY, "body": b"no"}))
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(listener, answering)
    assert server.sent[-1] == LAST
