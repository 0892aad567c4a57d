"""A server that stops with streams open: each gets its terminal frame, and the process exits."""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path

import pytest

from ..asgi import frames
from ..clients import Connection, new_key
from ..servers import Server, serving

pytestmark = pytest.mark.anyio

STREAMS = 100

CASES = {
    # The server, its options, and seconds to the exit of its process.
    "uvicorn-httptools": ((), 8),
    "uvicorn-httptools-uvloop": ((), 8),
    "uvicorn-h11": ((), 8),
    "uvicorn-2-workers": ((), 10),
    "granian": ((), 10),
    "gunicorn": ((), 10),
    "hypercorn": ((), 10),
}

COUNTED = {
    # The server, and what makes it stop, or its worker, after so many requests.
    "uvicorn-httptools": "--limit-max-requests=5",
    "uvicorn-h11-uvloop": "--limit-max-requests=5",
    "gunicorn": "--max-requests=5",
    "hypercorn": "--max-requests=5",
}


def body_of(answer: bytes) -> bytes:
    """The body of a chunked answer, which must have come to its end."""
    head, _, rest = answer.partition(b"\r\n\r\n")
    assert b"transfer-encoding: chunked" in head.lower()
    body = b""
    while True:
        size, _, rest = rest.partition(b"\r\n")
        count = int(size, 16)
        if count == 0:
            return body
        body, rest = body + rest[:count], rest[count + 2 :]


@pytest.mark.parametrize("name", CASES)
async def test_every_stream_gets_a_farewell_and_the_process_exits(
    name: str, tmp_path: Path
) -> None:
    options, seconds = CASES[name]
    env = {"PROBE_LOG": str(tmp_path / "notes")}
    with serving("tests.apps:app", tmp_path, name, env, options) as server:
        clients = await asyncio.gather(
            *(Connection.post(server.port, "/stream/words", new_key()) for _ in range(STREAMS))
        )
        async with contextlib.AsyncExitStack() as stack:
            for client in clients:
                await stack.enter_async_context(client)
            await asyncio.gather(*(client.read_until(b'"w1 "') for client in clients))
            begun = time.monotonic()
            server.terminate()
            answers = await asyncio.gather(*(client.read_until(b"0\r\n\r\n") for client in clients))
        await asyncio.to_thread(server.process.wait, 15)
        assert time.monotonic() - begun < seconds
        for answer in answers:
            assert_farewell(answer)
        assert "Traceback" not in server.log()


@pytest.mark.parametrize("name", COUNTED)
async def test_a_worker_that_ends_after_so_many_requests_ends_its_streams(
    name: str, tmp_path: Path
) -> None:
    """No signal comes then, and the server waits for what it still has."""
    env = {"PROBE_LOG": str(tmp_path / "notes")}
    with serving("tests.apps:app", tmp_path, name, env, (COUNTED[name],)) as server:
        async with contextlib.AsyncExitStack() as stack:
            clients = []
            for _ in range(3):
                clients.append(await stack.enter_async_context(await words(server)))
                await clients[-1].read_until(b'"w1 "')
            for _ in range(5):  # some count what has begun, some what has ended
                with contextlib.suppress(OSError, EOFError):
                    async with await Connection.post(server.port, "/nothing", 1) as short:
                        await short.read_until(b"\r\n\r\n")
            begun = time.monotonic()
            for client in clients:
                assert_farewell(await client.read_until(b"0\r\n\r\n"))
            assert time.monotonic() - begun < 8
        if name.startswith("uvicorn"):
            await asyncio.to_thread(server.process.wait, 5)
        else:
            await another_worker(server)
        assert "Traceback" not in server.log()
        assert "TIMEOUT" not in server.log()


async def words(server: Server) -> Connection:
    return await Connection.post(server.port, "/stream/words", new_key())


async def another_worker(server: Server) -> None:
    """Wait until one serves in the place of the first."""
    async with asyncio.timeout(10):
        while True:
            with contextlib.suppress(OSError, EOFError):
                async with await words(server) as client:
                    await client.read_until(b'"w1 "')
                    return
            await asyncio.sleep(0.1)


def assert_farewell(answer: bytes) -> None:
    *_, error, done = frames(body_of(answer))
    assert (error["error"]["code"], done) == ("shutdown", "[DONE]")
