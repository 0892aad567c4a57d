"""Stops what a request waits for when its client leaves before there is an answer."""

from __future__ import annotations

import asyncio
from asyncio import CancelledError, Task
from collections.abc import Awaitable
from typing import Any, TypeVar, cast

from starlette.requests import ClientDisconnect

from .unread_body import RequestBody

T = TypeVar("T")

WATCH_AFTER_SECONDS = 0.25
"""What takes less is not watched, so that most requests cost no task more."""


async def unless_left(work: Awaitable[T], body: RequestBody) -> T:
    """Await `work`, the functions of a route, and cancel it if the client leaves meanwhile.

    Raises:
        ClientDisconnect: It has left.
    """
    watch = _Watch(body)
    try:
        return await work
    except CancelledError:
        if not watch.left:
            raise
        watch.task.uncancel()
        raise ClientDisconnect from None
    finally:
        await watch.close()


class _Watch:
    """Cancels the present task when the client leaves, until it is closed."""

    def __init__(self, body: RequestBody) -> None:
        self.task = cast(Task[Any], asyncio.current_task())
        self.left = False
        self._body = body
        self._watching: Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(WATCH_AFTER_SECONDS, self._begin)

    def _begin(self) -> None:
        self._watching = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        await self._body.left()
        self.left = True
        self.task.cancel()

    async def close(self) -> None:
        self._timer.cancel()
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait({self._watching})  # no two may receive at once
