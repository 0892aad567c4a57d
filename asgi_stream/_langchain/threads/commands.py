"""What goes on with a thread: answers, an update of the state, and the nodes to go on at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...errors import InvalidInput, NotPending
from ...formats import Answer, RunSpec
from ..answers import resume_values
from .graph_thread import GraphThread
from .waiting import is_at_breakpoint, open_interrupts, pending

END = "__end__"
"""LangGraph's name for the end of a graph."""


async def command_of(spec: RunSpec, thread: GraphThread, snapshot: Any) -> Any:
    """Return LangGraph's ``Command`` for a request; None if the thread only has to come to its end.

    Args:
        spec: What the client asks for.
        thread: The thread.
        snapshot: Its state.

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
        await thread.update(None, END, spec.checkpoint)
        return None
    resume: Any = None
    if spec.answers:
        resume = await _resume(spec, thread, snapshot)
    return Command(resume=resume, update=spec.update, goto=_targets(thread.graph, goto))


async def _resume(spec: RunSpec, thread: GraphThread, snapshot: Any) -> Any:
    """Return the value that LangGraph resumes with."""
    if spec.checkpoint and await thread.has_gone_on(snapshot):
        # LangGraph would run the steps of the earlier answer again, with that answer.
        raise NotPending
    interrupts = await pending(thread, snapshot)
    waits = is_at_breakpoint(thread, snapshot) or _will_ask(spec.answers, snapshot)
    if not interrupts and waits:
        return spec.answers[0].value
    return resume_values(spec.answers, interrupts)


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
