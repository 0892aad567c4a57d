"""A proxy that cuts each connection after so many bytes of its answer."""

from __future__ import annotations

import asyncio
import contextlib
from asyncio import CancelledError, StreamReader, StreamWriter, Task
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast


@asynccontextmanager
async def cutting(
    port: int, after: int, *, refusing: bool = False
) -> AsyncIterator[tuple[int, list[int]]]:
    """Its port, and the connections that it has cut.

    Args:
        port: Where it passes everything on to.
        after: The bytes after which an answer is cut.
        refusing: Take no connection after the first cut.
    """
    cuts: list[int] = []

    passing: set[Task[None]] = set()

    async def passes(reader: StreamReader, writer: StreamWriter) -> None:
        task = cast(Task[None], asyncio.current_task())
        passing.add(task)
        task.add_done_callback(passing.discard)
        if refusing and cuts:
            writer.transport.abort()
            return
        there, back = await asyncio.open_connection("127.0.0.1", port)
        asking = asyncio.create_task(_copy(reader, back))
        passed = 0
        try:
            while part := await there.read(256):
                writer.write(part)
                passed += len(part)
                if passed > after:
                    cuts.append(passed)
                    break
            await writer.drain()
        except (ConnectionError, CancelledError):
            pass
        finally:
            asking.cancel()
            for each in (writer, back):
                each.close()
                with contextlib.suppress(OSError):
                    await each.wait_closed()

    server = await asyncio.start_server(passes, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], cuts
        for task in tuple(passing):
            task.cancel()
        await asyncio.gather(*passing, return_exceptions=True)


async def _copy(reader: StreamReader, writer: StreamWriter) -> None:
    while part := await reader.read(4096):
        writer.write(part)
