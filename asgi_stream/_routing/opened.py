"""Keeps a context manager of a route's function open until its run has ended."""

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
    """Return `made` as an async context manager, or None if it is neither one nor a generator.

    Args:
        made: An async or sync context manager, or an async or sync generator that yields once. The
            sync ones run in threads.
    """
    if isinstance(made, AsyncGenerator):
        return asynccontextmanager(lambda: made)()
    if isinstance(made, AbstractAsyncContextManager):
        return made
    if isinstance(made, Generator):
        return _InThreads(contextmanager(lambda: made)())
    return _InThreads(made) if isinstance(made, AbstractContextManager) else None


class Opened:
    """A context manager that is entered and exited in a task of its own.

    It is the same task for both, because an anyio cancel scope or task group (of an MCP client's
    session, for example) must be exited in the task that entered it, and neither the request's
    task nor the run's lives long enough.

    Args:
        manager: The context manager.
        path: Path of the route, for the log.
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
        """Return what the manager yields, once it has been entered.

        Context variables that were set meanwhile are set for the caller too. If this is cancelled,
        so is the entering.

        Raises:
            Exception: What the manager raises.
        """
        try:
            value = await self._value
        except CancelledError:
            # A thread cannot be cancelled: what it opens is closed as soon as it is open.
            if self._entering and not isinstance(self._manager, _InThreads):
                self._task.cancel()
            raise
        for variable, set_to in self._context.items():
            if variable.get(None) is not set_to:
                variable.set(set_to)
        return value

    def release(self) -> None:
        """Exit the manager, in its own task. Returns at once; may be called again."""
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
                # This fails the request; it must not end its task or the process.
                error, cause = RuntimeError(f"{type(error).__name__} while it was opened"), error
                error.__cause__ = cause
            self._value.set_exception(error)
        elif not isinstance(error, CancelledError):
            when = "in its clean-up" if self._released.is_set() else "while its run went on"
            logger.error("the function of %s failed %s", self._path, when, exc_info=error)


class _InThreads(AbstractAsyncContextManager[Any]):
    """A sync context manager that is entered and exited in threads, in the same context."""

    def __init__(self, manager: AbstractContextManager[Any]) -> None:
        self._manager = manager
        self._context = copy_context()

    async def __aenter__(self) -> Any:
        return await run_sync(self._context.run, self._manager.__enter__)

    async def __aexit__(self, *raised: Any) -> bool | None:
        leave = partial(self._context.run, self._manager.__exit__, *raised)
        # Not a thread of the pool: all of them may be waiting for what this one releases.
        return await run_sync(leave, limiter=CapacityLimiter(1))
