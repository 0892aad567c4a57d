"""Background tasks whose exceptions are logged."""

from __future__ import annotations

import asyncio
from asyncio import Task
from collections.abc import Coroutine
from typing import Any

from .errors import logger


class Tasks:
    """The background tasks of one event loop.

    Attributes:
        running: The tasks that are not done.
    """

    def __init__(self) -> None:
        self.running: set[Task[None]] = set()

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> Task[None]:
        task = asyncio.get_running_loop().create_task(coroutine)
        self.running.add(task)
        task.add_done_callback(self._done)
        return task

    def cancel(self) -> None:
        for task in self.running:
            task.cancel()

    def _done(self, task: Task[None]) -> None:
        self.running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a background task of the store failed", exc_info=error)
