"""Tasks that nobody waits for, none of which ends by an exception that nobody sees."""

from __future__ import annotations

import asyncio
from asyncio import Task
from collections.abc import Coroutine
from typing import Any

from .._logs import logger


class Tasks:
    """Tasks of one event loop.

    Attributes:
        running: Those that are not done.
    """

    def __init__(self) -> None:
        self.running: set[Task[None]] = set()

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> Task[None]:
        task = asyncio.get_running_loop().create_task(_watched(coroutine))
        self.running.add(task)
        task.add_done_callback(self.running.discard)
        return task


async def _watched(coroutine: Coroutine[Any, Any, None]) -> None:
    try:
        await coroutine
    except Exception:
        logger.exception("the store has failed at something that nobody waits for")
