"""The state of a thread as clients may see it.

https://docs.langchain.com/langsmith/server-api-ref (``ThreadState``), read in PyPI
``langgraph-sdk`` 0.4.14. It is LangGraph's ``StateSnapshot``, reduced to what a run on the route
would send: the fields of the graph's output, and no configuration of the server's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from ...serialize import to_json
from ..approvals import distinct, interrupt_event
from ..chunk_reader import only, public_error
from ..graphs import graph_of
from .graph_thread import GraphThread

METADATA = ("source", "step", "parents", "run_id", "graph_id", "assistant_id", "thread_id")
"""The keys of a checkpoint's metadata that are sent; others may come from the server's config."""


class PublicState:
    """Turns snapshots of one thread into what clients may see.

    Args:
        thread: The thread.
    """

    def __init__(self, thread: GraphThread) -> None:
        self._thread = thread

    def of(self, snapshot: Any, graph: Any = None) -> dict[str, Any]:
        """Return a snapshot as a ``ThreadState``.

        Args:
            snapshot: LangGraph's.
            graph: The graph whose state it is; None: the thread's own.
        """
        graph = graph or self._thread.graph
        metadata = snapshot.metadata or {}
        return {
            "values": self.values(snapshot.values, graph),
            "next": list(snapshot.next),
            "tasks": [self._task(each, graph) for each in snapshot.tasks],
            "metadata": {key: metadata[key] for key in METADATA if key in metadata},
            "created_at": snapshot.created_at,
            "checkpoint": self.checkpoint(snapshot.config),
            "parent_checkpoint": self.checkpoint(snapshot.parent_config),
            "interrupts": _documents(snapshot.interrupts),
        }

    def values(self, values: Any, graph: Any = None) -> Any:
        """Return the part of a state that is in the output of its graph."""
        keys = (graph or self._thread.graph).output_channels
        return values if isinstance(keys, str) else only(values, {*keys})

    def checkpoint(self, config: Any) -> dict[str, Any] | None:
        """Return the position of a snapshot; None if it has no checkpoint."""
        configurable = (config or {}).get("configurable") or {}
        if not configurable.get("checkpoint_id"):
            return None
        position = {
            "thread_id": self._thread.thread_id,
            "checkpoint_ns": configurable.get("checkpoint_ns", ""),
            "checkpoint_id": configurable["checkpoint_id"],
        }
        if checkpoints := configurable.get("checkpoint_map"):
            position["checkpoint_map"] = checkpoints
        return position

    def _task(self, task: Any, graph: Any) -> dict[str, Any]:
        state, checkpoint = None, None
        if isinstance(task.state, Mapping):
            configurable = task.state.get("configurable") or {}
            checkpoint = {**configurable, "thread_id": self._thread.thread_id}
        elif task.state is not None:
            subgraph = _subgraph(graph, task.name)
            state = self.of(task.state, subgraph or graph)
        return {
            "id": task.id,
            "name": task.name,
            "path": list(task.path),
            "error": public_error(task.error),
            "interrupts": _documents(task.interrupts),
            "checkpoint": checkpoint,
            "state": state,
            "result": self.values(task.result, graph) if task.result else task.result,
        }


def _documents(interrupts: Iterable[Any]) -> list[dict[str, Any]]:
    return [interrupt_event(each).document for each in distinct(interrupts)]


def _subgraph(graph: Any, name: str) -> Any:
    subgraphs = dict(graph.get_subgraphs())
    return graph_of(subgraphs[name]) if name in subgraphs else None


def changed_fields(sent: Mapping[str, Any], values: Any) -> set[str]:
    """Return the fields of a client's state that differ from the thread's, as clients see it."""
    # Not all of the state: it may be a long conversation.
    there = orjson.loads(to_json(only(values, sent.keys())))
    known = there if isinstance(there, dict) else {}
    return {name for name, value in sent.items() if name not in known or known[name] != value}
