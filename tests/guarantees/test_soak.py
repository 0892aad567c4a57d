"""Nothing grows with the number of finished runs; ``scripts/soak`` shows it with 20,000."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from benchmarks.driver import Contender, ask, read
from benchmarks.measures import tasks
from benchmarks.soak import run

from ..servers import serving

pytestmark = [pytest.mark.anyio, pytest.mark.alone]  # it measures memory, and tasks


@pytest.mark.parametrize("name", ["ours", "ours_events"])
async def test_nothing_grows_with_the_number_of_finished_runs(name: str, tmp_path: Path) -> None:
    app = f"benchmarks.contenders:{name}"
    contender = Contender(name, app, events=name == "ours_events")
    with serving(app, tmp_path, "uvicorn-httptools-uvloop") as server:
        # An allocator may keep a few MiB once; a leak grows each time.
        assert not (await run(server, contender, 4000) and await run(server, contender, 4000))


@pytest.mark.parametrize("runnable", ["model", "chain", "graph"])
@pytest.mark.parametrize("loop", ["uvicorn-httptools", "uvicorn-httptools-uvloop"])
async def test_runs_that_speak_in_every_turn_of_the_loop_stop(
    runnable: str, loop: str, tmp_path: Path
) -> None:
    """anyio cancels no task that is about to go on, and theirs always are."""
    contender = Contender("ours", "benchmarks.contenders:ours")
    with serving(contender.app, tmp_path, loop) as server:
        await read(server.port, contender.request(runnable, 1, 0))
        before = await anyio.to_thread.run_sync(tasks, server)
        writers = []
        for _ in range(50):
            reader, writer = await ask(server.port, contender.request(runnable, 10_000, 1000))
            assert await reader.read(1000)
            writers.append(writer)
        for writer in writers:
            writer.transport.abort()
        with anyio.fail_after(5):  # they would say for a minute
            while await anyio.to_thread.run_sync(tasks, server) > before:
                await anyio.sleep(0.1)
