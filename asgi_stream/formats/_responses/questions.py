"""Interrupts as output items of OpenAI's Responses, and the input items that answer them.

A tool call that LangChain's ``HumanInTheLoopMiddleware`` wants to have approved is an
``mcp_approval_request``. Any other interrupt is a ``function_call`` of `QUESTION`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson

from ...errors import NotPending
from ...events import Approval, Interrupt
from ...serialize import to_json
from .._content import refused
from .._spec import Answer
from .object import run_of_item

Item = dict[str, Any]

QUESTION = "langgraph_interrupt"
"""The name of the function by whose call a graph asks its client for a value."""

_call_id = re.compile(r"interrupt_([0-9a-f]{32})_(.*)", re.DOTALL)


def is_approvable(interrupt: Interrupt) -> bool:
    """Return whether an interrupt is about calls which a person may just approve."""
    approvals = interrupt.approvals
    return bool(approvals) and all("approve" in (each.allowed or ["approve"]) for each in approvals)


def approval_request(approval: Approval, call_id: str, server: str) -> Item:
    """Return the item that asks for approval of a call, without its id."""
    return {
        "type": "mcp_approval_request",
        "name": approval.name,
        "arguments": to_json(approval.arguments).decode(),
        "server_label": server,
        "call_id": call_id,
    }


def question(interrupt: Interrupt, run: str) -> Item:
    """Return the item for any other interrupt, without its id.

    Args:
        interrupt: The interrupt.
        run: The id of the run, in hex.
    """
    about = {key: value for key, value in interrupt.document.items() if key != "id"}
    return {
        "type": "function_call",
        "call_id": f"interrupt_{run}_{interrupt.id}",
        "name": QUESTION,
        "arguments": to_json(about).decode(),
        "status": "completed",
    }


def decoded_question(item: Any) -> Interrupt | None:
    """Return the interrupt that an item has been made of; None if it is no question."""
    match item:
        case {"type": "mcp_approval_request", "name": str(name), "arguments": str(text)}:
            call_id, arguments = str(item.get("call_id") or ""), _value(text)
            value = {"type": "tool_approval", "tool_call_id": call_id, "name": name}
            approval = Approval(call_id, name, arguments)
            return Interrupt(str(item.get("id")), {**value, "args": arguments}, None, (approval,))
        case {"type": "function_call", "name": name, "call_id": str(id_), "arguments": str(text)}:
            match_of_id = _call_id.fullmatch(id_) if name == QUESTION else None
            about = _value(text) if match_of_id else None
            if match_of_id and isinstance(about, dict):
                schema = about.get("response_schema")
                return Interrupt(match_of_id[2], about.get("value"), schema)
    return None


def run_of_answer(item: Any) -> str | None:
    """Return the id of the run whose question an item answers; None if it answers none."""
    match item:
        case {"type": "mcp_approval_response", "approval_request_id": id_}:
            return run_of_item(id_) or ""
        case {"type": "function_call_output", "call_id": str(id_)}:
            match_of_id = _call_id.fullmatch(id_)
            return str(UUID(match_of_id[1])) if match_of_id else None
    return None


def last_answers(items: Sequence[Any]) -> list[tuple[int, Any]]:
    """Return the items at the end of a conversation that answer questions, with their indexes."""
    answers: list[tuple[int, Any]] = []
    for n in range(len(items) - 1, -1, -1):
        if run_of_answer(items[n]) is not None:
            answers.insert(0, (n, items[n]))
        elif not is_question(items[n]):
            break
    return answers


def is_question(item: Any) -> bool:
    """Return whether an item is a question, or refers to a request for approval."""
    match item:
        case {"type": "mcp_approval_request"}:
            return True
        case {"type": "function_call", "name": str(name)}:
            return name == QUESTION
        case {"id": str(id_)}:
            return item.get("type") in (None, "item_reference") and id_.startswith("mcpr_")
    return False


def answers_to(
    questions: Mapping[str, Item], run_id: str, answers: Sequence[tuple[int, Any]]
) -> Iterator[Answer]:
    """Yield the answers in items.

    Args:
        questions: The output items of the run that has asked, by their ids.
        run_id: Its id.
        answers: The items, with their indexes.

    Raises:
        NotPending: One of them answers something else.
        InvalidInput: One of them has not the form of an answer, or contradicts another. The error
            names the field.
    """
    values: dict[Any, Any] = {}
    for n, item in answers:
        path = f"input.{n}"
        if run_of_answer(item) != run_id:
            raise NotPending
        answer = _answer_to(questions, path, item)
        question_id = answer.interrupt, answer.call
        if values.setdefault(question_id, answer.value) != answer.value:
            raise refused(path, "another item answers the same question differently")
        yield answer


def _answer_to(questions: Mapping[str, Item], path: str, item: Item) -> Answer:
    if item["type"] == "function_call_output":
        match = _call_id.fullmatch(item["call_id"])
        interrupt = match[2] if match else None
        return Answer(value=_value(item.get("output")), interrupt=interrupt, path=path)
    request = questions.get(item["approval_request_id"])
    if request is None or request["type"] != "mcp_approval_request":
        raise NotPending
    return Answer(value=_decision(path, item), call=request["call_id"], path=path)


def _decision(path: str, item: Item) -> Item:
    approve, reason = item.get("approve"), item.get("reason")
    if not isinstance(approve, bool):
        raise refused(f"{path}.approve", "expected true or false")
    if not isinstance(reason, str | None):
        raise refused(f"{path}.reason", "expected text")
    if approve:
        return {"type": "approve"}
    return {"type": "reject", **({"message": reason} if reason else {})}


def _value(output: Any) -> Any:
    """Return the value in the output of a call, parsed if it is JSON."""
    if isinstance(output, list):
        texts = [each.get("text") for each in output if isinstance(each, dict)]
        output = "".join(text for text in texts if isinstance(text, str))
    try:
        return orjson.loads(output) if isinstance(output, str) else output
    except ValueError:
        return output
