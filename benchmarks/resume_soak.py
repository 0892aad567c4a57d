"""Runs on Redis under random faults: ``python -m benchmarks.resume_soak``.

Each run counts. Its readers keep coming back, to either of two servers, until they have a last
frame. Meanwhile readers drop, servers are killed and started again, and so is Redis, with each kind
of persistence in turn (`benchmarks.redis_faults`). A reader must get the numbers from 0 on, each
once and in order, but for those of which a ``gap`` frame says that they are missing; the id of a
frame must mean the same frame to every reader; and a run must end for each reader as its record
says that it has ended. A run whose server was killed ends with ``worker_lost``.

It prints one line for each kind, and exits with 1 if any of that is not so.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import signal
import sys
import time
from asyncio import Future
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import httpx

from tests.servers import Server, serving, stop

from .redis_faults import KINDS, FailingRedis, started

NUMBERS = 60
PER_SECOND = (100, 25)
"""Either, as it falls out: some runs have ended when Redis is back, and others have not."""
READERS = 2

PATIENCE_SECONDS = 120
"""For which a reader comes back; then the run has not ended for it."""

GONE_SECONDS = 6
"""For which a run must be unknown (404), or a position in it (422), to be believed gone."""

FAULTS = (
    *("lost", "doubled", "out of order", "ids with two meanings", "disagreeing ends"),
    "unexpected answers",
)
GONE = "404"


@dataclass
class Field:
    """The servers as they are now; one may be away."""

    kind: str
    redis: FailingRedis
    folder: Path
    stack: ExitStack
    client: httpx.AsyncClient
    servers: list[Server] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    chance: random.Random = field(default_factory=lambda: random.Random(1))

    def start(self) -> Server:
        env = {"REDIS": self.redis.url, "PROBE_LOG": "/dev/null"}
        options = ("--no-access-log", "--http=httptools", "--loop=uvloop", "--log-level=error")
        server = serving("tests.resume.kept:app", self.folder, env=env, options=options)
        return self.stack.enter_context(server)

    @property
    def url(self) -> str:
        """The route on either of the servers."""
        return f"{self.chance.choice(self.servers).url}/stream/count"

    async def disturb(self) -> None:
        """One fault after the other, for ever."""
        while True:
            await asyncio.sleep(self.chance.uniform(1, 4))
            fault = self.chance.choice(["server", "redis", "redis", "cut", "cut", "held"])
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
                await self.redis.fail(self.chance)
            else:
                kind = self.chance.choice(["normal", "pubsub"])
                run: Any = self.redis.client().execute_command
                await asyncio.to_thread(run, "CLIENT KILL", "TYPE", kind)

    def add_fault(self, fault: str, count: int, run: Run, what: str) -> None:
        """Count a fault, and note where it was."""
        if count:
            self.counts[fault] += count
            self.notes.append(f"{fault}: run {run.run_id}, {what}")


@dataclass
class Run:
    """One run, and what its readers have of it together."""

    key: str = field(default_factory=lambda: uuid4().hex)
    run_id: str = ""
    per_second: int = PER_SECOND[0]
    known: asyncio.Event = field(default_factory=asyncio.Event)
    meanings: dict[int, str] = field(default_factory=dict)
    """What each id has stood for."""

    async def read(self, field: Field) -> None:
        readers = [Reader(self, field, starts=n == 0) for n in range(READERS)]
        await asyncio.gather(*(reader.read() for reader in readers))
        state = await self._state(field)
        for reader in readers:
            reader.check()
            if reader.end != state and state == GONE and field.kind != "always":
                field.counts["ends whose record was lost later"] += 1
            elif reader.end != state:
                what = f"ended {reader.end!r} for a reader, and {state!r} in its record"
                field.add_fault("disagreeing ends", 1, self, what)
        field.counts[f"runs that ended: {readers[0].end}"] += 1

    async def _state(self, field: Field) -> str:
        """How the run ended, by its record: ``done``, an error's code, or `GONE`."""
        state = "no answer"
        deadline = time.monotonic() + GONE_SECONDS
        while time.monotonic() < deadline:
            try:
                answer = await field.client.get(
                    f"{field.url}/runs/{self.run_id}", headers={"accept": "application/json"}
                )
            except httpx.HTTPError:
                continue
            if answer.status_code == 200:
                record = answer.json()
                state = record.get("code") or record["state"]
                if record["state"] not in ("pending", "running"):
                    break
            elif answer.status_code != 503:
                state = str(answer.status_code)
            await asyncio.sleep(0.2)
        return state


@dataclass
class Reader:
    """One reader of a run."""

    run: Run
    shared: Field
    starts: bool
    end: str = ""
    last_id: str = ""
    ids: list[int] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    gaps: set[int] = field(default_factory=set)
    """The ids that were said to be missing."""
    refused: dict[str, float] = field(default_factory=dict)
    """Since when it is told that there is nothing, by status."""

    async def read(self) -> None:
        """Come back until there is a last frame, or the run is gone."""
        if not self.starts:
            await self.run.known.wait()
            await asyncio.sleep(self.shared.chance.uniform(0, 2 * NUMBERS / self.run.per_second))
        done = ""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not done:
                    try:
                        done = await self._once()
                    except (httpx.HTTPError, ConnectionError):
                        self.shared.counts["broken connections"] += 1
                    await asyncio.sleep(self.shared.chance.uniform(0, 0.1))
        except TimeoutError:
            self.end = "never"
        else:
            self.end = self.end or done
        self.run.known.set()

    async def _once(self) -> str:
        """Read until the end, a drop or a break; how it ended, if it did."""
        shared, options = self.shared, dict[str, Any](headers={})
        method, url = "GET", f"{shared.url}/runs/{self.run.run_id}"
        if self.last_id:
            options["headers"] = {"last-event-id": self.last_id}
        elif self.starts:
            method, url = "POST", shared.url
            options["headers"] = {"idempotency-key": self.run.key}
            options["json"] = {"key": "", "count": NUMBERS, "per_second": self.run.per_second}
        leaves_at = len(self.ids) + shared.chance.randrange(1, 2 * NUMBERS)
        async with shared.client.stream(method, url, **options) as answer:
            shared.counts[f"answers {answer.status_code}"] += 1
            if answer.status_code != 200:
                return self._refused(str(answer.status_code))
            self.refused.clear()
            if self.starts:
                self.run.run_id = answer.headers["x-run-id"]
                self.run.known.set()
            id_ = ""
            async for line in answer.aiter_lines():
                if line.startswith("id: "):
                    id_ = line[4:]
                elif line.startswith("data: ") and id_:
                    # One without an id is of this connection and not of the run: it comes back.
                    if self._take(line[6:], id_):
                        return "done"
                    id_ = ""
                    if len(self.ids) >= leaves_at:
                        shared.counts["readers that dropped"] += 1
                        return ""
        return ""

    def _refused(self, status: str) -> str:
        """Whether to believe it that there is nothing to read: the status, if so."""
        if status not in ("204", "404", "422"):
            self.shared.add_fault("unexpected answers", int(status != "503"), self.run, status)
            return ""
        since = self.refused.setdefault(status, time.monotonic())
        return status if time.monotonic() - since > GONE_SECONDS else ""

    def _take(self, data: str, id_: str) -> bool:
        """Whether it is the last frame."""
        self.last_id, number = id_, int(id_.rpartition(":")[2])
        what = {} if data == "[DONE]" else json.loads(data)
        if "gap" in what:
            self.shared.counts["gaps announced"] += 1
            self.gaps |= set(range(what["gap"]["first"], what["gap"]["last"] + 1))
            return False
        self.ids.append(number)
        if "error" in what:
            self.end = what["error"]["code"]
        elif "token" in what:
            self.numbers.append(int(what["token"][1:]))
        meant = self.run.meanings.setdefault(number, data)
        if meant != data:
            self.shared.add_fault(
                "ids with two meanings", 1, self.run, f"{number}: {meant}, {data}"
            )
        return data == "[DONE]"

    def check(self) -> None:
        add_fault, ids, numbers = self.shared.add_fault, self.ids, self.numbers
        self.shared.counts["frames"] += len(ids)
        if self.end in ("never", "422", "204"):
            self.shared.counts[f"readers that saw no end: {self.end}"] += 1
        # The number n is that of the frame n + 1, so that either shows what is missing.
        whole = NUMBERS if self.end == "done" else max(numbers, default=-1) + 1
        missing = {n + 1 for n in range(whole)} - {n + 1 for n in numbers}
        missing |= set(range(1, max(ids, default=0) + 1)) - set(ids)
        lost = sorted(missing - self.gaps)
        add_fault("lost", len(lost), self.run, f"{lost[:1]} to {lost[-1:]}, {self.end}")
        doubled = max(len(ids) - len(set(ids)), len(numbers) - len(set(numbers)))
        add_fault("doubled", doubled, self.run, f"of {len(ids)}")
        disorder = max(sum(b < a for a, b in pairwise(each)) for each in (ids, numbers))
        add_fault("out of order", disorder, self.run, f"of {len(ids)}")


async def soak(kind: str, runs: int, at_once: int, folder: Path) -> Field:
    left = iter(range(runs))
    redis = await started(kind, folder / "redis")
    timeout, limits = httpx.Timeout(20), httpx.Limits(max_connections=None)
    try:
        async with httpx.AsyncClient(timeout=timeout, limits=limits) as client:
            with ExitStack() as stack:
                field = Field(kind, redis, folder, stack, client)
                field.servers = [await asyncio.to_thread(field.start) for _ in range(2)]

                async def some() -> None:
                    for _ in left:
                        await Run(per_second=field.chance.choice(PER_SECOND)).read(field)

                disturbing: Future[Any] = asyncio.ensure_future(field.disturb())
                running: Future[Any] = asyncio.gather(*(some() for _ in range(at_once)))
                try:
                    # What makes the faults never ends by itself.
                    await asyncio.wait({disturbing, running}, return_when="FIRST_COMPLETED")
                    if disturbing.done():
                        disturbing.result()
                    await running
                finally:
                    running.cancel()
                    disturbing.cancel()
                    await asyncio.wait({disturbing})
                    for server in field.servers:
                        stop(server.process)
    finally:
        await redis.aclose()
    return field


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.resume_soak", description=__doc__)
    parser.add_argument("--persistence", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--runs", type=int, default=5000, help="of each kind")
    parser.add_argument("--at-once", type=int, default=60)
    parser.add_argument("--details", action="store_true", help="all counts, and the first faults")
    options = parser.parse_args()
    wrong = []
    for kind in options.persistence:
        begun = time.perf_counter()
        with TemporaryDirectory() as folder:
            field = asyncio.run(soak(kind, options.runs, options.at_once, Path(folder)))
        counts, seconds = field.counts, time.perf_counter() - begun
        faults = [f"{counts[fault]} {fault}" for fault in (*FAULTS, "gaps announced")]
        print(f"{kind}: {options.runs} runs in {seconds:.0f} s: {', '.join(faults)}", flush=True)
        if options.details:
            for name, count in sorted(counts.items()):
                print(f"{count:8} {name}")
            print(*field.notes[:20], sep="\n", flush=True)
        if any(counts[fault] for fault in FAULTS):
            wrong.append(kind)
    if wrong:
        sys.exit(f"wrong: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
