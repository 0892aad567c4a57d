"""The messages of graphs that the code of tools and nodes calls, of which LangGraph shows no state.

They have checkpoints like any subgraph's, read in langgraph 1.2.24: a graph's namespace is that of
the task that calls it, with a number for all but the first one; with ``checkpointer=True`` it has
no ids of tasks.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from ..approvals import Conversation
from ..graphs import nodes_of
from .state_messages import messages_of

INTERRUPT = "__interrupt__"
"""The channel to which LangGraph writes the interrupts of a task."""

SENDS = "__pregel_tasks"
"""The channel that has LangGraph's ``Send`` objects, each of which starts a task."""

EDGE = "branch:to:"
"""The beginning of the names of channels by which edges start tasks."""

FIRST = {"source": "input", "step": -1}
"""Metadata that only the first checkpoint of a namespace has."""


async def called_messages(graph: Any, snapshot: Any) -> list[Conversation]:
    """Return the messages of the called graphs that have stopped in a task of a snapshot.

    Args:
        graph: The graph.
        snapshot: Its LangGraph ``StateSnapshot``, with those of its subgraphs.
    """
    saver, thread = graph.checkpointer, snapshot.config["configurable"]["thread_id"]
    return [
        conversation
        for namespace in _namespaces(snapshot)
        async for conversation in _conversations_at(saver, thread, namespace)
    ]


async def messages_in_tasks(graph: Any, snapshot: Any) -> list[Conversation]:
    """Return the messages of the graphs that have stopped in a ``@task`` of a snapshot's tasks.

    The name of a ``@task`` is in their namespaces, and no checkpoint has it: all namespaces of the
    thread are looked through, each by its first checkpoint. With ``durability="exit"`` there is
    none.

    Args:
        graph: The graph.
        snapshot: Its LangGraph ``StateSnapshot``, with those of its subgraphs.
    """
    saver, thread = graph.checkpointer, snapshot.config["configurable"]["thread_id"]
    first = saver.alist({"configurable": {"thread_id": thread}}, filter=FIRST)
    known = [each.config["configurable"]["checkpoint_ns"] async for each in first]
    conversations: list[Conversation] = []
    for task in _namespaces(snapshot):
        for namespace in known:
            if namespace.startswith((f"{task}|", f"{_path(task)}|")):
                saved = await _newest(saver, thread, namespace)
                stopped = _stopped(saved) if saved else {}
                conversations += [(ids, _messages(saved)) for ids in stopped.values()]
    return conversations


def _namespaces(snapshot: Any) -> Iterator[str]:
    """Yield the namespaces of the tasks that have stopped in no subgraph that is shown."""
    around = snapshot.config["configurable"].get("checkpoint_ns") or ""
    for task in snapshot.tasks:
        if hasattr(task.state, "values"):
            yield from _namespaces(task.state)
        elif task.interrupts:
            yield _within(around, task.name, task.id)


async def _conversations_at(saver: Any, thread: str, namespace: str) -> AsyncIterator[Conversation]:
    """Yield the messages of the graph that a task has called, and of those called in it."""
    for first in (namespace, _path(namespace)):
        called, number = first, 0
        while saved := await _newest(saver, thread, called):
            stopped = _stopped(saved)
            for ids in stopped.values():
                yield ids, _messages(saved)
            names = _next(saved.checkpoint["channel_values"])
            for inner in (_within(called, name, id_) for name in names for id_ in stopped):
                async for conversation in _conversations_at(saver, thread, inner):
                    yield conversation
            number += 1
            called = f"{first}|{number}"


async def _newest(saver: Any, thread: str, namespace: str) -> Any:
    """Return the newest checkpoint of a namespace, as its checkpointer has it; None without one."""
    place = {"thread_id": thread, "checkpoint_ns": namespace}
    return await saver.aget_tuple({"configurable": place})


def _messages(saved: Any) -> Any:
    return messages_of(saved.checkpoint["channel_values"])


def _stopped(saved: Any) -> dict[str, set[str]]:
    """Return the tasks that have stopped at a checkpoint: the ids of their interrupts by theirs."""
    return {
        task: {each.id for each in interrupts}
        for task, channel, interrupts in saved.pending_writes
        if channel == INTERRUPT
    }


def _next(values: Any) -> set[str]:
    """Return the names of the nodes that come next, by the values of a checkpoint's channels."""
    edges = {name.removeprefix(EDGE) for name in values if name.startswith(EDGE)}
    return edges | {send.node for send in values.get(SENDS) or ()}


def _path(namespace: str) -> str:
    """Return a namespace without the ids of tasks."""
    return "|".join(nodes_of(namespace.split("|")))


def _within(namespace: str, name: str, task_id: str) -> str:
    return f"{namespace}|{name}:{task_id}".lstrip("|")
