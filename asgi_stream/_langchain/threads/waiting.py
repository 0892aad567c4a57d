"""What a thread waits for: answers to interrupts, or to go on where its graph stops."""

from __future__ import annotations

from typing import Any

from ...events import Interrupt
from ..approvals import interrupt_events
from .graph_thread import GraphThread, position_of
from .state_messages import messages_of, nested_messages


def open_interrupts(snapshot: Any) -> list[Any]:
    """Return LangGraph's interrupts that have no answer yet.

    A snapshot at a checkpoint that a client names has all that were raised there.
    """
    tasks = (each for each in snapshot.tasks if each.result is None)
    return [interrupt for each in tasks for interrupt in each.interrupts]


async def pending(thread: GraphThread, snapshot: Any) -> list[Interrupt]:
    """Return the interrupts at which a thread waits, with the calls that they are about."""
    interrupts = open_interrupts(snapshot)
    if not interrupts:
        return []
    messages = [messages_of(snapshot.values)]
    events = interrupt_events(interrupts, messages)
    if any(not call.call_id for each in events for call in each.approvals):
        # Asked in a subgraph, with messages of its own.
        nested = await thread.state(position_of(snapshot), subgraphs=True)
        messages = [*messages, *nested_messages(nested)]
        events = interrupt_events(interrupts, messages)
    return events


def is_at_breakpoint(thread: GraphThread, snapshot: Any) -> bool:
    """Return whether a thread has stopped where its graph is compiled to stop."""
    before, after = thread.graph.interrupt_before_nodes, thread.graph.interrupt_after_nodes
    failed = any(task.error for task in snapshot.tasks)
    stops = bool(after or {*before} & {*snapshot.next, "*"})
    return stops and not failed and bool(snapshot.next)
