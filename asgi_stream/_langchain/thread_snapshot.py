"""Snapshots of a thread that its run emits: the messages and the state."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from langchain_core.messages import BaseMessage

from ..events import BREAKPOINT, Interrupt, RunFinished, Step, ThreadSnapshot
from .approvals import interrupt_events
from .callbacks.sink import Sink
from .run_request import RunRequest
from .threads.graph_thread import POSITION
from .threads.messages import thread_messages
from .threads.results import open_calls
from .threads.shown import shown_messages
from .threads.state_messages import messages_of
from .threads.waiting import pending


def catch_up(sink: Sink, request: RunRequest, step: Step) -> bool:
    """Put what a thread has when a run on it starts; return whether the run ends with that.

    Args:
        sink: Takes the events.
        request: The run, perhaps on a thread.
        step: The run itself.
    """
    start = None if request.turn is None else request.turn.start
    if start is None:
        return False
    put_snapshot(sink, request, start.values, start.messages, start.changes)
    if start.interrupts is not None:
        sink.put(RunFinished(step, start.values, start.interrupts))
    return start.interrupts is not None


async def stopped_at(
    sink: Sink, request: RunRequest, interrupts: Collection[Any], output: Any
) -> tuple[list[Interrupt], Sequence[BaseMessage] | None]:
    """Return what a run that has ended waits for, and what its thread has then.

    Args:
        sink: Takes the events.
        request: The run, perhaps on a thread.
        interrupts: LangGraph's, that the run has reported.
        output: The run's output.

    Returns:
        The interrupts; and the messages, None if the run does not wait or nobody wants to know.
    """
    interrupts = await _without_passed(request, interrupts)
    messages = await _messages_shown(sink, request) if interrupts else None
    return await _interrupts_shown(request, interrupts, messages or messages_of(output)), messages


async def _messages_shown(sink: Sink, request: RunRequest) -> Sequence[BaseMessage] | None:
    """Return what a thread has at the end of a run that waits; None if nobody wants to know."""
    if request.turn is None or ThreadSnapshot not in sink.wants:
        return None
    thread = request.turn.thread
    return await shown_messages(thread, await thread.state())


async def _without_passed(request: RunRequest, interrupts: Collection[Any]) -> Collection[Any]:
    """Return the interrupts of a run that has ended, without a stop behind which nothing follows.

    LangGraph reports that it stops after a node before it knows whether another one is next.

    Args:
        request: The run.
        interrupts: LangGraph's.
    """
    graph = request.plan.graph
    if BREAKPOINT not in interrupts or graph is None or not graph.checkpointer:
        return interrupts
    configurable = request.config.get("configurable") or {}
    newest = {key: value for key, value in configurable.items() if key not in POSITION}
    snapshot = await graph.aget_state({"configurable": newest})
    return interrupts if snapshot.next else [each for each in interrupts if each is not BREAKPOINT]


async def _interrupts_shown(
    request: RunRequest, interrupts: Collection[Any], messages: Sequence[BaseMessage]
) -> list[Interrupt]:
    """Return the events for the interrupts of a run, with the ids of the calls that they are about.

    Args:
        request: The run, perhaps on a thread, which may know the calls of graphs in the graph.
        interrupts: LangGraph's.
        messages: The messages of the graph.
    """
    events = interrupt_events(interrupts, [(None, messages)] if interrupts else [])
    if request.turn is None or all(call.call_id for each in events for call in each.approvals):
        return events
    thread = request.turn.thread
    known = {each.id: each for each in await pending(thread, await thread.state())}
    return [known.get(each.id, each) for each in events]


def put_snapshot(
    sink: Sink,
    request: RunRequest,
    values: Any,
    messages: Sequence[BaseMessage] | None = None,
    changes: Mapping[str, Any] | None = None,
) -> None:
    """Put a `ThreadSnapshot`, if the run has a thread, and the format of the client one, too.

    Args:
        sink: Takes the event.
        request: The run.
        values: The graph's output.
        messages: The messages of the thread, if not those in `values`.
        changes: What the client changes in `values`.
    """
    if request.turn is None or ThreadSnapshot not in sink.wants or not isinstance(values, Mapping):
        return
    public = messages_of(values)
    shown, left = None, []
    if public or "messages" in request.turn.thread.graph.output_channels:
        messages = public if messages is None else messages
        shown = thread_messages(messages, request.filter, sink.public_message)
        left = [
            str(each["id"]) for each in open_calls(messages) if each["name"] in request.client_tools
        ]
    state = {
        key: value
        for key, value in {**values, **(changes or {})}.items()
        if key != "messages" and value is not public and not str(key).startswith("__")
    }
    sink.put(ThreadSnapshot(shown, state, left))
