"""Runs on Redis under random faults: ``python -m benchmarks.resume_soak``.

Each run counts, and each reader keeps coming back, to either of two servers, until it has a last
frame. Meanwhile readers drop, servers are killed and started again, and so is Redis, which writes
everything to its disk. A run whose server was killed ends with ``worker_lost``; whatever anyone has
read must be the numbers from 0 on, each once and in order. It exits with 1 if that is not so.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import signal
import sys
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import httpx

from tests.redis_server import RedisServer, redis_server
from tests.servers import Server, serving, stop

NUMBERS = 60
PER_SECOND = 100
PATIENCE_SECONDS = 120


@dataclass
class Field:
    """The servers as they are now; one may be away."""

    redis: RedisServer
    folder: Path
    stack: ExitStack
    servers: list[Server] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    chance: random.Random = field(default_factory=lambda: random.Random(1))

    def start(self) -> Server:
        env = {"REDIS": self.redis.url, "PROBE_LOG": "/dev/null"}
        options = ("--no-access-log", "--http=httptools", "--loop=uvloop", "--log-level=error")
        server = serving("tests.kept:app", self.folder, env=env, options=options)
        return self.stack.enter_context(server)

    async def disturb(self) -> None:
        """One fault after the other, for ever."""
        while True:
            await asyncio.sleep(self.chance.uniform(1, 4))
            fault = self.chance.choice(["server", "redis", "cut", "cut", "held"])
            self.counts[f"fault: {fault}"] += 1
            place = self.chance.randrange(2)
            if fault == "server":
                self.servers[place].process.send_signal(signal.SIGKILL)
                await asyncio.sleep(0.2)
                self.servers[place] = await asyncio.to_thread(self.start)
            elif fault == "held":
                process = self.servers[place].process
                process.send_signal(signal.SIGSTOP)
                await asyncio.sleep(self.chance.uniform(0.1, 2))
                process.send_signal(signal.SIGCONT)
            elif fault == "redis":
                await asyncio.to_thread(self.redis.kill)
                await asyncio.sleep(self.chance.uniform(0, 1))
                await asyncio.to_thread(self.redis.start)
            else:
                kind = self.chance.choice(["normal", "pubsub"])
                await asyncio.to_thread(self._cut, kind)

    def _cut(self, kind: str) -> None:
        run: Any = self.redis.client().execute_command
        run("CLIENT KILL", "TYPE", kind)


@dataclass
class Run:
    """One run, and what its reader has of it."""

    key: str = field(default_factory=lambda: uuid4().hex)
    run_id: str = ""
    last_id: str = ""
    frames: list[Any] = field(default_factory=list)
    done: bool = False

    async def read(self, field: Field, client: httpx.AsyncClient) -> None:
        """Come back until there is a last frame."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not self.done:
                try:
                    await self._once(field, client)
                except (httpx.HTTPError, ConnectionError):
                    field.counts["broken connections"] += 1
                await asyncio.sleep(field.chance.uniform(0, 0.1))

    async def _once(self, field: Field, client: httpx.AsyncClient) -> None:
        url = f"{field.chance.choice(field.servers).url}/stream/count"
        asked: dict[str, Any] = {"headers": {"idempotency-key": self.key}}
        method = "POST"
        if self.last_id:
            method, asked = "GET", {"headers": {"last-event-id": self.last_id}}
            url += f"/runs/{self.run_id}"
        else:
            asked["json"] = {"key": "", "count": NUMBERS, "per_second": PER_SECOND}
        leaves_at = len(self.frames) + field.chance.randrange(1, 2 * NUMBERS)
        async with client.stream(method, url, **asked) as answer:
            field.counts[f"answers {answer.status_code}"] += 1
            if answer.status_code != 200:
                # Whoever has all of it has seen the last frame, so there must be more.
                assert answer.status_code in (404, 503), answer.status_code
                return
            self.run_id = answer.headers["x-run-id"]
            id_ = ""
            async for line in answer.aiter_lines():
                if line.startswith("id: "):
                    id_ = line[4:]
                elif line.startswith("data: "):
                    self._take(line[6:], id_)
                    id_ = ""
                    if not self.done and len(self.frames) >= leaves_at:
                        field.counts["readers that dropped"] += 1
                        return

    def _take(self, data: str, id_: str) -> None:
        if not id_:
            # Of this reader's connection and not of the run: it comes back.
            return
        self.last_id = id_
        self.done = data == "[DONE]"
        if not self.done:
            self.frames.append(json.loads(data))

    def check(self, counts: Counter[str]) -> None:
        numbers = [int(each["token"][1:]) for each in self.frames if "token" in each]
        codes = [each["error"]["code"] for each in self.frames if "error" in each]
        counts["frames"] += len(numbers)
        counts["frames doubled"] += len(numbers) - len(set(numbers))
        whole = NUMBERS if not codes else max(numbers, default=-1) + 1
        counts["frames lost"] += len(set(range(whole)) - set(numbers))
        counts["frames out of order"] += numbers != sorted(numbers)
        counts["gaps told"] += sum("gap" in each for each in self.frames)
        counts[f"runs that ended: {codes[0] if codes else 'done'}"] += 1


async def soak(field: Field, runs: int, at_once: int) -> None:
    left = iter(range(runs))
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(timeout=httpx.Timeout(20), limits=limits) as client:

        async def some() -> None:
            for _ in left:
                run = Run()
                await run.read(field, client)
                run.check(field.counts)

        disturbing = asyncio.ensure_future(field.disturb())
        try:
            await asyncio.gather(*(some() for _ in range(at_once)))
        finally:
            disturbing.cancel()
            await asyncio.wait({disturbing})


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.resume_soak", description=__doc__)
    parser.add_argument("--runs", type=int, default=5000)
    parser.add_argument("--at-once", type=int, default=40)
    options = parser.parse_args()
    with TemporaryDirectory() as folder, ExitStack() as stack:
        place = Path(folder)
        redis = stack.enter_context(redis_server(place / "redis", persistent=True))
        field = Field(redis, place, stack)
        field.servers = [field.start(), field.start()]
        begun = time.perf_counter()
        asyncio.run(soak(field, options.runs, options.at_once))
        print(f"{options.runs} runs in {time.perf_counter() - begun:.0f} s")
        for name, count in sorted(field.counts.items()):
            print(f"{count:8} {name}")
        for server in field.servers:
            stop(server.process)
    bad = [
        name
        for name in ("frames doubled", "frames lost", "frames out of order")
        if field.counts[name]
    ]
    if bad:
        sys.exit(f"wrong: {', '.join(bad)}")


if __name__ == "__main__":
    main()
