"""The asyncio tasks of runs: those to keep alive, and those that a run has started."""

from __future__ import annotations

import asyncio
import gc
import sys
from asyncio import Task
from collections import defaultdict
from collections.abc import Coroutine
from contextvars import Context, ContextVar
from pathlib import Path
from time import monotonic
from typing import Any

from .._logs import logger

_PACKAGE = str(Path(__file__).parents[1])
_run: ContextVar[object] = ContextVar("asgi_stream_run")

SCAN_SHARE = 0.05
"""The share of an event loop's time that scans of all its tasks may take."""


def start_run(run: object) -> None:
    """Assign the current context to `run`; every task started from here inherits it."""
    _run.set(run)


def in_context_of(run: object) -> bool:
    """Return whether the current task was started by `run`."""
    return _run.get(None) is run


def made_in(task: Task[Any], folder: str) -> bool:
    """Return whether `task` runs a coroutine function that is defined in a file in `folder`."""
    code = getattr(task.get_coro(), "cr_code", None)
    return code is not None and code.co_filename.startswith(folder)


def context_of(task: Task[Any]) -> Context:
    """Return the context that `task` runs in."""
    if sys.version_info >= (3, 12):  # pragma: no cover - coverage is taken on Python 3.11
        return task.get_context()
    # Python 3.11 does not expose a task's context, but its garbage collector does.
    return next((each for each in gc.get_referents(task) if isinstance(each, Context)), Context())


class RunTasks(set[Task[None]]):
    """The tasks of an event loop's runs, which nothing else may keep alive."""

    def __init__(self) -> None:
        super().__init__()
        self._scan: Task[dict[object, set[Task[Any]]]] | None = None
        self._pause = 0.0

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> Task[None]:
        """Run a coroutine in a task of its own, and log what it raises: nobody waits for it."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self.add(task)
        task.add_done_callback(self._done)
        return task

    async def started_by(self, run: object) -> set[Task[Any]]:
        """Return the unfinished tasks that `run` has started, without this package's own.

        One scan of all tasks of the loop serves every run that calls this in the meantime. With
        10,000 tasks a scan takes about 10 ms, and a thousand clients may leave at once.
        """
        if self._scan is None:
            self._scan = asyncio.get_running_loop().create_task(self._by_run(), context=Context())
        by_run = await asyncio.shield(self._scan)
        return {task for task in by_run.get(run, ()) if not task.done()}

    def _done(self, task: Task[None]) -> None:
        self.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a background task failed", exc_info=error)

    async def _by_run(self) -> dict[object, set[Task[Any]]]:
        await asyncio.sleep(self._pause)
        self._scan = None
        started = monotonic()
        by_run: dict[object, set[Task[Any]]] = defaultdict(set)
        for task in asyncio.all_tasks():
            run = context_of(task).get(_run)
            if run is not None and not made_in(task, _PACKAGE):
                by_run[run].add(task)
        self._pause = (monotonic() - started) / SCAN_SHARE
        return by_run
