"""A proxy whose connections end early, and a server whose responses are written out."""

from __future__ import annotations

import asyncio
import contextlib
import time
from asyncio import StreamReader, StreamWriter, Task
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import cast

HANGS = b"<hangs>"
"""At the end of a response: the connection stays open."""


@asynccontextmanager
async def listening(
    serve: Callable[[StreamReader, StreamWriter], Awaitable[None]],
) -> AsyncIterator[int]:
    """The port where `serve` gets all connections."""
    open_tasks: set[Task[None]] = set()

    async def connected(reader: StreamReader, writer: StreamWriter) -> None:
        task = cast(Task[None], asyncio.current_task())
        open_tasks.add(task)
        task.add_done_callback(open_tasks.discard)
        try:
            with contextlib.suppress(EOFError, ConnectionError, asyncio.CancelledError):
                await serve(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        for task in tuple(open_tasks):
            task.cancel()
        await asyncio.gather(*open_tasks, return_exceptions=True)


@asynccontextmanager
async def relaying(*legs: tuple[int, float]) -> AsyncIterator[int]:
    """Its port.

    Args:
        legs: For each connection the port where it goes on, and the bytes of the response after
            which it is cut; the last is for all that follow.
    """
    count = 0

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        nonlocal count
        port, most = legs[min(count, len(legs) - 1)]
        count += 1
        there, back = await asyncio.open_connection("127.0.0.1", port)
        sending = asyncio.create_task(_copy(reader, back))
        try:
            while most > 0 and (part := await there.read(int(min(most, 256)))):
                writer.write(part)
                await writer.drain()
                most -= len(part)
        finally:
            sending.cancel()
            back.close()

    async with listening(serve) as port:
        yield port


async def _copy(reader: StreamReader, writer: StreamWriter) -> None:
    while part := await reader.read(4096):
        writer.write(part)


class Exchanges(list[tuple[str, dict[str, str], float]]):
    """The requests that a server has got: method and path, headers, and when."""


@asynccontextmanager
async def answering(*responses: bytes) -> AsyncIterator[tuple[str, Exchanges]]:
    """The URL of a server that sends these, one for each connection, and the requests it got."""
    requests = Exchanges()

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        response = responses[len(requests)] if len(requests) < len(responses) else b""
        requests.append((" ".join(head[0].split()[:2]), headers, time.monotonic()))
        await reader.readexactly(int(headers.get("content-length", "0")))
        writer.write(response.removesuffix(HANGS))
        await writer.drain()
        if response.endswith(HANGS):
            await reader.read()

    async with listening(serve) as port:
        yield f"http://127.0.0.1:{port}", requests


def sse(body: str, *headers: str) -> bytes:
    """A response with an event stream whose end says nothing: the connection closes."""
    lines = ["HTTP/1.1 200 OK", "Content-Type: text/event-stream", "Connection: close", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def answer(status: str, body: str = "", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()
