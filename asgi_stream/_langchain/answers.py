"""The answers to the interrupts at which a thread waits, checked before anything runs."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import InvalidInput, NotPending
from ..events import Approval, Interrupt
from ..formats import Answer
from .approvals import check_decision, is_batched


def resume_values(answers: Sequence[Answer], pending: Sequence[Interrupt]) -> dict[str, Any]:
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
    return values


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
    raise NotPending


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
