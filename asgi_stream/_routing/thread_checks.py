"""What can be wrong with the threads of a route."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any
from warnings import warn

from .._importer import kind_of
from .._langchain.graphs import graph_of
from .._langchain.thread_turn import MULTITASK
from ..formats import Format
from ..routes import StreamRoute
from ..threads import Threads

RAISE = {"SqliteSaver"}
"""Checkpointers whose async methods exist, and raise."""


def policy_of(route: StreamRoute, own: StreamRoute) -> Any:
    """Return the `Threads` of a route, None if it has none; anything else that it was set to."""
    policy: Any = route.threads or None
    if policy is True:
        return own.own_threads if own.threads is True else Threads()
    return policy


def option_problems(route: StreamRoute, policy: Any, kind: type[Format]) -> Iterator[str]:
    """Yield a sentence for each mistake in the options about threads.

    Args:
        route: The route, with its app's defaults.
        policy: What `policy_of` returned.
        kind: The class of its format.
    """
    multitask: Any = route.multitask
    if multitask is not None and multitask not in MULTITASK:
        yield f"multitask must be one of {MULTITASK}, not {multitask!r}"
    if policy is None:
        if multitask is not None:
            yield "multitask: needs threads"
        return
    if not isinstance(policy, Threads):
        yield f"threads must be a Threads or True, not {kind_of(policy)}"
        return
    yield from policy.problems()
    if not kind.threads:
        yield f"threads: clients of the {route.format} format have no threads"


def checkpointer_of(runnable: Any) -> Any:
    """Return the checkpointer of a graph, None if `runnable` is no graph or has none of its own."""
    saver = getattr(graph_of(runnable), "checkpointer", None)
    return None if isinstance(saver, bool) else saver


def graph_problems(runnable: Any) -> Iterator[str]:
    """Yield a sentence if a Runnable cannot have threads."""
    if graph_of(runnable) is None:
        yield f"threads: {kind_of(runnable)} is no LangGraph graph, which could keep them"
        return
    saver = checkpointer_of(runnable)
    if saver is None:
        yield (
            "threads: the graph has no checkpointer to keep them in; compile it with one, such as"
            " checkpointer=InMemorySaver() (langgraph.checkpoint.memory)"
        )
    elif _is_sync(saver):
        yield (
            f"threads: {kind_of(saver)} has sync methods only; use the async class of the same"
            " package"
        )


def warn_of_doubling(route: StreamRoute, kind: type[Format], runnable: Any) -> None:
    """Warn that a graph adds what its checkpointer has to what the client sends again each time."""
    if kind.converses and kind.threads and route.conversation is None and checkpointer_of(runnable):
        warn(
            f"route {route.path!r}: clients of the {route.format} format send the whole"
            " conversation each time, and the graph's checkpointer has it already, so every message"
            " reaches the model twice; set threads=True",
            stacklevel=2,
        )


def _is_sync(saver: Any) -> bool:
    if type(saver).__name__ in RAISE:
        return True
    base = getattr(sys.modules.get("langgraph.checkpoint.base"), "BaseCheckpointSaver", None)
    return base is not None and type(saver).aget_tuple is base.aget_tuple
