"""The answers to the interrupts at which a thread waits, checked before anything runs."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ..errors import InvalidInput, NotPending
from ..events import Approval, Interrupt
from ..formats import Answer
from .approvals import check_decision, is_batched

WITHOUT_CHECKPOINTS = (
    "The graph that asks cannot take this answer, because it has no checkpoints: compile it without"
    " checkpointer=False."
)
"""What is wrong with an answer for which LangGraph cannot find the question again."""

UNKNOWN_CALLS = (
    "It is not known which calls wait for an answer: no checkpoint has them. Compile the graph that"
    " asks without checkpointer=False, or answer by the id of the interrupt."
)
"""What is wrong with an answer that names a call, if those that wait have no ids."""


class ResumeValues(dict[str, Any]):
    """Answers by the ids of the interrupts, that notice whether LangGraph passes one of them on.

    Args:
        values: The answers.
        waiting: The ids of all interrupts at which the thread waits.
    """

    def __init__(self, values: Mapping[str, Any], waiting: Collection[str]) -> None:
        super().__init__(values)
        self._waiting = frozenset(waiting)
        self._looked_for: set[object] = set()

    def __contains__(self, interrupt_id: object) -> bool:
        """Return whether there is an answer to an interrupt; LangGraph asks for each task."""
        self._looked_for.add(interrupt_id)
        return super().__contains__(interrupt_id)

    def are_lost(self, interrupts: Collection[str]) -> bool:
        """Return whether no task has got one, and the graph has stopped at new interrupts."""
        ignored = self._looked_for and self._looked_for.isdisjoint(self)
        return bool(ignored) and not self._waiting.issuperset(interrupts)


def resume_values(answers: Sequence[Answer], pending: Sequence[Interrupt]) -> ResumeValues:
    """Return the answers by the ids of the interrupts, as LangGraph's ``Command`` takes them.

    Args:
        answers: The answers of one request.
        pending: The interrupts that the thread waits at.

    Raises:
        NotPending: The thread does not wait for one of the answers.
        InvalidInput: An answer does not say which interrupt it is for, or is not a valid decision.
            The error names the field.
    """
    by_id = {each.id: each for each in pending}
    values: dict[str, Any] = {}
    decisions: dict[str, dict[str, Answer]] = {}
    for answer in answers:
        if answer.call is not None:
            interrupt = _of_call(answer.call, pending)
            decisions.setdefault(interrupt.id, {})[answer.call] = answer
            continue
        interrupt_id = answer.interrupt or _only(answer.path, pending).id
        if interrupt_id not in by_id or interrupt_id in values:
            raise NotPending
        values[interrupt_id] = _checked(answer, by_id[interrupt_id])
    for interrupt_id, by_call in decisions.items():
        if interrupt_id in values:
            raise NotPending
        values[interrupt_id] = _decided(by_call, by_id[interrupt_id])
    return ResumeValues(values, by_id)


def check_passed_on(input: Any, interrupts: Collection[str]) -> None:
    """Check that a graph that has stopped at `interrupts` has got the answers in its input.

    A graph that a task calls and that has no checkpoints starts over instead, and asks again by
    another id. Without an id LangGraph would give it an answer, but to the first of its questions.

    Raises:
        NotPending: It has not got them.
    """
    values = getattr(input, "resume", None)
    if isinstance(values, ResumeValues) and values.are_lost(interrupts):
        raise NotPending(WITHOUT_CHECKPOINTS)


def refused_answer(error: BaseException) -> BaseException:
    """Return the error for an answer that the graph itself has refused; any other unchanged."""
    errors = sys.modules.get("langgraph.errors")
    refuses = getattr(errors, "is_invalid_resume", None)  # since LangGraph 1.2
    if refuses is None or not refuses(error):
        return error
    problems = error.errors() if hasattr(error, "errors") else []
    fields = {".".join(map(str, ("answer", *each["loc"]))): each["msg"] for each in problems}
    refused = InvalidInput("The answer does not have the form that was asked for.", fields=fields)
    refused.__cause__ = error
    return refused


def _only(path: str, pending: Sequence[Interrupt]) -> Interrupt:
    if not pending:
        raise NotPending
    if len(pending) > 1:
        ids = ", ".join(each.id for each in pending)
        raise InvalidInput.at(path, f"the thread waits for several answers; name the ids: {ids}")
    return pending[0]


def _of_call(call_id: str, pending: Sequence[Interrupt]) -> Interrupt:
    for each in pending:
        if call_id in (approval.call_id for approval in each.approvals):
            return each
    unknown = any(not approval.call_id for each in pending for approval in each.approvals)
    raise NotPending(UNKNOWN_CALLS if unknown else None)


def _checked(answer: Answer, interrupt: Interrupt) -> Any:
    approvals, path = interrupt.approvals, f"{answer.path}.decisions"
    if not approvals:
        return answer.value
    decisions = _decisions(answer, approvals)
    if len(decisions) != len(approvals):
        names = ", ".join(each.name for each in approvals)
        raise InvalidInput.at(path, f"expected a list with a decision for each of {names}")
    if not is_batched(interrupt):
        return check_decision(answer.path, decisions[0], approvals[0])
    pairs = enumerate(zip(decisions, approvals, strict=True))
    return {"decisions": [check_decision(f"{path}.{n}", *pair) for n, pair in pairs]}


def _decisions(answer: Answer, approvals: Sequence[Approval]) -> list[Any]:
    """Return the decisions in an answer, which may be one alone if it is about one call."""
    if answer.cancelled:
        return [{"type": "reject"} for _ in approvals]
    match answer.value:
        case {"decisions": list(decisions)}:
            return decisions
        case [*decisions]:
            return decisions
    return [answer.value] if len(approvals) == 1 else []


def _decided(answers: Mapping[str, Answer], interrupt: Interrupt) -> Any:
    """Return the value for an interrupt whose calls are decided one by one."""
    decisions = [_decision(answers, each) for each in interrupt.approvals]
    return {"decisions": decisions} if is_batched(interrupt) else decisions[0]


def _decision(answers: Mapping[str, Answer], approval: Approval) -> Any:
    answer = answers.get(approval.call_id)
    if answer is None:
        problem = f"the call of {approval.name} has no decision; decide on all calls at once"
        raise InvalidInput.at(next(iter(answers.values())).path, problem)
    return check_decision(answer.path, answer.value, approval)
