"""Interrupts as questions that MCP's client asks its user, and the answers to them.

https://modelcontextprotocol.io/specification/2026-07-28/basic/patterns/mrtr: the result of a call
has the questions, and the client repeats the call with the answers. What a key of a question begins
with says how its answer is read, so that nothing is remembered in between.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...events import BREAKPOINT, Approval, Interrupt
from ...serialize import text_or_json, to_json
from .._spec import Answer
from .messages import CAPABILITIES, Call, Message, RpcError, object_at

CALL, FIELDS, FIELD = "call:", "fields:", "field:"
"""A decision on a tool call, the whole form as the answer, and its only field as the answer."""

ANSWER = "answer"
"""The name of that field."""

ACTIONS = ("accept", "decline", "cancel")
DECISIONS = ("approve", "reject", "respond")
"""The decisions that a form has. Edited arguments do not fit into one."""

PRIMITIVE = ("string", "number", "integer", "boolean")


def elicits(call: Call) -> bool:
    """Return whether the client of a request can ask its user, and repeat the request then."""
    can = call.meta.get(CAPABILITIES, {}).get("elicitation") if call.stateless else None
    # Without modes, it can show forms.
    return isinstance(can, dict) and (not can or "form" in can)


def input_requests(interrupts: Sequence[Interrupt]) -> dict[str, Message]:
    """Return the questions by their keys; none if the answer to an interrupt fits no form."""
    questions: dict[str, Message] = {}
    for interrupt in interrupts:
        own = dict(_questions(interrupt))
        if not own:
            return {}
        questions |= own
    return questions


def _questions(interrupt: Interrupt) -> Iterator[tuple[str, Message]]:
    if interrupt.approvals:
        kinds = [_decisions(each) for each in interrupt.approvals]
        if all(kinds) and all(each.call_id for each in interrupt.approvals):
            for approval, kind in zip(interrupt.approvals, kinds, strict=True):
                yield CALL + approval.call_id, _form(_about(approval), _decision_form(kind))
    elif interrupt != BREAKPOINT:
        text, schema = _question(interrupt.value), interrupt.response_schema
        if schema is None or _is_primitive(schema):
            field = schema or {"type": "string"}
            form = {"type": "object", "properties": {ANSWER: field}, "required": [ANSWER]}
            yield FIELD + interrupt.id, _form(text, form)
        elif _is_flat(schema):
            yield FIELDS + interrupt.id, _form(text, schema)


def _form(message: str, schema: Message) -> Message:
    params = {"mode": "form", "message": message, "requestedSchema": schema}
    return {"method": "elicitation/create", "params": params}


def _decisions(approval: Approval) -> list[str]:
    return [each for each in DECISIONS if not approval.allowed or each in approval.allowed]


def _decision_form(kinds: Sequence[str]) -> Message:
    text = {"type": "string", "description": "The reason of a rejection, or the response."}
    properties = {"decision": {"type": "string", "enum": [*kinds]}, "message": text}
    return {"type": "object", "properties": properties, "required": ["decision"]}


def _about(approval: Approval) -> str:
    arguments = to_json(approval.arguments).decode()
    return approval.description or f"May {approval.name} be called with {arguments}?"


def _question(value: Any) -> str:
    match value:
        case {"message": str(text)} | {"question": str(text)}:
            return text
    return text_or_json(value)


def _is_primitive(schema: Any) -> bool:
    return isinstance(schema, Mapping) and schema.get("type") in PRIMITIVE


def _is_flat(schema: Any) -> bool:
    """Return whether a schema is one of a form: an object of primitive values."""
    fields = schema.get("properties") if isinstance(schema, Mapping) else None
    return isinstance(fields, Mapping) and all(map(_is_primitive, fields.values()))


def answers_in(params: Mapping[str, Any]) -> list[Answer]:
    """Return the answers to the questions of `input_requests`; others are ignored.

    Raises:
        RpcError: They are not valid.
    """
    responses = object_at(params, "inputResponses")
    answers = (_answer(key, response) for key, response in responses.items())
    return [each for each in answers if each is not None]


def _answer(key: str, response: Any) -> Answer | None:
    path = f"params.inputResponses.{key}"
    action = response.get("action") if isinstance(response, dict) else None
    if action not in ACTIONS:
        raise RpcError.at(f"{path}.action", f"expected one of {', '.join(ACTIONS)}")
    content = object_at(response, "content", path) if action == "accept" else {}
    kind, _, name = key.partition(":")
    refused = action != "accept"
    match f"{kind}:":
        case "call:":
            return Answer(value=_decision(content, refused), call=name, path=path)
        case "fields:" | "field:" if refused:
            return Answer(value={"action": action}, interrupt=name, path=path)
        case "fields:":
            return Answer(value=content, interrupt=name, path=path)
        case "field:":
            return Answer(value=content.get(ANSWER), interrupt=name, path=path)
    return None


def _decision(content: Mapping[str, Any], refused: bool) -> Message:
    kind = "reject" if refused else content.get("decision")
    message = content.get("message") if kind != "approve" else None
    return {"type": kind, **({"message": message} if message else {})}
