"""Redis as people run it, with what happens to it when its machine or its process dies.

Each kind is served at one address, and `fail` makes it fail and come back:

- ``always``: every command is on the disk before it is answered; nothing is lost.
- ``none``: nothing is on the disk; it comes back empty.
- ``rdb``: a snapshot each second; it comes back as it was up to some seconds before.
- ``aof``: the append-only file is synced each second; it comes back as it was, or, as after a power
  failure, without the last second.
- ``replica``: a replica that lags takes over behind the same address.
"""

from __future__ import annotations

import asyncio
import random
from asyncio import StreamReader, StreamWriter, Task
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import redis

from tests.redis_server import RedisServer

OPTIONS = {
    "always": ("--appendonly", "yes", "--appendfsync", "always"),
    "none": (),
    "rdb": ("--save", "1 1"),
    "aof": ("--appendonly", "yes", "--appendfsync", "everysec"),
    "replica": ("--repl-diskless-sync-delay", "0", "--repl-timeout", "60"),
}
KINDS = tuple(OPTIONS)

LAG_SECONDS = 1.5
"""At most so far is a replica, or the disk, behind."""


class FailingRedis(Protocol):
    """A Redis that can be made to fail."""

    url: str

    async def fail(self, chance: random.Random) -> None:
        """Kill it. Returns when it can be used again, or what has taken its place."""

    def client(self) -> redis.Redis:
        """A client of the server that is in use now."""

    async def aclose(self) -> None: ...


async def started(kind: str, folder: Path) -> FailingRedis:
    """A running Redis of that kind, whose files are in `folder`."""
    redis = Promoted(folder) if kind == "replica" else Restarted(kind, folder)
    await redis.start()
    return redis


class Restarted:
    """One server, which is killed and started again with what it has on its disk."""

    def __init__(self, kind: str, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True)
        self._server = RedisServer(folder, options=OPTIONS[kind])
        self.url = self._server.url
        self._sizes: deque[tuple[float, Path, int]] = deque()
        """Of the append-only file, in the last seconds."""
        self._watching = asyncio.ensure_future(self._watch()) if kind == "aof" else None

    async def start(self) -> None:
        await asyncio.to_thread(self._server.start)

    async def fail(self, chance: random.Random) -> None:
        await asyncio.to_thread(self._server.kill)
        if chance.random() < 0.5:
            self._lose_what_was_not_synced()
        await asyncio.sleep(chance.uniform(0, 1))
        await asyncio.to_thread(self._server.start)

    def client(self) -> redis.Redis:
        return self._server.client()

    async def aclose(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
        self._server.kill()

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            for file in self._folder.glob("appendonlydir/*.incr.aof"):
                self._sizes.append((loop.time(), file, file.stat().st_size))
            while self._sizes and self._sizes[0][0] < loop.time() - 1.0:
                self._sizes.popleft()
            await asyncio.sleep(0.1)

    def _lose_what_was_not_synced(self) -> None:
        """Cut the file off where it was a second ago. The kernel keeps what a killed process wrote,
        but not when the machine goes down."""
        for _, file, size in self._sizes:
            if file.exists() and file.stat().st_size > size:
                with file.open("r+b") as written:
                    written.truncate(size)
                break
        self._sizes.clear()


class Promoted:
    """A primary and its replica, which takes over while it lags; then a new replica begins."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0
        self._address = Proxy()
        self._link = Proxy()
        """Between the replica and its primary."""

    async def start(self) -> None:
        await self._address.start()
        await self._link.start()
        self.url = f"redis://127.0.0.1:{self._address.port}/0"
        self._primary = await self._new_server()
        self._address.target = self._link.target = self._primary.port
        self._replica = await self._new_replica()

    async def fail(self, chance: random.Random) -> None:
        await self._in_sync()
        self._link.hold()
        await asyncio.sleep(chance.uniform(0, LAG_SECONDS))
        await asyncio.to_thread(self._primary.kill)
        await self._link.switch(self._replica.port)
        await asyncio.sleep(chance.uniform(0, 1))
        run: Any = self._replica.client().execute_command
        await asyncio.to_thread(run, "REPLICAOF NO ONE")
        await self._address.switch(self._replica.port)
        self._primary = self._replica
        self._replica = await self._new_replica()

    def client(self) -> redis.Redis:
        return self._primary.client()

    async def aclose(self) -> None:
        await self._address.aclose()
        await self._link.aclose()
        self._primary.kill()
        self._replica.kill()

    async def _new_server(self, *options: str) -> RedisServer:
        self._count += 1
        folder = self._folder / str(self._count)
        folder.mkdir(parents=True)
        server = RedisServer(folder, options=(*OPTIONS["replica"], *options))
        await asyncio.to_thread(server.start)
        return server

    async def _new_replica(self) -> RedisServer:
        return await self._new_server("--replicaof", f"127.0.0.1 {self._link.port}")

    async def _in_sync(self) -> None:
        """Wait until the replica has all that there is but for what is on its way."""
        async with asyncio.timeout(30):
            while True:
                known: Any = await asyncio.to_thread(self._replica.client().info, "replication")
                if known["master_link_status"] == "up":
                    return
                await asyncio.sleep(0.1)


class Proxy:
    """Passes bytes on between its own address and another, which may change."""

    def __init__(self) -> None:
        self.target = 0
        self.port = 0
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._tasks: set[Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def hold(self) -> None:
        """Pass nothing on until `switch`."""
        self._flowing.clear()

    async def switch(self, target: int) -> None:
        """Drop all connections and what is held, and send new ones to `target`."""
        self.target = target
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._flowing.set()

    async def aclose(self) -> None:
        self._server.close()
        await self.switch(0)

    async def _connected(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with suppress(OSError, asyncio.CancelledError):
                other_reader, other_writer = await asyncio.open_connection("127.0.0.1", self.target)
                ways = [
                    asyncio.ensure_future(self._pass_on(reader, other_writer)),
                    asyncio.ensure_future(self._pass_on(other_reader, writer)),
                ]
                try:
                    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for way in ways:
                        way.cancel()
                    other_writer.close()
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _pass_on(self, reader: StreamReader, writer: StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()
