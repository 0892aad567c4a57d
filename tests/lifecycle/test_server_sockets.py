"""A server that stops listening is noticed, whichever server and event loop it is."""

from __future__ import annotations

import asyncio
import errno
import os
import select
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import hypercorn.asyncio
import pytest
import uvicorn
from hypercorn.config import Config
from langchain_core.runnables import RunnableGenerator
from starlette.types import ASGIApp

from asgi_stream import Limits, StreamApp, StreamRoute
from asgi_stream._lifecycle import server_sockets
from asgi_stream._lifecycle.active import ActiveRuns
from asgi_stream._lifecycle.server_sockets import ServerSockets

from ..clients import Connection, until
from ..servers import free_port

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
    """Run uvicorn on this loop, without a lifespan, as a user's test may do."""
    config = uvicorn.Config(app, "127.0.0.1", port, lifespan="off", log_level="error")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    try:
        await until(lambda: server.started)
        yield server
    finally:
        server.should_exit = True
        async with asyncio.timeout(20):
            await task


async def test_a_server_s_own_api_stops_it() -> None:
    app, port = new_app(), free_port()
    for _ in range(2):  # another server on the same loop serves the app again
        async with uvicorn_task(app, port) as server:
            async with await Connection.post(port, "/", "x") as client:
                await client.read_until(b"tick")
                server.should_exit = True
                await client.read_until(b"shutdown")
                assert (await client.read_until(b"0\r\n\r\n")).count(b"[DONE]") == 1
            await until(lambda: app._loops.current.closing)
    async with uvicorn_task(app, port):
        async with await Connection.post(port, "/", "x") as client:
            await client.read_until(b"tick")
        assert not app._loops.current.closing


async def test_a_run_without_a_reader_ends_when_the_last_server_has_gone() -> None:
    routes = [StreamRoute("/", RunnableGenerator(endless), limits=Limits(hold=0), resume=True)]
    app, port = StreamApp(routes, signals=False), free_port()
    async with uvicorn_task(app, port) as server:
        async with await Connection.post(port, "/", "x") as client:
            await client.read_until(b"tick")
        await until(lambda: not app._loops.current.streams)
        assert app._loops.current.runs
        server.should_exit = True
        await until(lambda: not app._loops.current.runs)


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


async def stopped(server: uvicorn.Server, client: Connection) -> None:
    """Check that the stream ends properly when the server stops."""
    server.should_exit = True
    await client.read_until(b"shutdown")
    assert (await client.read_until(b"0\r\n\r\n")).count(b"[DONE]") == 1


async def test_of_two_servers_in_two_threads_one_may_stop() -> None:
    """Two servers on two loops, neither with a signal handler."""
    app, ports = new_app(), [free_port(), free_port()]
    servers = [
        uvicorn.Server(uvicorn.Config(app, "127.0.0.1", port, lifespan="off", log_level="error"))
        for port in ports
    ]
    threads = [threading.Thread(target=server.run) for server in servers]
    for thread in threads:
        thread.start()
    try:
        await until(lambda: all(server.started for server in servers))
        async with (
            await Connection.post(ports[0], "/", "x") as one,
            await Connection.post(ports[1], "/", "x") as other,
        ):
            await one.read_until(b"tick")
            await other.read_until(b"tick")
            await stopped(servers[0], one)
            await asyncio.to_thread(threads[0].join, 5)
            async with await Connection.post(ports[1], "/", "x") as more:
                # Longer than it would take to end them.
                while more.received.count(b"tick") < 100:
                    more.received += await more.reader.read(65_536)
            other.received += await other.reader.read(65_536)
            assert b"shutdown" not in other.received
            await stopped(servers[1], other)
    finally:
        for server in servers:
            server.should_exit = True
        for thread in threads:
            await asyncio.to_thread(thread.join, 5)
    assert not any(thread.is_alive() for thread in threads)


async def test_a_reader_that_comes_while_the_server_goes_is_told() -> None:
    here, stream = ActiveRuns(), Ended()
    with listening() as (tcp, _):
        address = tcp.getsockname()
        here.note(address)
        assert not here.ends(address)
        tcp.close()
    here.add(stream, address)
    assert stream.ended


class Ended:
    ended = False

    def shut_down(self) -> None:
        self.ended = True


@contextmanager
def listening(
    family: int = socket.AF_INET, address: object = ("127.0.0.1", 0)
) -> Iterator[tuple[socket.socket, select.epoll]]:
    """A socket like a server's: it listens, and an event loop polls it."""
    with socket.socket(family) as listener, select.epoll() as loop:
        listener.bind(address)  # type: ignore[arg-type]
        listener.listen()
        loop.register(listener.fileno(), select.EPOLLIN)
        yield listener, loop


def test_each_address_goes_by_itself(tmp_path: Path) -> None:
    watched, path = ServerSockets(), str(tmp_path / "socket")
    with listening() as (tcp, _), listening(socket.AF_UNIX, path) as (unix, _):
        at, by_path = tcp.getsockname(), (path, None)
        for address in (at, by_path, None):
            watched.note(address)
            assert not watched.gone(address)
        tcp.close()
        assert watched.gone(at)
        assert not watched.gone(by_path)
        assert not watched.all_gone
        unix.close()
        assert watched.gone(by_path)
        assert watched.gone(None)  # the address of any Unix socket
        assert watched.all_gone


def test_the_kernel_pads_small_inodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine that has just started; the one of the test has larger ones."""
    path, table = str(tmp_path / "socket"), tmp_path / "unix"
    monkeypatch.setattr(server_sockets, "UNIX_SOCKETS", str(table))
    watched = ServerSockets()
    with listening(socket.AF_UNIX, path) as (unix, _):
        inode = os.fstat(unix.fileno()).st_ino
        lines = Path("/proc/self/net/unix").read_text(errors="surrogateescape")
        table.write_text(lines.replace(f" {inode} ", f"   {inode} "), errors="surrogateescape")
        watched.note((path, None))
        watched.note(None)
    assert watched.gone((path, None))
    assert watched.gone(None)


def test_the_name_of_a_socket_may_be_anything(tmp_path: Path) -> None:
    watched, path = ServerSockets(), str(tmp_path / " two  words ")
    with (
        listening(socket.AF_UNIX, "\0of another\nprocess\r "),
        listening(socket.AF_UNIX, path),
    ):
        watched.note((path, None))
        watched.note(None)
    assert watched.gone((path, None))
    assert watched.gone(None)


@pytest.mark.parametrize("bound", ["0.0.0.0", "::", "::1", "127.0.0.1"])
def test_a_host_is_the_one_that_is_bound_or_any(bound: str) -> None:
    v6 = ":" in bound
    with listening(socket.AF_INET6 if v6 else socket.AF_INET, (bound, 0)) as (tcp, _):
        port = tcp.getsockname()[1]
        hosts = {
            "0.0.0.0": ["127.0.0.1", "10.0.0.1", "::ffff:127.0.0.1", "localhost"],
            "::": ["::1", "127.0.0.1", "::ffff:127.0.0.1", "localhost"],
            "::1": ["::1", "localhost"],
            "127.0.0.1": ["127.0.0.1", "::ffff:127.0.0.1", "localhost"],
        }[bound]
        watched = ServerSockets()
        for host in hosts:
            watched.note((host, port))
        elsewhere = ("127.0.0.2", port)
        if bound in ("::1", "127.0.0.1"):
            watched.note(elsewhere)
        assert not any(watched.gone((host, port)) for host in hosts)
        tcp.close()
        assert all(watched.gone((host, port)) for host in hosts)
        assert not watched.gone(elsewhere)


def test_what_only_holds_the_socket_does_not_count() -> None:
    """Like the descriptor of ``uvicorn --fd``, or any other duplicate."""
    watched = ServerSockets()
    with socket.create_server(("127.0.0.1", 0)) as held:
        at = held.getsockname()
        with held.dup() as own, held.dup() as other, select.epoll() as loop:
            loop.register(own.fileno(), select.EPOLLIN)
            watched.note(at)
            other.close()
            assert not watched.gone(at)
            own.close()
            assert watched.gone(at)
        watched.note(at)
        assert watched.gone(at)
        with held.dup() as second, select.epoll() as loop:
            loop.register(second.fileno(), select.EPOLLIN)
            watched.note(at)
            assert not watched.gone(at)


def test_a_socket_that_has_taken_the_number_of_another_is_not_it() -> None:
    watched = ServerSockets()
    with listening() as (first, _), socket.create_server(("127.0.0.1", 0)) as second:
        at, number = first.getsockname(), first.fileno()
        watched.note(at)
        first.close()
        os.dup2(second.fileno(), number)
        try:
            assert watched.gone(at)
        finally:
            os.close(number)


def test_a_socket_that_takes_the_place_of_another_goes_on() -> None:
    watched = ServerSockets()
    with listening() as (first, _):
        at = first.getsockname()
        first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        watched.note(at)
        first.close()
        with listening(address=at):
            assert watched.gone(at)
            watched.note(at)
            assert not watched.gone(at)
        assert not watched.gone(("127.0.0.1", 1))


@pytest.mark.parametrize("address", [("127.0.0.1", 1), ("/nowhere", None), ("", 0), ("x", 1)])
def test_what_was_never_found_is_never_gone(address: tuple[str, int | None]) -> None:
    watched = ServerSockets()
    watched.note(address)
    assert not watched.gone(address)
    assert not watched.all_gone


def test_what_is_not_waited_for_or_does_not_listen_is_not_a_server_s() -> None:
    watched = ServerSockets()
    with (
        socket.create_server(("127.0.0.1", 0)) as idle,
        socket.socket() as bound,
        select.epoll() as loop,
    ):
        bound.bind(("127.0.0.1", 0))
        loop.register(bound.fileno(), select.EPOLLIN)
        addresses = [idle.getsockname(), bound.getsockname()]
        for address in addresses:
            watched.note(address)
        idle.close()
        bound.close()
        assert not any(map(watched.gone, addresses))


def test_another_system_has_nothing_to_look_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_sockets, "AVAILABLE", False)
    watched = ServerSockets()
    with listening() as (tcp, _):
        at = tcp.getsockname()
        watched.note(at)
    assert not watched.gone(at)


def test_without_descriptors_it_is_looked_later(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: str) -> list[str]:
        raise OSError(errno.EMFILE, "Too many open files")

    watched = ServerSockets()
    with listening() as (tcp, _):
        at = tcp.getsockname()
        with monkeypatch.context() as patched:
            patched.setattr(os, "listdir", full)
            watched.note(at)
        watched.note(at)
        assert not watched.gone(at)
        tcp.close()
    assert watched.gone(at)


def test_descriptors_that_are_closed_meanwhile_are_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listdir = os.listdir

    monkeypatch.setattr(os, "listdir", lambda path: ["999999", *listdir(path)])
    watched = ServerSockets()
    with listening() as (tcp, _):
        at = tcp.getsockname()
        watched.note(at)
        assert not watched.gone(at)
    assert watched.gone(at)


def test_a_system_without_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "exists", lambda path: not str(path).endswith("tcp6"))
    watched = ServerSockets()
    with listening() as (tcp, _):
        at = tcp.getsockname()
        watched.note(at)
    assert watched.gone(at)


def test_sockets_are_not_touched() -> None:
    """Making a socket object of a descriptor may change its blocking mode."""
    ours, theirs = socket.socketpair()
    with ours, theirs, listening() as (tcp, _):
        socket.setdefaulttimeout(5)
        try:
            ServerSockets().note(tcp.getsockname())
        finally:
            socket.setdefaulttimeout(None)
        assert os.get_blocking(ours.fileno())
        assert os.get_blocking(tcp.fileno())


def test_only_so_many_addresses_are_watched() -> None:
    watched = ServerSockets()
    for port in range(1, 1 + server_sockets.MAX_ADDRESSES):
        watched.note(("127.0.0.1", port))
    with listening() as (tcp, _):
        at = tcp.getsockname()
        watched.note(at)
    assert not watched.gone(at)
