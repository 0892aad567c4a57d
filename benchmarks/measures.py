"""What is measured of one contender on its server."""

from __future__ import annotations

import asyncio
import os
import socket
import statistics
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers import Server

from .driver import Contender, read_all

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
CORES = sorted(os.sched_getaffinity(0))
LATE_SECONDS = 0.1
"""A server whose 99th percentile of lag is above this has fallen behind."""


@dataclass(frozen=True)
class Shape:
    """How a server is driven: streams at once, tokens each, tokens a second each (0: at will)."""

    streams: int
    tokens: int
    per_second: float = 0.0
    spread: float = 0.0


@dataclass
class Figures:
    """A figure a round."""

    cpu: list[float] = field(default_factory=list)  # microseconds per token
    first: list[float] = field(default_factory=list)  # milliseconds to the first byte, median
    rate: list[float] = field(default_factory=list)  # tokens a second
    size: list[float] = field(default_factory=list)  # bytes per token
    driver: list[float] = field(default_factory=list)  # the driver's share of a core


def cpu_seconds(pid: int) -> float:
    """Of the whole process, threads included."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / TICKS


def resident(pid: int) -> int:
    """Bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE


def tasks(server: Server) -> int:
    with urllib.request.urlopen(f"{server.url}/tasks") as answer:
        return int(answer.read())


@contextmanager
def apart(server: Server) -> Iterator[None]:
    """The server and this process on a core each, if there are two."""
    if len(CORES) > 1:
        os.sched_setaffinity(server.process.pid, CORES[:1])
        os.sched_setaffinity(0, CORES[1:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, CORES)


async def measure(
    contender: Contender, server: Server, runnable: str, shape: Shape, into: Figures
) -> None:
    """CPU, first byte, rate and size for one shape."""
    pid = server.process.pid
    before, own, begun = cpu_seconds(pid), time.process_time(), time.perf_counter()
    readings = await read_all(
        contender,
        server.port,
        runnable,
        streams=shape.streams,
        tokens=shape.tokens,
        per_second=shape.per_second,
        spread=shape.spread,
    )
    took = time.perf_counter() - begun
    spent, own = cpu_seconds(pid) - before, time.process_time() - own
    for reading in readings:
        reading.check(contender, shape.tokens)
    total = shape.streams * shape.tokens
    into.cpu.append(spent * 1e6 / total)
    into.first.append(statistics.median(reading.first for reading in readings) * 1000)
    into.rate.append(total / took)
    into.size.append(sum(reading.size for reading in readings) / total)
    into.driver.append(own / took)


async def capacity(
    contender: Contender, server: Server, runnable: str, start: int, seconds: float
) -> int:
    """How many streams of 50 tokens a second one core serves without falling behind."""
    holds, streams = 0, start
    while True:
        spread = 1.03
        readings = await read_all(
            contender,
            server.port,
            runnable,
            streams=streams,
            tokens=int((seconds + spread) * 50),
            per_second=50,
            spread=spread,
        )
        after = readings[0].begun + spread + 0.3
        lags = sorted(lag for each in readings for lag in each.lags(50, after))
        if lags[int(len(lags) * 0.99)] < LATE_SECONDS:
            holds, streams = streams, int(streams * 1.15)
        elif holds or streams < 10:
            return holds
        else:
            streams = int(streams / 1.3)


@dataclass
class Waiting:
    """What `streams` streams of one token a second need."""

    streams: int
    kib: float  # resident memory for each
    tasks: float  # for each
    rate: float  # tokens a second that came
    p99: float  # milliseconds of lag
    worst: float
    after_kib: float  # resident memory for each, when all have gone


async def waiting(contender: Contender, server: Server, streams: int, seconds: float) -> Waiting:
    pid, ramp = server.process.pid, streams / 1000
    await read_all(
        contender, server.port, "model", streams=20, tokens=3, per_second=10, spread=0
    )  # whatever is imported and made at the first run
    memory, before = resident(pid), tasks(server)
    begun = time.perf_counter()
    reading = asyncio.ensure_future(
        read_all(
            contender,
            server.port,
            "model",
            streams=streams,
            tokens=10_000,
            per_second=1,
            spread=ramp,
            until=begun + ramp + seconds,
        )
    )
    await asyncio.sleep(ramp + seconds - 1)
    held, busy = resident(pid), await asyncio.to_thread(tasks, server)
    readings = await reading
    after = begun + ramp + 1.5
    lags = sorted(lag for each in readings for lag in each.lags(1, after))
    for _ in range(100):
        if tasks(server) <= before:
            break
        await asyncio.sleep(0.2)
    return Waiting(
        streams,
        (held - memory) / streams / 1024,
        (busy - before) / streams,
        len(lags) / (seconds - 1.5),
        lags[int(len(lags) * 0.99)] * 1000,
        lags[-1] * 1000,
        (resident(pid) - memory) / streams / 1024,
    )


async def stalled(
    contender: Contender, server: Server, runnable: str, tokens: int, seconds: float
) -> float:
    """MiB that the server grows by, at most, while a reader takes nothing of `tokens` tokens."""
    pid = server.process.pid
    await read_all(contender, server.port, runnable, streams=2, tokens=3, per_second=0, spread=0)
    memory = resident(pid)
    most = memory
    # The kernel would take megabytes for the reader, and with them the whole answer.
    with socket.socket() as small:
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        small.connect(("127.0.0.1", server.port))
        small.sendall(contender.request(runnable, tokens, 0))
        deadline = time.perf_counter() + seconds
        while time.perf_counter() < deadline:
            await asyncio.sleep(0.1)
            most = max(most, resident(pid))
    return (most - memory) / 2**20


@dataclass
class Results:
    """All figures, by contender, Runnable and shape."""

    figures: dict[tuple[str, str, str], Figures] = field(
        default_factory=lambda: defaultdict(Figures)
    )
    capacity: dict[tuple[str, str], int] = field(default_factory=dict)
    waiting: list[tuple[str, str, Waiting]] = field(default_factory=list)
    stalled: dict[tuple[str, str], float] = field(default_factory=dict)
