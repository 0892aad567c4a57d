"""What an app holds on one event loop."""

from __future__ import annotations

import asyncio

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
