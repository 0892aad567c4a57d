"""Keeps what a function of the request has opened until its run has ended, and then closes it."""

from __future__ import annotations

import asyncio
from asyncio import CancelledError, Future
from collections.abc import AsyncGenerator, Generator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
)
from contextvars import copy_context
from functools import partial
from typing import Any

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from .._langchain.tasks import RunTasks
from .._logs import logger


def as_manager(made: object) -> AbstractAsyncContextManager[Any] | None:
    """Return `made` as an async context manager; None if it is neither one nor a generator.

    Args:
        made: An async or plain context manager, or an async or plain generator that yields once.
            The plain ones run in threads.
    """
    if isinstance(made, AsyncGenerator):
        return asynccontextmanager(lambda: made)()
    if isinstance(made, AbstractAsyncContextManager):
        return made
    if isinstance(made, Generator):
        return _InThreads(contextmanager(lambda: made)())
    return _InThreads(made) if isinstance(made, AbstractContextManager) else None


class Opened:
    """A context manager that a task of its own enters, holds and leaves.

    The task is the same for all three, because an anyio cancel scope or task group (of an MCP
    client's session, for example) has to be closed in the task that has opened it, and neither the
    request's task nor the run's lasts from the one to the other.

    Args:
        manager: What to enter.
        path: The route's, for the log.
        tasks: Keeps the task alive.
    """

    def __init__(
        self, manager: AbstractAsyncContextManager[Any], path: str, tasks: RunTasks
    ) -> None:
        loop = asyncio.get_running_loop()
        self._manager = manager
        self._path = path
        self._value: Future[Any] = loop.create_future()
        self._entering = True
        self._released = asyncio.Event()
        self._context = copy_context()
        self._task = loop.create_task(self._hold(), context=self._context)
        tasks.add(self._task)
        self._task.add_done_callback(tasks.discard)

    async def value(self) -> Any:
        """Wait until the manager is entered. If the wait is cancelled, so is the entering.

        Context variables that were set meanwhile are set for the caller too.

        Returns:
            What the manager yields.

        Raises:
            Exception: What the manager raises.
        """
        try:
            value = await self._value
        except CancelledError:
            # A thread cannot be stopped: what it opens is closed as soon as it is open.
            if self._entering and not isinstance(self._manager, _InThreads):
                self._task.cancel()
            raise
        for variable, set_to in self._context.items():
            if variable.get(None) is not set_to:
                variable.set(set_to)
        return value

    def release(self) -> None:
        """Let the manager be left, in its own task. Returns at once; may be called again."""
        self._released.set()

    async def _hold(self) -> None:
        try:
            async with self._manager as value:
                self._entering = False
                if not self._value.done():
                    self._value.set_result(value)
                    await self._released.wait()
        except BaseException as error:
            self._failed(error)

    def _failed(self, error: BaseException) -> None:
        if not self._value.done():
            if not isinstance(error, Exception):
                # It is the request that fails, and neither its task nor the process that ends.
                error, cause = RuntimeError(f"{type(error).__name__} while it was opened"), error
                error.__cause__ = cause
            self._value.set_exception(error)
        elif not isinstance(error, CancelledError):
            when = "in its clean-up" if self._released.is_set() else "while its run went on"
            logger.error("the function of %s failed %s", self._path, when, exc_info=error)


class _InThreads(AbstractAsyncContextManager[Any]):
    """A plain context manager that is entered and left in threads, in the same context."""

    def __init__(self, manager: AbstractContextManager[Any]) -> None:
        self._manager = manager
        self._context = copy_context()

    async def __aenter__(self) -> Any:
        return await run_sync(self._context.run, self._manager.__enter__)

    async def __aexit__(self, *raised: Any) -> bool | None:
        leave = partial(self._context.run, self._manager.__exit__, *raised)
        # Not a thread of the pool: all of them may be waiting for what this one gives back.
        return await run_sync(leave, limiter=CapacityLimiter(1))
