"""What an app holds on one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import pytest

from asgi_stream._lifecycle.active import ActiveRuns

pytestmark = pytest.mark.anyio


async def test_the_end_of_all_runs_is_waited_for_until_a_deadline() -> None:
    active, go_on = ActiveRuns(), asyncio.Event()

    async def work() -> None:
        await go_on.wait()
        active.tasks.discard(task)

    task: asyncio.Task[None] = asyncio.ensure_future(work())
    active.tasks.add(task)
    await active.ended(0.01)
    assert not task.done()
    waits = [asyncio.ensure_future(active.ended_for_all(5)) for _ in range(3)]
    await asyncio.sleep(0)
    waits[0].cancel()  # which does not end the wait of the others
    go_on.set()
    await asyncio.gather(*waits[1:])
    assert task.done()
    await active.ended_for_all(5)


async def test_all_waits_of_an_app_that_is_closed_end_together() -> None:
    active, loop = ActiveRuns(), asyncio.get_running_loop()
    active.keep(Kept(), lambda: None)
    active.close()
    begun = loop.time()
    for _ in range(3):
        await active.ended(1)
    assert 0.9 < loop.time() - begun < 2.5


class Kept:
    """A run that has ended, and waits for its store."""

    closed = False

    def __init__(self) -> None:
        self.on_end: Callable[[], None] | None = None

    def shut_down(self) -> None:
        pass


async def test_the_end_of_a_stored_run_is_waited_for_until_it_is_stored() -> None:
    active, runs, left = ActiveRuns(), [Kept(), Kept()], list[Kept]()
    for run in runs:
        active.keep(run, partial(left.append, run))
    await active.ended(0.01)
    waits = asyncio.ensure_future(active.ended(5))
    for run in runs:
        await asyncio.sleep(0)
        assert not waits.done()
        assert run.on_end
        run.on_end()
    await waits
    assert left == runs
