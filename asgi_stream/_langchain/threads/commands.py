"""Commands that continue a thread: answers, an update of the state, the next nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...errors import InvalidInput, NotPending
from ...events import BREAKPOINT
from ...formats import Answer, RunSpec
from ..answers import resume_values
from ..messages import rejection
from .graph_thread import GraphThread
from .results import open_calls
from .state_messages import messages_field, messages_of
from .waiting import open_interrupts, pending

END = "__end__"
"""LangGraph's name for the end of a graph."""

CANCELLED = object()
"""The answer at a breakpoint of a person who does not let the graph go on."""


Position = Mapping[str, Any] | None


async def command_of(
    spec: RunSpec, thread: GraphThread, snapshot: Any, position: Position
) -> tuple[Any, Position]:
    """Return the graph's input for a request, and where it goes on.

    Args:
        spec: What the client asks for.
        thread: The thread.
        snapshot: Its state.
        position: Where that is; None: it is the newest one.

    Returns:
        LangGraph's ``Command``; None if the thread only has to go on, or to come to its end.

    Raises:
        NotPending: The thread does not wait for one of the answers.
        InvalidInput: An answer is not valid, or the graph does not have a node.
    """
    from langgraph.types import Command

    goto = [spec.goto] if isinstance(spec.goto, str | Mapping) else list(spec.goto or ())
    if goto == [END] and not spec.answers and spec.update is None:
        if snapshot.created_at is None:
            raise NotPending
        # LangGraph itself would ignore this, and ask again.
        return await _ended(thread, position)
    resume: Any = None
    if spec.answers:
        resume = await _resume(spec, thread, snapshot)
        if resume is CANCELLED:
            return await _rejected(thread, snapshot, position)
    if resume is None and spec.update is None and not goto:
        return None, position  # LangGraph fails at a command with nothing in it
    return Command(resume=resume, update=spec.update, goto=_targets(thread.graph, goto)), position


async def _resume(spec: RunSpec, thread: GraphThread, snapshot: Any) -> Any:
    """Return the value that LangGraph resumes with; at a breakpoint None, or `CANCELLED`."""
    if spec.checkpoint and await thread.has_gone_on(snapshot):
        # LangGraph would run the steps of the earlier answer again, with that answer.
        raise NotPending
    if not open_interrupts(snapshot) and _will_ask(spec.answers, snapshot):
        return spec.answers[0].value
    interrupts = await pending(thread, snapshot)
    values = resume_values(spec.answers, interrupts)
    if interrupts == [BREAKPOINT]:
        # A value would answer what the next node asks.
        return CANCELLED if spec.answers[0].cancelled else None
    # From the checkpoint of a subgraph its steps run again, and so it asks again.
    return dict(values) if (spec.checkpoint or {}).get("checkpoint_ns") else values


async def _rejected(thread: GraphThread, snapshot: Any, position: Position) -> tuple[Any, Position]:
    """Return what goes on where a person has stopped a graph from doing so.

    As with LangChain's middleware the model reads that its calls are rejected. Without any, the
    thread comes to its end.
    """
    rejections = [rejection(each) for each in open_calls(messages_of(snapshot.values))]
    if not rejections:
        return await _ended(thread, position)
    field = messages_field(snapshot.values)
    return rejections if field is None else {field: rejections}, position


async def _ended(thread: GraphThread, position: Position) -> tuple[None, None]:
    await thread.update(None, END, position)
    return None, None


def with_answers(spec: RunSpec, graph: Any, snapshot: Any) -> RunSpec:
    """Return what a client asks for, whose input may be an answer."""
    answers, value = spec.answers_if_waiting, spec.input
    if not answers or not open_interrupts(snapshot):
        return spec
    if isinstance(value, Mapping) and not graph.channels.keys().isdisjoint(value):
        return spec
    return replace(spec, answers=answers, input=None)


def _targets(graph: Any, goto: Sequence[Any]) -> list[Any]:
    from langgraph.types import Send

    targets: list[Any] = []
    for each in goto:
        name: Any = each["node"] if isinstance(each, Mapping) else each
        if name not in graph.nodes:
            raise InvalidInput.at("goto", f"the graph has no node {name!r}")
        targets.append(Send(name, each.get("input")) if isinstance(each, Mapping) else name)
    return targets


def _will_ask(answers: Sequence[Answer], snapshot: Any) -> bool:
    """Return whether the next node may ask what one answer, without an id, is for.

    LangGraph forgets the interrupts of a thread whose state has been written to.
    """
    named = any(each.interrupt or each.call for each in answers)
    written = (snapshot.metadata or {}).get("source") == "update"
    return written and bool(snapshot.next) and len(answers) == 1 and not named
