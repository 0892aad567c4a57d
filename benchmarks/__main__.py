"""Measures the contenders side by side: ``python -m benchmarks``.

Each contender is a server in a process of its own, on uvicorn with uvloop and httptools. They are
driven in turn, round after round, over loopback from this process, and their CPU time is that of
their whole process, threads included. Every token is checked to arrive once and in order.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.servers import Server

from .common import FAKE, RUNNABLES
from .driver import TOKEN, Contender
from .lineup import FRONT_ENDS, OWN, THEIRS
from .measures import Figures, Results, Shape, capacity, measure, stalled, waiting
from .report import chart, tables
from .serving import TUNED, served, upstream

PARTS = ("cpu", "capacity", "waiting", "stalled")


def shapes(quick: bool) -> dict[str, Shape]:
    return {
        "burst": Shape(4, 500 if quick else 2000),
        "paced": Shape(50, 75 if quick else 150, 50, 1.02),
        "one": Shape(1, 1000 if quick else 4000),
        "200": Shape(200, 10 if quick else 40),
    }


async def run(
    parts: list[str], contenders: list[Contender], rounds: int, quick: bool, loads: list[str]
) -> Results:
    results = Results()
    by_name = {contender.name: contender for contender in contenders}
    with TemporaryDirectory() as name:
        folder = Path(name)
        if "cpu" in parts:
            with ExitStack() as stack:
                stack.enter_context(upstream(folder))
                # On all cores, as users run them: threads of the contenders may use them.
                servers = {
                    each: stack.enter_context(served(each, folder, alone=False))
                    for each in contenders
                }
                measured = {name: each for name, each in shapes(quick).items() if name in loads}
                await _cpu(servers, measured, rounds, results)
        if "capacity" in parts:
            for contender in contenders:
                # With Python's own settings it is the collector's pauses that are measured.
                with served(contender, folder, TUNED) as server:
                    await _capacity(contender, server, quick, results)
        if "waiting" in parts:
            for contender in (by_name["hand"], by_name["ours"]):
                for streams in (200, 1000) if quick else (1000, 5000):
                    for gc in (None, TUNED):
                        with served(contender, folder, gc) as server:
                            figures = await waiting(contender, server, streams, 6 if quick else 15)
                        results.waiting.append((contender.name, gc or "default", figures))
                        _tell()
        if "stalled" in parts:
            for contender_name in ("hand", "ours", "hand_events", "ours_events"):
                for runnable in ("model", "graph"):
                    contender = by_name[contender_name]
                    with served(contender, folder) as server:
                        grown = await stalled(
                            contender, server, runnable, 200_000, 3 if quick else 20
                        )
                    results.stalled[contender_name, runnable] = grown
                    _tell()
    return results


async def _cpu(
    servers: dict[Contender, Server], shapes: dict[str, Shape], rounds: int, results: Results
) -> None:
    for each in range(rounds + 1):
        for runnable in RUNNABLES:
            for name, shape in shapes.items():
                for contender, server in servers.items():
                    if runnable not in contender.runnables or (name != "burst" and not each):
                        continue
                    # The first round warms up.
                    key = (contender.name, runnable, name)
                    into = results.figures[key] if each else Figures()
                    await measure(contender, server, runnable, shape, into)
                    _tell()


async def _capacity(contender: Contender, server: Server, quick: bool, results: Results) -> None:
    if contender.events or contender.token is not TOKEN:
        return
    for runnable in (each for each in FAKE if each in contender.runnables):
        start = 400 if contender.name.startswith("constant") else 100
        seconds = 1.5 if quick else 4
        rate = await capacity(contender, server, runnable, start, seconds)
        results.capacity[contender.name, runnable] = rate
        _tell()


def _tell() -> None:
    print(".", end="", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"what to measure: {', '.join(PARTS)} (all)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="fewer tokens, for a first look")
    parser.add_argument("--loads", default="burst,paced,one,200", help="of cpu, with commas")
    parser.add_argument("--only", default="", help="contenders, with commas")
    parser.add_argument("--own", action="store_true", help="without other packages")
    parser.add_argument("--chart", type=Path, help="an SVG file to draw the CPU ratios in")
    options = parser.parse_args()
    contenders = OWN + FRONT_ENDS + ([] if options.own else THEIRS)
    if options.only:
        contenders = [each for each in contenders if each.name in options.only.split(",")]
    results = asyncio.run(
        run(
            options.parts or list(PARTS),
            contenders,
            options.rounds,
            options.quick,
            options.loads.split(","),
        )
    )
    print()
    print(tables(results))
    if options.chart:
        chart(results, options.chart)


if __name__ == "__main__":
    main()
