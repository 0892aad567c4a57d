"""Nothing may grow with the number of finished runs: ``python -m benchmarks.soak``.

Short runs, a third of them cut off in the middle, against one server. What the server holds after
the first tenth of them, at least 1,000, is compared with what it holds at the end; it exits with 1
if that grew.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.servers import Server, serving

from .common import FAKE
from .driver import Contender, ask, read
from .measures import resident, tasks

AT_ONCE = 50
WARM_UP = 1000
"""Runs after which the allocator and the interpreter's caches have nearly all that they will."""
GROWN_BYTES = 3 * 2**20
"""What the allocator and the interpreter's caches may differ by, however many the runs."""


@dataclass(frozen=True)
class Held:
    """What a server's process holds: bytes, and counts."""

    memory: int
    tasks: int
    threads: int
    files: int


async def held(server: Server) -> Held:
    """What is held once it has stopped changing."""
    process = Path(f"/proc/{server.process.pid}")
    samples: list[Held] = []
    for _ in range(60):
        status = dict(
            line.split(":\t", 1) for line in (process / "status").read_text().splitlines()
        )
        # The files first: asking for the tasks takes a connection.
        files = len(list((process / "fd").iterdir()))
        count = await asyncio.to_thread(tasks, server)
        samples.append(Held(resident(server.process.pid), count, int(status["Threads"]), files))
        if len(samples) > 5 and len({(each.tasks, each.files) for each in samples[-5:]}) == 1:
            break
        await asyncio.sleep(0.2)
    return samples[-1]


async def soak(server: Server, contender: Contender, runs: int, first: int = 0) -> None:
    """So many runs of every Runnable in turn; every third one is left after its first piece."""
    numbers = iter(range(first, first + runs))

    async def some() -> None:
        for number in numbers:
            runnable = FAKE[number % len(FAKE)]
            if number // len(FAKE) % 3:
                reading = await read(server.port, contender.request(runnable, 20, 0))
                reading.check(contender, 20)
            else:
                reader, writer = await ask(server.port, contender.request(runnable, 10_000, 1000))
                assert await reader.read(1000)
                writer.transport.abort()

    await asyncio.gather(*(some() for _ in range(AT_ONCE)))


def grown(before: Held, after: Held) -> list[str]:
    """What is more than it was, a sentence each."""
    more = {
        name: getattr(after, name) - getattr(before, name) for name in ("tasks", "threads", "files")
    }
    growth = [f"{count} more {name}" for name, count in more.items() if count > 0]
    if after.memory - before.memory > GROWN_BYTES:
        growth.append(f"{(after.memory - before.memory) / 2**20:.1f} MiB more memory")
    return growth


async def run(server: Server, contender: Contender, runs: int) -> list[str]:
    begun, first = time.perf_counter(), max(runs // 10, WARM_UP)
    await soak(server, contender, first)
    before = await held(server)
    print(f"after {first} runs: {before}")
    await soak(server, contender, runs - first, first)
    after = await held(server)
    print(f"after {runs} runs, {time.perf_counter() - begun:.0f} s: {after}")
    return grown(before, after)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--runs", type=int, default=20_000)
    parser.add_argument("--contender", default="ours")
    options = parser.parse_args()
    app = f"benchmarks.contenders:{options.contender}"
    contender = Contender(options.contender, app, events=options.contender.endswith("events"))
    with TemporaryDirectory() as folder:
        server_options = ("--http=httptools", "--loop=uvloop", "--no-access-log")
        with serving(app, Path(folder), options=server_options) as server:
            growth = asyncio.run(run(server, contender, options.runs))
    if growth:
        sys.exit(f"it grew: {', '.join(growth)}")


if __name__ == "__main__":
    main()
