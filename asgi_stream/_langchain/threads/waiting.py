"""The interrupts and breakpoints at which a thread waits."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from ...events import BREAKPOINT, Interrupt
from ..approvals import Conversation, distinct, interrupt_events
from .called_graphs import called_messages, messages_in_tasks
from .graph_thread import GraphThread, position_of
from .state_messages import messages_of, nested_messages
from .stops import stands_at, stopped_tasks
from .task_results import calls_in_results


def open_interrupts(snapshot: Any) -> list[Any]:
    """Return LangGraph's interrupts that have no answer yet.

    A snapshot at a checkpoint that a client names has all that were raised there.
    """
    tasks = (each for each in snapshot.tasks if each.result is None)
    return distinct(interrupt for each in tasks for interrupt in each.interrupts)


async def pending(thread: GraphThread, snapshot: Any) -> list[Interrupt]:
    """Return what a thread waits for: its interrupts, with the calls that they are about.

    At a breakpoint that is one without a question.
    """
    stopped = await stopped_tasks(thread, snapshot)
    tasks = [each for each in snapshot.tasks if each.id not in stopped]
    interrupts = open_interrupts(snapshot._replace(tasks=tasks))
    if not interrupts:
        return [BREAKPOINT] if await has_stopped(thread, snapshot) else []
    conversations: list[Conversation] = []
    events: list[Interrupt] = []
    async with aclosing(_conversations(thread, snapshot)) as source:
        async for more in source:
            conversations += more
            events = interrupt_events(interrupts, conversations)
            if all(call.call_id for each in events for call in each.approvals):
                break
    return events


async def _conversations(
    thread: GraphThread, snapshot: Any
) -> AsyncGenerator[list[Conversation], None]:
    """Yield where the calls may be that interrupts are about, what is found fastest first."""
    yield [(None, messages_of(snapshot.values))]
    # Asked in a subgraph, or in a graph that is called, with messages of its own.
    nested = await thread.state(position_of(snapshot), subgraphs=True)
    shown = nested_messages(nested) + await calls_in_results(thread.graph.checkpointer, nested)
    yield [(None, each) for each in shown] + await called_messages(thread.graph, nested)
    yield await messages_in_tasks(thread.graph, nested)


async def has_stopped(thread: GraphThread, snapshot: Any) -> bool:
    """Return whether a thread stands where its graph, or a subgraph, stops at a node."""
    if not snapshot.next or any(task.error for task in snapshot.tasks):
        return False
    if await stands_at(thread, snapshot, thread.stops_before, thread.stops_after):
        return True
    return bool(await stopped_tasks(thread, snapshot))
