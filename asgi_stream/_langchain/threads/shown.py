"""The messages of a thread, with those that only the subgraphs have in which it waits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from ..graphs import graph_of
from .graph_thread import GraphThread, position_of
from .state_messages import messages_of, nested_messages
from .stops import stopped_tasks


async def shown_messages(thread: GraphThread, snapshot: Any) -> Sequence[BaseMessage]:
    """Return the messages of a thread, with those of the subgraphs in which it waits.

    A subgraph that takes the messages of its parent hands the new ones up at its end. A node that
    is a graph does so, too, if it has got messages of its own; the user has not written those.

    Args:
        thread: The thread.
        snapshot: Its state, as LangGraph's ``StateSnapshot``.
    """
    known = messages_of(snapshot.values)
    if not snapshot.interrupts and not await stopped_tasks(thread, snapshot):
        return known
    nested = await thread.state(position_of(snapshot), subgraphs=True)
    ids = [each.id for each in known]
    shown = [*known]
    for each in nested_messages(nested):
        if [message.id for message in each[: len(ids)]] == ids:
            _add(shown, each[len(ids) :])
    for each in _of_nodes(thread.graph, nested):
        _add(shown, [message for message in each if isinstance(message, AIMessage | ToolMessage)])
    return shown


def _add(shown: list[BaseMessage], messages: Sequence[BaseMessage]) -> None:
    """Add the messages that are not there."""
    ids = {each.id for each in shown}
    shown += [each for each in messages if (each.id not in ids if each.id else each not in shown)]


def _of_nodes(graph: Any, snapshot: Any) -> Iterator[Sequence[BaseMessage]]:
    """Yield the messages of the nodes that are graphs, and of such nodes in them."""
    for task in snapshot.tasks:
        inner = graph_of(graph.nodes.get(task.name))
        if inner is not None and hasattr(task.state, "values"):
            yield messages_of(task.state.values)
            yield from _of_nodes(inner, task.state)
