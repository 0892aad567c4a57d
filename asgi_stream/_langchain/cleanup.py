"""Waits for the tasks of a run that was cancelled or has failed, and cancels orphaned ones."""

from __future__ import annotations

import asyncio
from asyncio import Task
from collections.abc import Iterable
from typing import Any

from .callbacks.tracker import RunTracker
from .tasks import RunTasks

PROMPT_SECONDS = 0.2
"""How long a cancelled task has to cancel those that it awaits, before they count as orphans."""


async def clean_up(
    root: Task[None], tracker: RunTracker, tasks: RunTasks, *, grace: float, moved_on: bool
) -> set[str] | None:
    """Wait until nothing of a run is left running, for at most `grace` seconds.

    A task that is already being cancelled, by anyone, is not cancelled again: that would interrupt
    its clean-up. Orphans, which nobody cancels, are cancelled from the outside in,
    because one of them may be about to cancel those below it.

    Args:
        root: The run's own task, which has been cancelled or is about to end.
        tracker: The run's tracker.
        tasks: The tasks of the event loop's runs.
        grace: Seconds. What is still running after that is left alone.
        moved_on: Whether steps go on in tasks that no callback has reported.

    Returns:
        The names, where known, of what is still running after `grace` seconds; None if nothing is.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + grace
    await _wait({root}, PROMPT_SECONDS)
    if not moved_on:
        await _cancel_orphans(tracker, tracker.tasks())
    while live := {task for task in (root, *await tasks.started_by(tracker)) if not task.done()}:
        await _cancel_orphans(tracker, live)
        if (left := deadline - loop.time()) <= 0:
            break
        await _wait(live, left)
    if tracker.in_threads():
        await asyncio.sleep(max(0.0, deadline - loop.time()))
    live = {task for task in live if not task.done()}
    in_threads = tracker.in_threads()
    return {*in_threads, *tracker.names(live)} if live or in_threads else None


async def _cancel_orphans(tracker: RunTracker, tasks: Iterable[Task[Any]]) -> None:
    while orphans := tracker.orphans(tasks):
        for task in orphans:
            task.cancel()
        await _wait(orphans, PROMPT_SECONDS)


async def _wait(tasks: Iterable[Task[Any]], seconds: float) -> None:
    await asyncio.wait(set(tasks), timeout=seconds)
