"""Workers that tests kill, and readers of their runs."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

from ..clients import until
from ..redis_server import RedisServer
from ..servers import Server, serving

TAKEN_SECONDS = 15
"""How long it may take until another worker goes on."""
WORDS = "".join(f"w{n} " for n in range(10))


class Workers(list[Server]):
    """Servers of one app, and what its agent has begun."""

    def __init__(self, servers: list[Server], notes: Path) -> None:
        super().__init__(servers)
        self._notes = notes

    @property
    def steps(self) -> list[str]:
        return self._notes.read_text().split()

    async def begun(self, step: str, times: int = 1) -> None:
        await until(lambda: self.steps.count(step) == times, TAKEN_SECONDS)

    def heirs(self) -> list[Server]:
        """The servers that have gone on with a run, once for each."""
        return [each for each in self for _ in re.findall("goes on here", each.log())]


def kill(server: Server) -> None:
    server.process.kill()
    server.process.wait()


Start = Callable[[int], Workers]


@contextmanager
def starting(redis: RedisServer, folder: Path) -> Iterator[Start]:
    """A function that starts so many servers of the app, until the block ends."""
    url, notes = f"{redis.url}?prefix={folder.name}", folder / "notes"
    notes.touch()
    env = {"REDIS": url, "DATABASE": str(folder / "db"), "NOTES": str(notes)}
    with ExitStack() as stack:

        def start_servers(count: int) -> Workers:
            app = "tests.threads.continuing_app:app"
            servers = [serving(app, folder, env=env) for _ in range(count)]
            return Workers([stack.enter_context(each) for each in servers], notes)

        yield start_servers


class Reader:
    """Reads a stream to its end, whatever that is, in the background."""

    def __init__(self, method: str, url: str, body: Any = None) -> None:
        self.text = self.location = ""
        self.broken = False
        self.status = 0
        self._request = method, url, body
        self.task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        method, url, body = self._request
        async with httpx.AsyncClient(timeout=30) as client:
            try:
                async with client.stream(method, url, json=body) as response:
                    self.status = response.status_code
                    self.location = response.headers.get("content-location", "")
                    async for text in response.aiter_text():
                        self.text += text
            except httpx.HTTPError:
                self.broken = True

    async def ended(self) -> list[Any]:
        """The data of all frames, whose ids are checked, once the stream has ended."""
        async with asyncio.timeout(2 * TAKEN_SECONDS):
            await self.task
        ids = [int(each) for each in re.findall(r"^id: (?:.*:)?(\d+)$", self.text, re.M)]
        assert ids == list(range(1, len(ids) + 1))
        lines = [line[6:] for line in self.text.split("\n") if line.startswith("data: ")]
        return [line if line == "[DONE]" else json.loads(line) for line in lines]


def said(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}]}
