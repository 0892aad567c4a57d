"""What a thread waits for: answers to interrupts, or to go on where its graph stops."""

from __future__ import annotations

from typing import Any

from ...events import BREAKPOINT, Interrupt
from ..approvals import interrupt_events
from .called_graphs import called_messages
from .graph_thread import GraphThread, position_of
from .state_messages import messages_of, nested_messages
from .stops import stands_at, stopped_tasks
from .task_results import calls_in_results


def open_interrupts(snapshot: Any) -> list[Any]:
    """Return LangGraph's interrupts that have no answer yet.

    A snapshot at a checkpoint that a client names has all that were raised there.
    """
    tasks = (each for each in snapshot.tasks if each.result is None)
    return [interrupt for each in tasks for interrupt in each.interrupts]


async def pending(thread: GraphThread, snapshot: Any) -> list[Interrupt]:
    """Return what a thread waits for: its interrupts, with the calls that they are about.

    At a breakpoint that is one without a question.
    """
    stopped = await stopped_tasks(thread, snapshot)
    tasks = [each for each in snapshot.tasks if each.id not in stopped]
    interrupts = open_interrupts(snapshot._replace(tasks=tasks))
    if not interrupts:
        return [BREAKPOINT] if await has_stopped(thread, snapshot) else []
    messages = [messages_of(snapshot.values)]
    events = interrupt_events(interrupts, messages)
    if any(not call.call_id for each in events for call in each.approvals):
        # Asked in a subgraph, or in a graph that is called, with messages of its own.
        nested = await thread.state(position_of(snapshot), subgraphs=True)
        messages += [*nested_messages(nested), *await called_messages(thread.graph, nested)]
        messages += await calls_in_results(thread.graph.checkpointer, nested)
        events = interrupt_events(interrupts, messages)
    return events


async def has_stopped(thread: GraphThread, snapshot: Any) -> bool:
    """Return whether a thread stands where its graph, or a subgraph, stops at a node."""
    if not snapshot.next or any(task.error for task in snapshot.tasks):
        return False
    if await stands_at(thread, snapshot, thread.stops_before, thread.stops_after):
        return True
    return bool(await stopped_tasks(thread, snapshot))
