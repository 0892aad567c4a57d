"""That the server has stopped listening is seen, whichever server and event loop it is."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import hypercorn.asyncio
import pytest
import uvicorn
from hypercorn.config import Config
from langchain_core.runnables import RunnableGenerator
from starlette.types import ASGIApp

from asgi_stream import Limits, StreamApp, StreamRoute, server_sockets
from asgi_stream.server_sockets import ServerSockets

from .clients import Connection, until
from .servers import free_port

pytestmark = pytest.mark.anyio


async def endless(values: AsyncIterator[str]) -> AsyncIterator[str]:
    async for _ in values:
        while True:
            yield "tick "
            await asyncio.sleep(0.01)


def new_app() -> StreamApp:
    return StreamApp([StreamRoute("/", RunnableGenerator(endless), limits=Limits(hold=0))])


@asynccontextmanager
async def uvicorn_task(app: ASGIApp, port: int) -> AsyncIterator[uvicorn.Server]:
    """A uvicorn on this loop, without a lifespan, as a test of a user's may have it."""
    config = uvicorn.Config(app, "127.0.0.1", port, lifespan="off", log_level="error")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    try:
        await until(lambda: server.started)
        yield server
    finally:
        server.should_exit = True
        async with asyncio.timeout(5):
            await task


async def test_a_server_s_own_api_stops_it(monkeypatch: pytest.MonkeyPatch) -> None:
    app, port = new_app(), free_port()
    for _ in range(2):  # another server on the same loop serves the app again
        async with uvicorn_task(app, port) as server:
            async with await Connection.post(port, "/", "x") as client:
                await client.read_until(b"tick")
                server.should_exit = True
                await client.read_until(b"shutdown")
                assert (await client.read_until(b"0\r\n\r\n")).count(b"[DONE]") == 1
            await until(lambda: app._here().closing)
    async with uvicorn_task(app, port):
        async with await Connection.post(port, "/", "x") as client:
            await client.read_until(b"tick")
        assert not app._here().closing


async def test_a_server_in_another_thread_is_stopped_by_its_api() -> None:
    port = free_port()
    config = uvicorn.Config(new_app(), "127.0.0.1", port, lifespan="off", log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        await until(lambda: server.started)
        async with await Connection.post(port, "/", "x") as client:
            await client.read_until(b"tick")
            server.should_exit = True
            await client.read_until(b"shutdown")
            await client.read_until(b"0\r\n\r\n")
    finally:
        server.should_exit = True
        await asyncio.to_thread(thread.join, 5)
    assert not thread.is_alive()


async def test_hypercorn_is_stopped_by_its_api() -> None:
    port, stop = free_port(), asyncio.Event()
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.graceful_timeout = 5
    task = asyncio.create_task(
        hypercorn.asyncio.serve(new_app(), config, shutdown_trigger=stop.wait)  # type: ignore[arg-type]
    )
    await until(lambda: _accepts(port))
    async with await Connection.post(port, "/", "x") as client:
        await client.read_until(b"tick")
        stop.set()
        await client.read_until(b"shutdown")
        await client.read_until(b"0\r\n\r\n")
    async with asyncio.timeout(4):
        await task


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


async def test_a_server_that_has_ended_does_not_count_as_stopping() -> None:
    """Its handlers have gone, and what it was asked is no news of the next server."""
    app, port = new_app(), free_port()
    before = signal.getsignal(signal.SIGTERM)
    async with uvicorn_task(app, port), await Connection.post(port, "/", "x") as client:
        await client.read_until(b"tick")
    assert signal.getsignal(signal.SIGTERM) == before
    assert not app._asked_to_stop()


def test_sockets_are_found_by_the_port_or_the_path(tmp_path: Path) -> None:
    found = ServerSockets()
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        found.note(tcp.getsockname())
        path = str(tmp_path / "socket")
        unix.bind(path)
        unix.listen()
        found.note((path, None))
        assert not found.closed
        tcp.close()
        assert not found.closed  # the other one still listens
        unix.close()
        assert found.closed


def test_a_socket_that_has_taken_the_number_of_another_is_not_it() -> None:
    found = ServerSockets()
    first = socket.create_server(("127.0.0.1", 0))
    found.note(first.getsockname())
    number = first.fileno()
    with socket.create_server(("127.0.0.1", 0)) as second:
        first.close()
        os.dup2(second.fileno(), number)
        try:
            assert found.closed
        finally:
            os.close(number)


def test_a_listener_that_replaces_another_goes_on() -> None:
    """As a process that hands a port from socket to socket."""
    found = ServerSockets()
    first = socket.create_server(("127.0.0.1", 0), reuse_port=True)
    found.note(first.getsockname())
    with socket.create_server(first.getsockname(), reuse_port=True):
        first.close()
        assert not found.closed
    assert found.closed


def test_a_server_that_was_given_its_socket_closes_its_own_descriptor() -> None:
    found = ServerSockets()
    with socket.create_server(("127.0.0.1", 0)) as given:
        own = given.dup()
        found.note(given.getsockname())
        assert not found.closed
        own.close()
        assert found.closed
        assert not found.look()  # what is left is not another server's


@pytest.mark.parametrize("server", [None, ("127.0.0.1", 1), ("/nowhere", None)])
def test_what_was_never_found_is_never_closed(server: tuple[str, int | None] | None) -> None:
    found = ServerSockets()
    found.note(server)
    assert not found.closed


def test_a_system_without_a_folder_of_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_sockets, "DESCRIPTORS", None)
    found = ServerSockets()
    with socket.create_server(("127.0.0.1", 0)) as tcp:
        found.note(tcp.getsockname())
    assert not found.closed


def test_a_socket_that_is_no_stream_is_passed_over() -> None:
    found = ServerSockets()
    with socket.socket(type=socket.SOCK_DGRAM) as datagrams:
        datagrams.bind(("127.0.0.1", 0))
        found.note(datagrams.getsockname())
        assert not found.look()


def test_a_descriptor_that_is_closed_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as tcp:
        number = tcp.fileno()
        monkeypatch.setattr(server_sockets, "_inode", lambda fd: 1 if fd == number else None)
        address = tcp.getsockname()
        tcp.close()
        found = ServerSockets()
        found.note(address)
        assert not found.look()


def test_a_system_that_does_not_tell_whether_a_socket_listens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = ServerSockets()
    with socket.create_server(("127.0.0.1", 0)) as tcp:
        monkeypatch.setattr(socket, "SO_ACCEPTCONN", 2**15)
        found.note(tcp.getsockname())
        assert not found.look()
        assert tcp.fileno() >= 0  # it was looked at, not closed
        tcp.getsockname()


def test_only_so_many_addresses_are_looked_for() -> None:
    found = ServerSockets()
    for port in range(1, 2 + server_sockets.MAX_ADDRESSES):
        found.note(("127.0.0.1", port))
    with socket.create_server(("127.0.0.1", 0)) as tcp:
        found.note(tcp.getsockname())
        assert not found.look()
