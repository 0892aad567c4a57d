"""SIGTERM with 100 streams open: each gets its terminal frame, and the process exits."""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path

import pytest

from .asgi import frames
from .clients import Connection, new_key
from .servers import serving

pytestmark = pytest.mark.anyio

STREAMS = 100

CASES = {
    # The server, its options, and seconds to the exit of its process.
    "uvicorn-httptools": ((), 3),
    "uvicorn-httptools-uvloop": ((), 3),
    "uvicorn-h11": ((), 3),
    "uvicorn-2-workers": ((), 5),
    "granian": ((), 5),
    # It tells nobody before it has waited for its graceful timeout, 3 s here.
    "hypercorn": ((), 8),
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
            answers = await asyncio.gather(
                *(client.read_until(b"0\r\n\r\n" if name != "hypercorn" else b"[DONE]")
                  for client in clients)
            )  # fmt: skip
        await asyncio.to_thread(server.process.wait, 15)
        assert time.monotonic() - begun < seconds
        for answer in answers:
            if name == "hypercorn":
                # It cuts the connection, but the farewell has gone out before.
                assert b'"code":"shutdown"' in answer
                continue
            *_, error, done = frames(body_of(answer))
            assert (error["error"]["code"], done) == ("shutdown", "[DONE]")
        if name != "hypercorn":
            assert "Traceback" not in server.log()
