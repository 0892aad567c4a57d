"""Several deadlines on one timer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from asgi_stream._delivery.deadlines import Deadlines

pytestmark = pytest.mark.anyio


async def test_deadlines_expire_in_order_and_may_move() -> None:
    loop = asyncio.get_running_loop()
    expired: list[str] = []
    done = asyncio.Event()
    begun = loop.time()
    times = {"a": begun + 0.02, "b": begun + 0.01}

    def due() -> list[tuple[float, Callable[[], None]]]:
        return [(at, lambda name=name: expire(name)) for name, at in times.items()]  # type: ignore[misc]

    def expire(name: str) -> None:
        expired.append(name)
        del times[name]
        if not times:
            done.set()

    deadlines = Deadlines(due)
    deadlines.watch()
    times["b"] = begun + 0.04  # later than the timer was set for
    async with asyncio.timeout(20):
        await done.wait()
    assert expired == ["a", "b"]
    assert loop.time() >= begun + 0.04


async def test_nothing_expires_after_the_stop() -> None:
    loop = asyncio.get_running_loop()
    expired: list[int] = []
    deadlines: Deadlines

    def expire() -> None:
        expired.append(1)
        deadlines.stop()

    deadlines = Deadlines(lambda: [(loop.time() - 1, expire)])
    deadlines.watch()
    await asyncio.sleep(0.01)
    deadlines.watch()
    await asyncio.sleep(0.01)
    assert expired == [1]
