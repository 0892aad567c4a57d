"""Cancels work on a request when its client disconnects before the response starts."""

from __future__ import annotations

import asyncio
from asyncio import CancelledError, Task
from collections.abc import Awaitable
from typing import Any, TypeVar, cast

from starlette.requests import ClientDisconnect

from .unread_body import RequestBody

T = TypeVar("T")

WATCH_AFTER_SECONDS = 0.25
"""Work that ends sooner is not watched, so that most requests do not need a second task."""


async def cancel_if_disconnected(work: Awaitable[T], body: RequestBody) -> T:
    """Await `work`, a route's own functions, and cancel it if the client disconnects.

    Raises:
        ClientDisconnect: The client disconnected.
    """
    watch = _Watch(body)
    try:
        return await work
    except CancelledError:
        if not watch.disconnected:
            raise
        watch.task.uncancel()
        raise ClientDisconnect from None
    finally:
        await watch.close()


class _Watch:
    """Cancels the current task when the client disconnects, until it is closed."""

    def __init__(self, body: RequestBody) -> None:
        self.task = cast(Task[Any], asyncio.current_task())
        self.disconnected = False
        self._body = body
        self._watching: Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(WATCH_AFTER_SECONDS, self._begin)

    def _begin(self) -> None:
        self._watching = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        await self._body.wait_for_disconnect()
        self.disconnected = True
        self.task.cancel()

    async def close(self) -> None:
        self._timer.cancel()
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait({self._watching})  # only one task may receive at a time
