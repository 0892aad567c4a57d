"""Many threads on two workers that are killed now and then: no message is lost or doubled.

Each client keeps its conversation as a browser does, leaves in the middle of some answers, edits
and asks again, and sends a message anew if a worker fails. What the model has been told is in each
answer, and must be what the client shows.
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
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from ..redis_server import RedisServer
from ..servers import Server, serving
from .chat import assistant, user

APP = "tests.threads.soak_app:app"


class Workers:
    """Two servers, one of which may be down."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self._folder, self._env = folder, env
        self._stacks = [ExitStack(), ExitStack()]
        self.up: list[Server | None] = [None, None]
        self.kills = 0

    def start(self, n: int) -> None:
        self.up[n] = self._stacks[n].enter_context(serving(APP, self._folder, env=self._env))

    async def kill_one(self) -> None:
        """Kill a worker, and start another in its place."""
        n = self.kills % 2
        server = self.up[n]
        assert server is not None
        self.kills += 1
        self.up[n] = None
        server.process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(server.process.wait)
        await asyncio.to_thread(self.start, n)

    def url(self) -> str:
        return random.choice([each for each in self.up if each is not None]).url

    def close(self) -> None:
        for stack in self._stacks:
            stack.close()


class Chat:
    """One thread, and the client that has it."""

    def __init__(self, n: int, workers: Workers, client: httpx.AsyncClient) -> None:
        self.thread, self.headers = f"t{n % 500}", {"x-user": f"owner{n // 500}"}
        self.workers, self.client = workers, client
        self.messages: list[dict[str, Any]] = []
        self.did: Counter[str] = Counter()
        self.faults: list[str] = []

    @property
    def users(self) -> list[str]:
        return [each["id"] for each in self.messages if each["role"] == "user"]

    async def turn(self, n: int) -> None:
        what = random.choices(["say", "leave", "edit"], [6, 2, 2])[0]
        if what == "edit" and self.users:
            chosen = random.choice(self.users)
            at = [each["id"] for each in self.messages].index(chosen)
            del self.messages[at + 1 :]
            self.messages[at]["content"] = f"edited {n}"
        else:
            self.messages.append(user(f"{self.headers['x-user']}.{self.thread}.{n}", f"{n}"))
        self.did[what] += 1
        await (self.leave() if what == "leave" else self.send())

    async def send(self) -> None:
        for _ in range(60):
            text = await self.answer()
            if text is not None:
                heard = text.split()
                if heard != self.users:
                    self.faults.append(f"{self.thread}: {self.users} reached it as {heard}")
                self.messages.append(assistant(text))
                return
            self.did["again"] += 1
            await asyncio.sleep(0.25)
        self.faults.append(f"{self.thread}: no answer")

    async def answer(self) -> str | None:
        """The whole answer; None if the worker or the run has failed."""
        try:
            response = await self.client.post(
                f"{self.workers.url()}/chat", json=self.body(), headers=self.headers
            )
        except httpx.HTTPError:
            return None
        if response.status_code != 200 or "[DONE]" not in response.text:
            self.did[f"status {response.status_code}"] += 1
            return None
        data = [line[6:] for line in response.text.split("\n") if line.startswith("data: {")]
        frames = [json.loads(each) for each in data]
        if any("error" in each for each in frames):
            return None
        return "".join(each["token"] for each in frames)

    async def leave(self) -> None:
        """Ask, and go away in the middle of the answer."""
        try:
            async with self.client.stream(
                "POST", f"{self.workers.url()}/chat", json=self.body(), headers=self.headers
            ) as response:
                async for _ in response.aiter_bytes():
                    break
        except httpx.HTTPError:
            pass
        await self.send()  # the same message again

    def body(self) -> dict[str, Any]:
        return {"id": self.thread, "messages": self.messages}


async def soak(threads: int, turns: int, workers: Workers, kill_every: float) -> list[Chat]:
    limits = httpx.Limits(max_connections=60)
    async with httpx.AsyncClient(timeout=60, limits=limits) as client:
        chats = [Chat(n, workers, client) for n in range(threads)]
        slots = asyncio.Semaphore(40)

        async def talk(chat: Chat) -> None:
            for n in range(turns):
                async with slots:
                    await chat.turn(n)

        async def kill() -> None:
            while True:
                await asyncio.sleep(kill_every)
                await workers.kill_one()

        killer = asyncio.create_task(kill())
        await asyncio.gather(*map(talk, chats))
        killer.cancel()
    return chats


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1000)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--kill-every", type=float, default=10.0, help="seconds")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    random.seed(options.seed)
    started = time.monotonic()
    with TemporaryDirectory() as name:
        folder = Path(name)
        redis = RedisServer(folder)
        redis.start()
        workers = Workers(folder, {"REDIS": redis.url, "DATABASE": str(folder / "db")})
        try:
            for n in (0, 1):
                workers.start(n)
            chats = asyncio.run(soak(options.threads, options.turns, workers, options.kill_every))
        finally:
            workers.close()
            redis.kill()
    did: Counter[str] = sum((each.did for each in chats), Counter())
    faults = [fault for each in chats for fault in each.faults]
    print(f"{len(chats)} threads, {workers.kills} workers killed", end=", ")
    print(f"{time.monotonic() - started:.0f} s: {dict(did)}")
    print("\n".join(faults[:20]))
    print(f"{len(faults)} messages lost, doubled or out of order")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
