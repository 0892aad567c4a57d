"""Tool calls that wait for a person, as the AI SDK since version 6 shows them.

https://ai-sdk.dev/docs/ai-sdk-ui/chatbot-tool-usage#tool-execution-approval, read in npm ``ai``
7.0.173. The id of an approval is that of its tool call, so that it is the same after a reload.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...events import Approval, Interrupt
from .._spec import Answer

Part = dict[str, Any]

DENIED = "The user denied this tool call."
"""The result of a call that a person has denied."""


def descriptor(interrupt: Interrupt, approval: Approval) -> dict[str, Any]:
    """Return what the part of a tool has as ``approval.descriptor``."""
    schema = interrupt.response_schema
    return {
        "allowedDecisions": list(approval.allowed),
        **({"responseSchema": schema} if schema else {}),
        "interruptId": interrupt.id,
    }


def approval_request(interrupt: Interrupt, approval: Approval, call_id: str) -> Part:
    """Return the part that asks for approval of a call, whose own part precedes it."""
    return {
        "type": "tool-approval-request",
        "approvalId": call_id,
        "toolCallId": call_id,
        **({"reason": approval.description} if approval.description else {}),
        "approvalDescriptor": descriptor(interrupt, approval),
    }


def interrupt_part(interrupt: Interrupt) -> Part:
    """Return the part for any other interrupt."""
    return {"type": "data-interrupt", "id": interrupt.id, "data": interrupt.document}


def answered_parts(message: Mapping[str, Any] | None, answers: Sequence[Answer]) -> Iterator[Part]:
    """Yield the questions of a message that now have an answer; they replace those in it.

    Args:
        message: The message that the answer continues, if it continues one.
        answers: The answers of the request. One that names no interrupt is to all that are open:
            the run asks again at its end what is left.
    """
    ids = {each.interrupt for each in answers}
    for part in (message or {}).get("parts", ()):
        match part:
            case {"type": "data-interrupt", "id": str(id_), "data": {**data}} if ids & {
                id_,
                None,
            } and not data.get("answered"):
                yield {"type": "data-interrupt", "id": id_, "data": {**data, "answered": True}}


def is_rejection(decision: Any) -> bool:
    """Return whether a decision is not to run the call."""
    return isinstance(decision, Mapping) and decision.get("type") == "reject"


class ApprovalDecoder:
    """Makes the interrupts of a stream of the parts that `approval_request` returns."""

    def __init__(self) -> None:
        self._approvals: dict[str, list[Approval]] = {}
        self._schemas: dict[str, Any] = {}

    def add(self, part: Mapping[str, Any], name: str, arguments: Any) -> None:
        """Add a request for approval of a call with this name and these arguments."""
        about = part.get("approvalDescriptor")
        about = about if isinstance(about, dict) else {}
        interrupt_id, call_id = str(about.get("interruptId") or ""), str(part["toolCallId"])
        allowed = tuple(map(str, about.get("allowedDecisions") or ()))
        approval = Approval(call_id, name, arguments, str(part.get("reason") or ""), allowed)
        self._approvals.setdefault(interrupt_id, []).append(approval)
        self._schemas[interrupt_id] = about.get("responseSchema")

    def interrupts(self) -> Iterator[Interrupt]:
        """Yield the interrupts, each with the value that LangChain's middleware gives it."""
        for id_, approvals in self._approvals.items():
            schema = self._schemas[id_]
            value = _batched(approvals) if schema is None else _per_call(approvals[0])
            yield Interrupt(id_, value, schema, tuple(approvals))


def _batched(approvals: Sequence[Approval]) -> dict[str, Any]:
    return {
        "action_requests": [
            {"name": each.name, "args": each.arguments, "description": each.description}
            for each in approvals
        ],
        "review_configs": [
            {"action_name": each.name, "allowed_decisions": list(each.allowed)}
            for each in approvals
        ],
    }


def _per_call(approval: Approval) -> dict[str, Any]:
    return {
        "type": "tool_approval",
        "tool_call_id": approval.call_id,
        "name": approval.name,
        "args": approval.arguments,
        "description": approval.description,
    }
