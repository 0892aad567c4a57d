"""Measures the contenders side by side: ``python -m benchmarks [--rounds N] [--quick]``.

Each contender is a server in a process of its own, on uvicorn with uvloop and httptools. They are
driven in turn, round after round, over loopback from this process, and their CPU time is that of
their whole process, threads included. Every token is checked to arrive once and in order.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.servers import Server, serving

from .contenders import RUNNABLES

TICKS = os.sysconf("SC_CLK_TCK")

SHAPES = {
    # Streams at once, tokens each, tokens a second each (0: as fast as they are made).
    "burst": (4, 4000, 0),
    "paced": (50, 250, 50),
}

MATCHES = [
    # What is measured, against what.
    ("ours", "hand"),
    ("hand_sr", "hand"),
    ("constant", "hand"),
    ("ours_events", "hand_events"),
    ("ours_models", "hand_models"),
]


@dataclass
class Figures:
    """What one contender needed for one shape, a figure a round."""

    cpu: list[float] = field(default_factory=list)  # microseconds per token
    first: list[float] = field(default_factory=list)  # milliseconds to the first byte of the body
    size: list[float] = field(default_factory=list)  # bytes per token


def cpu_seconds(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / TICKS


async def read(
    port: int, name: str, tokens: int, per_second: int, after: float
) -> tuple[float, int]:
    """One stream, begun `after` seconds: seconds to its first byte, and the bytes of its body."""
    await asyncio.sleep(after)
    asked = json.dumps({"tokens": tokens, "per_second": per_second})
    body = json.dumps(RUNNABLES[name][1](asked)).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    begun = time.perf_counter()
    writer.write(
        f"POST /{name} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
        "Content-Type: application/json\r\n\r\n".encode()
        + body
    )
    head = await reader.readuntil(b"\r\n\r\n")
    assert b" 200 " in head, head
    parts = [await reader.read(1 << 20)]
    first = time.perf_counter() - begun
    while part := await reader.read(1 << 20):
        parts.append(part)
    writer.close()
    whole = b"".join(parts)
    check(whole, tokens)
    return first, len(whole)


def check(body: bytes, tokens: int) -> None:
    """Every token once, in order, and a terminal frame."""
    at = 0
    for n in range(tokens):
        at = body.find(b"t%d " % n, at)
        assert at >= 0, f"token {n} is missing"
    assert b"[DONE]" in body[at:]


async def measure(server: Server, name: str, shape: str, into: Figures) -> None:
    streams, tokens, per_second = SHAPES[shape]
    # Paced streams begin one after another, at the same moments for each contender, so that their
    # tokens do not fall together more often for the one that begins its streams faster.
    apart = 1.02 / per_second if per_second else 0.0
    before = cpu_seconds(server.process.pid)
    done = await asyncio.gather(
        *(read(server.port, name, tokens, per_second, n * apart) for n in range(streams))
    )
    spent = cpu_seconds(server.process.pid) - before
    into.cpu.append(spent * 1e6 / (streams * tokens))
    into.first.append(statistics.median(first for first, _ in done) * 1000)
    into.size.append(sum(size for _, size in done) / (streams * tokens))


def row(name: str, shape: str, runnable: str, ours: Figures, other: Figures, against: str) -> str:
    cpu, cpu_other = statistics.median(ours.cpu), statistics.median(other.cpu)
    ratio = statistics.median(a / b for a, b in zip(ours.cpu, other.cpu, strict=True))
    first = statistics.median(ours.first) - statistics.median(other.first)
    size = statistics.median(ours.size)
    return (
        f"| {name} | {runnable} | {shape} | {cpu:.0f} | {against} {cpu_other:.0f} | {ratio:.2f} |"
        f" {first:+.1f} | {size:.0f} |"
    )


async def run(rounds: int, folder: Path) -> None:
    names = sorted({name for match in MATCHES for name in match})
    options = ("--http=httptools", "--loop=uvloop", "--no-access-log")
    figures: dict[Any, Figures] = {}
    with ExitStack() as stack:
        servers = {
            name: stack.enter_context(
                serving(f"benchmarks.contenders:{name}", folder, options=options)
            )
            for name in names
        }
        for each in range(rounds + 1):
            for runnable, shape, name in product(RUNNABLES, SHAPES, names):
                # The first round warms up.
                into = figures.setdefault((name, runnable, shape), Figures())
                await measure(servers[name], runnable, shape, into if each else Figures())
                print(".", end="", file=sys.stderr, flush=True)
    print("\n| contender | runnable | shape | µs CPU / token | against | ratio | first byte, ms |"
          " bytes / token |\n|---|---|---|---|---|---|---|---|")  # fmt: skip
    for name, against in MATCHES:
        for runnable in RUNNABLES:
            for shape in SHAPES:
                mine, theirs = figures[name, runnable, shape], figures[against, runnable, shape]
                print(row(name, shape, runnable, mine, theirs, against))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="fewer tokens, for a first look")
    options = parser.parse_args()
    if options.quick:
        SHAPES.update(burst=(2, 2000, 0), paced=(20, 100, 50))
    with TemporaryDirectory() as folder:
        asyncio.run(run(options.rounds, Path(folder)))


if __name__ == "__main__":
    main()
