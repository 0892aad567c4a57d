"""Recognizes LangGraph graphs and what can be passed to them. LangGraph itself is not imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import signature
from typing import Any


def graph_of(runnable: Any) -> Any:
    """Return the LangGraph graph that `runnable` is or wraps, None if it is no graph."""
    runnable = _unbound(runnable)
    mode = getattr(runnable, "stream_mode", None)
    return runnable if isinstance(mode, str) and hasattr(runnable, "stream_channels") else None


def checkpointer_of(runnable: Any) -> Any:
    """Return the checkpointer of a graph, None if `runnable` is no graph or has none of its own."""
    saver = getattr(graph_of(runnable), "checkpointer", None)
    return None if isinstance(saver, bool) else saver


def nodes_of(namespace: Sequence[str]) -> list[str]:
    """Return the nodes that run at a namespace of LangGraph's, without the ids of their tasks."""
    return [part.partition(":")[0] for part in namespace]


def takes_context(runnable: Any) -> bool:
    """Return whether `runnable` takes a ``context``, as graphs do since LangGraph 0.6."""
    return "context" in signature(_unbound(runnable).astream).parameters


def merged_context(*contexts: Any) -> Any:
    """Return the contexts as one: mappings merged by key, later ones taking precedence.

    Any other value, such as an instance of a graph's ``context_schema``, replaces those before it.
    """
    merged: Any = None
    for context in contexts:
        if isinstance(merged, Mapping) and isinstance(context, Mapping):
            merged = {**merged, **context}
        elif context is not None:
            merged = context
    return merged


def _unbound(runnable: Any) -> Any:
    while hasattr(runnable, "bound"):
        runnable = runnable.bound
    return runnable
