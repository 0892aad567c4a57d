"""Measures the contenders side by side: ``python -m benchmarks``.

Each contender is a server in a process of its own, on uvicorn with uvloop and httptools. They are
driven in turn, round after round, over loopback from this process, and their CPU time is that of
their whole process, threads included. Every token is checked to arrive once and in order.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import subprocess
import sys
import venv
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

from tests.redis_server import redis_server
from tests.servers import Server, serving

from .common import RUNNABLES
from .driver import TOKEN, Contender
from .measures import Figures, Shape, Waiting, apart, capacity, measure, stalled, waiting
from .report import chart, tables

HERE = Path(__file__).parent
LANGSERVE = HERE / ".langserve"

OWN = [
    Contender("hand", "contenders:hand"),
    Contender("hand_sr", "contenders:hand_sr"),
    Contender("hand_events", "contenders:hand_events", events=True),
    Contender("hand_models", "contenders:hand_models", events=True),
    Contender("constant", "contenders:constant"),
    Contender("constant_sr", "contenders:constant_sr"),
    Contender("ours", "contenders:ours"),
    Contender("ours_memory", "contenders:ours_memory"),
    Contender("ours_redis", "contenders:ours_redis"),
    Contender("ours_chunks", "contenders:ours_chunks", runnables=("model", "chain")),
    Contender("ours_events", "contenders:ours_events", events=True),
    Contender("ours_models", "contenders:ours_models", events=True),
]


def _vercel(asked: str, runnable: str) -> Any:
    return {"messages": [{"id": "1", "role": "user", "parts": [{"type": "text", "text": asked}]}]}


def _openai(asked: str, runnable: str) -> Any:
    messages = [{"role": "user", "content": asked}]
    return {"model": runnable, "stream": True, "messages": messages}


def _agui(asked: str, runnable: str) -> Any:
    messages = [{"id": "1", "role": "user", "content": asked}]
    every: dict[str, Any] = {"state": {}, "tools": [], "context": [], "forwardedProps": {}}
    return {"threadId": uuid4().hex, "runId": "r", "messages": messages, **every}


def _langgraph(asked: str, runnable: str) -> Any:
    value = {"messages": [["human", asked]]}
    return {"assistant_id": runnable, "input": value, "stream_mode": "messages-tuple"}


FRONT_ENDS = [
    Contender("ours_text", "contenders:ours_text", end=b""),
    Contender("ours_vercel", "contenders:ours_vercel", body=_vercel),
    Contender(
        "ours_openai", "contenders:ours_openai", path="/{runnable}/chat/completions", body=_openai
    ),
    Contender("ours_agui", "contenders:ours_agui", body=_agui, end=b"RUN_FINISHED"),
    Contender(
        "ours_langserve",
        "contenders:ours_langserve",
        path="/{runnable}/stream",
        wrapped=True,
        end=b"event: end",
        runnables=("model", "chain"),
    ),
    Contender(
        "ours_langgraph",
        "contenders:ours_langgraph",
        path="/{runnable}/runs/stream",
        body=_langgraph,
        end=b"event: end",
        runnables=("graph",),
    ),
]
THEIRS = [
    Contender(
        "langserve",
        "langserve_contender:app",
        path="/{runnable}/stream",
        wrapped=True,
        end=b"event: end",
        runnables=("model", "chain"),
    ),
    Contender(
        "langserve_events",
        "langserve_contender:app",
        events=True,
        path="/{runnable}/stream_events",
        wrapped=True,
        end=b"event: end",
        runnables=("model", "chain"),  # it answers 500 to the graph
    ),
    Contender(
        "ag_ui_langgraph",
        "agui_contender:app",
        body=_agui,
        end=b"RUN_FINISHED",
        token=re.compile(rb'"delta":"t(\d+) "'),
        runnables=("graph",),
    ),
]
TUNED = "50000,50,50"
"""Thresholds of the garbage collector, after ``gc.freeze()``, as the README advises."""
PARTS = ("cpu", "capacity", "waiting", "stalled")


@dataclass
class Results:
    """All figures, by contender, Runnable and shape."""

    figures: dict[tuple[str, str, str], Figures] = field(
        default_factory=lambda: defaultdict(Figures)
    )
    capacity: dict[tuple[str, str], int] = field(default_factory=dict)
    waiting: list[tuple[str, str, Waiting]] = field(default_factory=list)
    stalled: dict[tuple[str, str], float] = field(default_factory=dict)


def shapes(quick: bool) -> dict[str, Shape]:
    return {
        "burst": Shape(4, 500 if quick else 2000),
        "paced": Shape(50, 75 if quick else 150, 50, 1.02),
        "one": Shape(1, 1000 if quick else 4000),
        "200": Shape(200, 10 if quick else 40),
    }


@contextmanager
def served(
    contender: Contender, folder: Path, gc: str | None = None, *, alone: bool = True
) -> Iterator[Server]:
    """Its server; `alone`: on a core of its own."""
    python = LANGSERVE / "bin" / "python" if contender in THEIRS else Path(sys.executable)
    options = ("--http=httptools", "--loop=uvloop", "--no-access-log", "--backlog=8192")
    env = {} if gc is None else {"GC": gc}
    with ExitStack() as stack:
        if contender.name == "ours_redis":
            redis = stack.enter_context(redis_server(folder / uuid4().hex))
            env["REDIS"] = redis.url
        server = stack.enter_context(
            serving(
                f"benchmarks.{contender.app}", folder, env=env, options=options, python=str(python)
            )
        )
        stack.enter_context(apart(server) if alone else nullcontext())
        yield server


def langserve() -> Path:
    """Install LangServe and the like where they disturb nothing; the Python that has them."""
    python = LANGSERVE / "bin" / "python"
    if not (LANGSERVE / "installed").exists():
        venv.create(LANGSERVE, clear=True, with_pip=True)
        packages = ["langserve[server]==0.3.3", "ag-ui-langgraph==0.0.47", "uvicorn[standard]"]
        command = [str(python), "-m", "pip", "install", "-q", *packages]
        subprocess.run(command, check=True)
        (LANGSERVE / "installed").touch()
    return python


async def run(parts: list[str], contenders: list[Contender], rounds: int, quick: bool) -> Results:
    results = Results()
    by_name = {contender.name: contender for contender in contenders}
    with TemporaryDirectory() as name:
        folder = Path(name)
        if "cpu" in parts:
            with ExitStack() as stack:
                # On all cores, as users run them: threads of the contenders may use them.
                servers = {
                    each: stack.enter_context(served(each, folder, alone=False))
                    for each in contenders
                }
                await _cpu(servers, shapes(quick), rounds, results)
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
                            found = await waiting(contender, server, streams, 6 if quick else 15)
                        results.waiting.append((contender.name, gc or "default", found))
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
    servers: dict[Contender, Server], asked: dict[str, Shape], rounds: int, results: Results
) -> None:
    for each in range(rounds + 1):
        for runnable in RUNNABLES:
            for name, shape in asked.items():
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
    for runnable in contender.runnables:
        start = 400 if contender.name.startswith("constant") else 100
        seconds = 1.5 if quick else 4
        found = await capacity(contender, server, runnable, start, seconds)
        results.capacity[contender.name, runnable] = found
        _tell()


def _tell() -> None:
    print(".", end="", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"what to measure: {', '.join(PARTS)} (all)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="fewer tokens, for a first look")
    parser.add_argument("--only", default="", help="contenders, with commas")
    parser.add_argument("--no-langserve", action="store_true", help="install nothing")
    parser.add_argument("--chart", type=Path, help="an SVG file to draw the CPU ratios in")
    options = parser.parse_args()
    contenders = OWN + FRONT_ENDS + ([] if options.no_langserve else THEIRS)
    if options.only:
        contenders = [each for each in contenders if each.name in options.only.split(",")]
    if any(each in THEIRS for each in contenders):
        langserve()
    results = asyncio.run(
        run(options.parts or list(PARTS), contenders, options.rounds, options.quick)
    )
    print()
    print(tables(results))
    if options.chart:
        chart(results, options.chart)


if __name__ == "__main__":
    main()
