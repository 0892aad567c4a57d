"""Limits what is done at once: how many runs begin, and how much is read from a store."""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

A = TypeVar("A")
T = TypeVar("T")

AT_ONCE = 8
"""How much is read from a store at once: fewer than a checkpointer's pool has connections."""


class Gate:
    """Lets tasks pass in order, one per turn of the event loop.

    All tasks that are ready run in the same turn. A run takes 1 to 3 ms before its first token, so
    hundreds of requests that arrive together would block the loop, and every other stream, for
    hundreds of times that.
    """

    def __init__(self) -> None:
        self._passed = False
        self._waiting: deque[Future[None]] = deque()

    async def wait_turn(self) -> None:
        """Return at once if no other task has passed in this turn, or else in a later one."""
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


async def gather_bounded(read: Callable[[A], Awaitable[T]], items: Iterable[A]) -> list[T]:
    """Return what a coroutine function reads for each item, of which it reads `AT_ONCE` at once."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def in_slot(item: A) -> T:
        async with slots:
            return await read(item)

    return await asyncio.gather(*map(in_slot, items))
