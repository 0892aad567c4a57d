"""Interrupts in AG-UI, and the answers to them.

https://docs.ag-ui.com/concepts/interrupts, read in npm ``@ag-ui/client`` 1.0.0 and 0.0.59.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from ...events import Approval, Interrupt
from .._content import refused, text_of
from .._plain_request import answers_of
from .._spec import Answer

Message = dict[str, Any]

CANCELLED = "__agui_cancelled__"
"""The key that ``interrupt()`` returns True for when the person declined to answer.

It is the one of PyPI ``ag-ui-langgraph``, so that a graph works with both.
"""


def answers_in(body: Mapping[str, Any]) -> list[Answer]:
    """Return the answers to interrupts in a ``RunAgentInput``.

    They are in ``resume``, or where clients of CopilotKit's first protocol send them: in
    ``forwardedProps.command.resume``, as LangGraph's ``Command`` takes them, perhaps as JSON.

    Raises:
        InvalidInput: ``resume`` is not valid. The error names the field.
    """
    entries = body.get("resume") or []
    if not isinstance(entries, list):
        raise refused("resume", "expected a list")
    if entries:
        return [_answer(f"resume.{n}", entry) for n, entry in enumerate(entries)]
    match body.get("forwardedProps"):
        case {"command": {"resume": value}} if value is not None:
            return answers_of(_parsed(value), "forwardedProps.command.resume")
    return []


def _answer(path: str, entry: Any) -> Answer:
    entry = entry if isinstance(entry, dict) else {}
    interrupt = text_of(f"{path}.interruptId", entry.get("interruptId"))
    match entry.get("status"):
        case "resolved":
            value = entry.get("payload")
            return Answer(value=value, interrupt=interrupt, path=f"{path}.payload")
        case "cancelled":
            value = {CANCELLED: True, "interrupt_id": interrupt}
            return Answer(value=value, interrupt=interrupt, cancelled=True, path=path)
    raise refused(f"{path}.status", "expected resolved or cancelled")


def _parsed(value: Any) -> Any:
    """Return an answer, parsed if it is JSON: some clients can send text only."""
    try:
        return orjson.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def encode_interrupt(interrupt: Interrupt) -> Message:
    """Return an interrupt as AG-UI's ``Interrupt``.

    Its ``metadata`` has LangGraph's value, and the tool calls to be approved.
    """
    value, approvals = interrupt.value, interrupt.approvals
    fields = value if isinstance(value, Mapping) else {"message": value}
    encoded: Message = {"id": interrupt.id, "reason": "langgraph:interrupt"}
    encoded |= {key: fields[key] for key in ("reason", "message") if _is_text(fields, key)}
    if len(approvals) == 1:
        [approval] = approvals
        encoded["reason"] = "tool_call"
        if approval.description:
            encoded["message"] = approval.description
        if approval.call_id:
            encoded["toolCallId"] = approval.call_id
    schema = interrupt.response_schema or _decisions_schema(approvals)
    if isinstance(schema, Mapping):
        encoded["responseSchema"] = schema
    encoded["metadata"] = {"value": value}
    if approvals:
        encoded["metadata"]["toolCalls"] = [_encode_approval(each) for each in approvals]
    return encoded


def decode_interrupts(outcome: Message) -> Iterator[Interrupt]:
    """Yield the interrupts of a run's outcome."""
    for each in outcome.get("interrupts") or ():
        value = (each.get("metadata") or {}).get("value")
        yield Interrupt(str(each["id"]), value, each.get("responseSchema"))


def _is_text(fields: Mapping[str, Any], key: str) -> bool:
    return isinstance(fields.get(key), str)


def _encode_approval(approval: Approval) -> Message:
    call = {"toolCallId": approval.call_id} if approval.call_id else {}
    return {
        **call,
        "toolCallName": approval.name,
        "args": approval.arguments,
        "description": approval.description,
        "allowedDecisions": list(approval.allowed),
    }


def _decisions_schema(approvals: Sequence[Approval]) -> Message | None:
    """Return the JSON Schema of the answer about several calls; None if there are none."""
    if not approvals:
        return None
    kinds = [
        {"properties": {"type": {"enum": list(each.allowed)}}, "required": ["type"]}
        for each in approvals
    ]
    decisions = {
        "type": "array",
        "prefixItems": [{"type": "object", **kind} for kind in kinds],
        "minItems": len(kinds),
        "maxItems": len(kinds),
    }
    return {
        "type": "object",
        "properties": {"decisions": decisions},
        "required": ["decisions"],
    }
