"""The messages of graphs that the code of tools and nodes calls, of which LangGraph shows no state.

They have checkpoints like any subgraph's, read in langgraph 1.2.24: a graph's namespace is that of
the task that calls it, with a number for all but the first one; with ``checkpointer=True`` it has
no ids of tasks.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from langchain_core.messages import BaseMessage

from ..graphs import nodes_of
from .state_messages import messages_of

INTERRUPT = "__interrupt__"
"""The channel to which LangGraph writes the interrupts of a task."""

SENDS = "__pregel_tasks"
"""The channel that has LangGraph's ``Send`` objects, each of which starts a task."""

EDGE = "branch:to:"
"""The beginning of the names of channels by which edges start tasks."""


async def called_messages(graph: Any, snapshot: Any) -> list[Sequence[BaseMessage]]:
    """Return the messages of the called graphs that have stopped in a task of a snapshot.

    Args:
        graph: The graph.
        snapshot: Its LangGraph ``StateSnapshot``, with those of its subgraphs.
    """
    saver, thread = graph.checkpointer, snapshot.config["configurable"]["thread_id"]
    return [
        messages
        for namespace in _namespaces(snapshot)
        async for messages in _messages_at(saver, thread, namespace)
    ]


def _namespaces(snapshot: Any) -> Iterator[str]:
    """Yield the namespaces of the tasks that have stopped in no subgraph that is shown."""
    around = snapshot.config["configurable"].get("checkpoint_ns") or ""
    for task in snapshot.tasks:
        if hasattr(task.state, "values"):
            yield from _namespaces(task.state)
        elif task.interrupts:
            yield _within(around, task.name, task.id)


async def _messages_at(
    saver: Any, thread: str, namespace: str
) -> AsyncIterator[Sequence[BaseMessage]]:
    """Yield the messages of the graph that a task has called, and of those called in it."""
    path = "|".join(nodes_of(namespace.split("|")))
    for first in (namespace, path):
        called, number = first, 0
        while saved := await saver.aget_tuple(
            {"configurable": {"thread_id": thread, "checkpoint_ns": called}}
        ):
            values = saved.checkpoint["channel_values"]
            stopped = {task for task, channel, _ in saved.pending_writes if channel == INTERRUPT}
            if stopped:
                yield messages_of(values)
            for inner in (_within(called, name, id_) for name in _next(values) for id_ in stopped):
                async for messages in _messages_at(saver, thread, inner):
                    yield messages
            number += 1
            called = f"{first}|{number}"


def _next(values: Any) -> set[str]:
    """Return the names of the nodes that come next, by the values of a checkpoint's channels."""
    edges = {name.removeprefix(EDGE) for name in values if name.startswith(EDGE)}
    return edges | {send.node for send in values.get(SENDS) or ()}


def _within(namespace: str, name: str, task_id: str) -> str:
    return f"{namespace}|{name}:{task_id}".lstrip("|")
