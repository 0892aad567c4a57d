"""Measures what a burst of requests does to everyone else: ``python -m benchmarks.burst``.

One uvicorn worker serves idle streams, active ones, and then a burst of requests at once, while
``/health`` is asked 100 times a second, on a connection of its own each time. Its latency says how
long the event loop was held. Prints a line for each Runnable, setting of the garbage collector and
phase: before the burst, and from its first request to its last answer.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Awaitable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.servers import Server

from .driver import Contender, ask, read
from .serving import TUNED, served

EVERY_SECONDS = 0.01
TOKENS = 20
QUIET_SECONDS = 5.0
OURS = Contender("ours", "contenders:ours")
HAND = Contender("hand", "contenders:hand")


async def health(port: int) -> float:
    """Seconds until the answer, whatever it is: the hand-written app has no such page."""
    begun = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    await reader.read()
    writer.close()
    return time.perf_counter() - begun


async def polled(port: int, during: Awaitable[Any]) -> list[float]:
    """The latencies of ``/health`` until `during` is done, sorted."""
    work, polls = asyncio.ensure_future(during), list[asyncio.Task[float]]()
    due = time.perf_counter()
    while not work.done():
        polls.append(asyncio.create_task(health(port)))
        due += EVERY_SECONDS
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
    await work
    return sorted(await asyncio.gather(*polls))


async def burst(contender: Contender, server: Server, runnable: str, options: Any) -> None:
    port = server.port
    silent = contender.request(runnable, 2, 0.001)
    active = contender.request(runnable, 100_000, options.rate)
    short = contender.request(runnable, TOKENS, 20)
    await asyncio.gather(*(read(port, short) for _ in range(10)))  # what the first runs import
    open_ = [await ask(port, silent) for _ in range(options.idle)]
    until = time.perf_counter() + 120
    reading = [
        asyncio.ensure_future(read(port, active, until=until)) for _ in range(options.active)
    ]
    await asyncio.sleep(2)
    quiet = await polled(port, asyncio.sleep(QUIET_SECONDS))
    begun, firsts = time.perf_counter(), list[float]()
    loud = list[float]()
    for _ in range(options.bursts):
        answers = asyncio.gather(*(read(port, short) for _ in range(options.requests)))
        loud += await polled(port, answers)
        firsts += [each.first for each in await answers]
    loud.sort()
    took = time.perf_counter() - begun
    for phase, latencies in (("quiet", quiet), ("burst", loud)):
        p50, p99, worst = (
            latencies[min(int(len(latencies) * part), len(latencies) - 1)] * 1000
            for part in (0.5, 0.99, 1)
        )
        polls = f"({len(latencies)} polls)"
        print(f"  {phase}: /health p50 {p50:6.1f}  p99 {p99:6.1f}  worst {worst:6.1f} ms  {polls}")
    firsts.sort()
    print(
        f"  first byte p50 {firsts[len(firsts) // 2] * 1000:.0f}, worst {firsts[-1] * 1000:.0f} ms;"
        f" {took:.1f} s in all",
        flush=True,
    )
    for each in reading:
        each.cancel()
    for _, writer in open_:
        writer.close()
    await asyncio.gather(*reading, return_exceptions=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.burst", description=__doc__)
    parser.add_argument("--idle", type=int, default=2000, help="streams that say nothing")
    parser.add_argument("--active", type=int, default=200, help="streams that say tokens")
    parser.add_argument("--rate", type=float, default=2.0, help="their tokens a second, each")
    parser.add_argument("--requests", type=int, default=200, help="requests in the burst")
    parser.add_argument("--bursts", type=int, default=1, help="one after the other")
    parser.add_argument("--runnables", default="model,graph")
    parser.add_argument("--by-hand", action="store_true", help="the hand-written endpoint too")
    options = parser.parse_args()
    for contender in (OURS, HAND) if options.by_hand else (OURS,):
        for runnable in options.runnables.split(","):
            for gc in (None, TUNED):
                print(f"{contender.name}, {runnable}, collector {gc or 'default'}")
                with TemporaryDirectory() as folder, served(contender, Path(folder), gc) as server:
                    asyncio.run(burst(contender, server, runnable, options))


if __name__ == "__main__":
    main()
