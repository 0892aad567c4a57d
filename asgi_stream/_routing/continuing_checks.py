"""Checks of routes whose runs other workers take over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .._importer import kind_of
from .._langchain.graphs import checkpointer_of
from ..formats import Format
from ..resume import Resume
from ..threads import Threads

LOCAL_SAVERS = {"InMemorySaver", "MemorySaver"}
"""Checkpointers that keep threads in their process."""

NAME = "resume.on_worker_lost"


def continuing_problems(
    resume: Resume, threads: Any, name: str, kind: type[Format]
) -> Iterator[str]:
    """Yield a sentence for each option with which runs cannot go on.

    Args:
        resume: How runs are stored.
        threads: How threads are kept; None if they are not.
        name: The name of the format.
        kind: Its class.
    """
    shared = "that all workers share, such as a Redis, not memory"
    if hasattr(resume, "opened") and resume.local:
        yield f"{NAME}: needs a store of runs {shared}"
    if threads is None:
        yield f"{NAME}: needs threads, whose checkpoints runs go on from"
    elif isinstance(threads, Threads) and hasattr(threads, "opened") and threads.local:
        yield f"{NAME}: needs a store of threads {shared}"
    if kind.runs and not kind.continues:
        yield f"{NAME}: clients of the {name} format cannot tell what is streamed again"


def has_local_saver(runnable: Any) -> bool:
    """Return whether a graph keeps its threads in this process."""
    return type(checkpointer_of(runnable)).__name__ in LOCAL_SAVERS


def local_problems(runnable: Any) -> Iterator[str]:
    """Yield a sentence if a graph's threads are lost with the worker."""
    if has_local_saver(runnable):
        saver = kind_of(checkpointer_of(runnable))
        yield f"{NAME}: {saver} keeps threads in one process, and they are lost with it"
