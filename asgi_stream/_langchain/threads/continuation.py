"""The continuation of a run whose worker has died, from its last checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...events import BREAKPOINT, Interrupt
from .graph_thread import GraphThread
from .state_messages import messages_of, nested_messages
from .waiting import has_stopped, pending


class NotContinuable(Exception):
    """The run cannot go on; the text says why, for the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Continuation:
    """Where a run goes on.

    Attributes:
        snapshot: The state of its thread.
        interrupts: What it has stopped at already, before its end could be sent: then nothing runs.
        calls: The ids of the tool calls in the messages of the thread.
    """

    snapshot: Any
    interrupts: Sequence[Interrupt] | None
    calls: frozenset[str]


async def continuation_of(thread: GraphThread, run_id: str) -> Continuation:
    """Return where a run goes on.

    Args:
        thread: Its thread, which no other run writes to.
        run_id: The run.

    Raises:
        NotContinuable: The thread is not where this run has left it, or stopped in a way that
            LangGraph would pass over.
    """
    snapshot = await thread.state(subgraphs=True)
    if (snapshot.metadata or {}).get("run_id") != run_id:
        raise NotContinuable("it has written no checkpoint, or another run has since")
    if any(task.error for task in snapshot.tasks):
        raise NotContinuable("a node has failed")
    for name, graph in thread.graph.get_subgraphs(recurse=True):
        if graph.interrupt_before_nodes or graph.interrupt_after_nodes:
            raise NotContinuable(
                f"its subgraph {name!r} has breakpoints, where it may have stopped"
            )
    interrupts: Sequence[Interrupt] | None = None
    if snapshot.interrupts and all(task.interrupts or task.result for task in snapshot.tasks):
        interrupts = await pending(thread, snapshot)
    elif await has_stopped(thread, snapshot):
        interrupts = [BREAKPOINT]
    lists = [messages_of(snapshot.values), *nested_messages(snapshot)]
    messages = [message for each in lists for message in each]
    calls = [call["id"] for each in messages for call in getattr(each, "tool_calls", ())]
    return Continuation(snapshot=snapshot, interrupts=interrupts, calls=frozenset(calls))
