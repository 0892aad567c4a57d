"""Lets one request in each turn of an event loop, so that many at once do not hold it up."""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections import deque


class Gate:
    """Spreads work over the turns of an event loop: one task passes in each turn, in order.

    All tasks that are ready run in the same turn of a loop. What a run does before its first token
    takes 1 to 3 ms, so hundreds of requests that come together would hold the loop, and every
    other stream, for as many times that.
    """

    def __init__(self) -> None:
        self._passed = False
        self._waiting: deque[Future[None]] = deque()

    async def pass_(self) -> None:
        """Return at once if nobody else passed in this turn of the loop, else in a later one."""
        loop = asyncio.get_running_loop()
        if not self._passed:
            self._passed = True
            loop.call_soon(self._turn, loop)
            return
        turn = loop.create_future()
        self._waiting.append(turn)
        await turn

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():  # its task may have been cancelled
                turn.set_result(None)
                loop.call_soon(self._turn, loop)
                return
        self._passed = False
