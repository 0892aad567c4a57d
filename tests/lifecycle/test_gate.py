"""Many requests at once do not block the event loop."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain_core.runnables import RunnableLambda

from asgi_stream import StreamApp, StreamRoute
from asgi_stream._lifecycle.gate import Gate

from ..asgi import post, tokens

pytestmark = pytest.mark.anyio


class Turns:
    """Counts the turns of the event loop."""

    def __init__(self) -> None:
        self.number = 0
        self._loop = asyncio.get_running_loop()
        self._handle = self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self.number += 1
        self._handle = self._loop.call_soon(self._turn)

    def stop(self) -> None:
        self._handle.cancel()


async def test_one_passes_a_gate_in_each_turn_and_in_order() -> None:
    gate, turns = Gate(), Turns()
    passed: list[tuple[int, int]] = []

    async def enter(n: int) -> None:
        await gate.wait_turn()
        passed.append((n, turns.number))

    await asyncio.gather(*map(enter, range(20)))
    turns.stop()
    assert [n for n, _ in passed] == [*range(20)]
    assert len({turn for _, turn in passed}) == 20


async def test_nobody_waits_at_a_free_gate() -> None:
    gate = Gate()
    for _ in range(2):
        passing = gate.wait_turn()
        with pytest.raises(StopIteration):
            passing.send(None)
        await asyncio.sleep(0)
        await asyncio.sleep(0)


async def test_who_leaves_a_gate_holds_up_nobody() -> None:
    gate = Gate()
    entering = [asyncio.ensure_future(gate.wait_turn()) for _ in range(5)]
    await asyncio.sleep(0)
    for task in entering[1:4]:
        task.cancel()
    async with asyncio.timeout(20):
        await asyncio.wait(entering)
    assert [task.cancelled() for task in entering] == [False, True, True, True, False]


@pytest.mark.parametrize("resume", [False, True])
async def test_requests_that_come_together_begin_one_a_turn(resume: bool) -> None:
    turns = Turns()
    begun: list[int] = []

    async def make(request: Any) -> Any:
        begun.append(turns.number)
        return RunnableLambda(lambda x: x)

    app = StreamApp([StreamRoute("/", make, resume=resume)])
    answers = await asyncio.gather(*(post(app, "/", "a") for _ in range(20)))
    turns.stop()
    assert [tokens(answer.body) for answer in answers] == [["a"]] * 20
    assert len(set(begun)) == 20
