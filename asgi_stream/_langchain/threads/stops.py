"""Breakpoints: where a graph and its subgraphs stop before or after some of their nodes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..graphs import graph_of, nodes_of
from .graph_thread import GraphThread, checkpoint_id, position_of

START = "__start__"
"""LangGraph's node that takes the input."""


async def stands_at(thread: GraphThread, snapshot: Any, before: Any, after: Any) -> bool:
    """Return whether a graph stands where it stops.

    Args:
        thread: The thread.
        snapshot: The state of its graph, or of a subgraph, which has not come to its end.
        before: The nodes before which that stops, or ``"*"``.
        after: Those after which it does.
    """
    if _names_one(before, snapshot.next):
        return True
    place = snapshot.config["configurable"]
    previous = checkpoint_id(snapshot.parent_config)
    if not after or not previous:
        return False
    source = (snapshot.metadata or {}).get("source")
    if source != "loop":
        return source != "input"  # written to since; what has run before that is not known
    namespace = place.get("checkpoint_ns")
    parent = await thread.state({"checkpoint_id": previous, "checkpoint_ns": namespace})
    return _names_one(after, parent.next)


async def stopped_tasks(thread: GraphThread, snapshot: Any) -> set[str]:
    """Return the ids of the tasks in which a subgraph stands where it stops, and nothing asks.

    LangGraph still shows what has been asked there before, because the task around it is the same.
    Graphs that it does not know as subgraphs, because a tool calls them, are not found.

    Args:
        thread: The thread.
        snapshot: The state of its graph.
    """
    stops = _stops_of_subgraphs(thread.graph)
    if not snapshot.next or not any(before or after for before, after in stops.values()):
        return set()
    nested = await thread.state(position_of(snapshot), subgraphs=True)
    return {
        task.id
        for task in nested.tasks
        if not _asks(task)
        for each in _states_in(task)
        if await stands_at(thread, each, *stops.get(_path_of(each), ((), ())))
    }


def _stops_of_subgraphs(graph: Any) -> dict[str, tuple[Any, Any]]:
    """Return where the subgraphs of a graph stop, before and after nodes, by their paths."""
    subgraphs = {name: graph_of(each) for name, each in graph.get_subgraphs(recurse=True)}
    return {
        name: (each.interrupt_before_nodes, each.interrupt_after_nodes)
        for name, each in subgraphs.items()
        if each is not None
    }


def _path_of(snapshot: Any) -> str:
    """Return the nodes around the graph whose state a snapshot is."""
    return "|".join(nodes_of(snapshot.config["configurable"]["checkpoint_ns"].split("|")))


def _states_in(task: Any) -> Iterator[Any]:
    """Yield the snapshots of all subgraphs in a task that is not done."""
    if task.result is None and hasattr(task.state, "values"):
        yield task.state
        for each in task.state.tasks:
            yield from _states_in(each)


def _asks(task: Any) -> bool:
    """Return whether something in a task waits for an answer: itself, or tasks of its subgraph."""
    if hasattr(task.state, "values"):
        return any(map(_asks, task.state.tasks))
    return bool(task.interrupts)


def _names_one(stops: Any, nodes: Sequence[str]) -> bool:
    """Return whether a graph that stops at some nodes, or ``"*"``, stops at one of these."""
    names = {*nodes} - {START}
    return bool(names if stops == "*" else names & {*stops})
