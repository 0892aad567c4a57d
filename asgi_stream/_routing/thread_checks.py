"""Checks of the threads of a route."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any
from warnings import warn

from .._importer import kind_of
from .._langchain.graphs import checkpointer_of, graph_of
from .._langchain.served_runnable import ServedRunnable
from .._langchain.threads.claim import MULTITASK
from .._langchain.tool_schema import arguments_of
from ..errors.text import listed
from ..formats import Format
from ..routes import StreamRoute
from ..threads import THREAD_ID, Threads

SYNC_ONLY_SAVERS = {"SqliteSaver"}
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
    if kind.threads_by_runs and not route.resume:
        yield (
            f"threads: the {route.format} format also needs resume, because its clients name a"
            " thread by a stored run"
        )


def graph_problems(served: ServedRunnable, kind: type[Format]) -> Iterator[str]:
    """Yield a sentence if a Runnable cannot have threads in a format."""
    runnable = served.runnable
    if graph_of(runnable) is None:
        yield f"threads: need a LangGraph graph with a checkpointer, not {kind_of(runnable)}"
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
    fields = arguments_of(served).get("properties", {}) if kind.thread_arguments else ()
    if taken := [name for name in kind.thread_arguments if name in fields]:
        yield (
            f"threads: clients cannot send the input's {listed(taken)}, because arguments of that"
            " name are about the thread; rename them, or leave them out of input_schema"
        )


def warn_of_checkpointer(route: StreamRoute, kind: type[Format], runnable: Any) -> None:
    """Warn of a graph with a checkpointer on a route without threads, if that cannot be meant.

    Either no run has the ``thread_id`` without which the checkpointer raises, or the graph adds
    what its checkpointer has to what the client sends again each time.
    """
    if not kind.threads or checkpointer_of(runnable) is None:
        return
    cure = "set threads=True" + (" and resume=True" if kind.threads_by_runs else "")
    if not _has_thread_id(route, runnable):
        problem = "every run fails, because the graph's checkpointer gets no thread_id"
    elif kind.converses and route.conversation is None:
        problem = (
            f"clients of the {route.format} format send the whole conversation each time, and the"
            " graph's checkpointer has it already, so every message reaches the model twice"
        )
    else:
        return
    warn(f"route {route.path!r}: {problem}; {cure}", stacklevel=2)


def _has_thread_id(route: StreamRoute, runnable: Any) -> bool:
    """Return whether a run may have a ``thread_id`` in its ``configurable`` keys."""
    if route.configure is not None or THREAD_ID in route.configurable:
        return True
    configs: list[Any] = [route.config]
    while runnable is not None:
        configs.append(getattr(runnable, "config", None))
        runnable = getattr(runnable, "bound", None)
    return any(THREAD_ID in ((each or {}).get("configurable") or {}) for each in configs)


def _is_sync(saver: Any) -> bool:
    if type(saver).__name__ in SYNC_ONLY_SAVERS:
        return True
    base = getattr(sys.modules.get("langgraph.checkpoint.base"), "BaseCheckpointSaver", None)
    return base is not None and type(saver).aget_tuple is base.aget_tuple
