"""Interrupts in AG-UI, and the answers to them."""

from __future__ import annotations

from typing import Any

import pytest

from asgi_stream.events import Approval, Interrupt, RunFinished
from asgi_stream.formats import Answer, FormatRequest
from asgi_stream.formats._agui.interrupts import answers_in, decode_interrupts, encode_interrupt
from asgi_stream.formats.agui import AguiFormat

from .script import RUN, refused

SCHEMA = {"type": "string"}
ID = "0123456789abcdef" * 2
OTHER = "f" * 32


def about(*allowed: str) -> dict[str, Any]:
    return {"type": "object", "properties": {"type": {"enum": [*allowed]}}, "required": ["type"]}


@pytest.mark.parametrize(
    ("interrupt", "expected"),
    [
        (
            Interrupt("i", "Shall I?"),
            {"reason": "langgraph:interrupt", "message": "Shall I?"},
        ),
        (Interrupt("i", 5, SCHEMA), {"reason": "langgraph:interrupt", "responseSchema": SCHEMA}),
        (
            Interrupt("i", {"reason": "doubt", "message": "Which?"}, ["no schema"]),
            {"reason": "doubt", "message": "Which?"},
        ),
        (Interrupt("i", {"reason": 1, "message": None}), {"reason": "langgraph:interrupt"}),
        (
            Interrupt("i", "v", SCHEMA, (Approval("c", "add", {"a": 1}, "Add?", ("approve",)),)),
            {
                **{"reason": "tool_call", "message": "Add?", "toolCallId": "c"},
                "responseSchema": SCHEMA,
                "metadata": {
                    "value": "v",
                    "toolCalls": [
                        {
                            **{"toolCallId": "c", "toolCallName": "add", "args": {"a": 1}},
                            **{"description": "Add?", "allowedDecisions": ["approve"]},
                        }
                    ],
                },
            },
        ),
        (
            Interrupt("i", 1, None, (Approval("", "add", {}), Approval("d", "sub", {}))),
            {
                "reason": "langgraph:interrupt",
                "responseSchema": {
                    "type": "object",
                    "properties": {
                        "decisions": {
                            "type": "array",
                            "prefixItems": [about(), about()],
                            **{"minItems": 2, "maxItems": 2},
                        }
                    },
                    "required": ["decisions"],
                },
                "metadata": {
                    "value": 1,
                    "toolCalls": [
                        {
                            **{"toolCallName": "add", "args": {}, "description": ""},
                            "allowedDecisions": [],
                        },
                        {
                            **{"toolCallId": "d", "toolCallName": "sub", "args": {}},
                            **{"description": "", "allowedDecisions": []},
                        },
                    ],
                },
            },
        ),
        (
            Interrupt("i", 1, SCHEMA, (Approval("", "add", {}),)),
            {
                **{"reason": "tool_call", "responseSchema": SCHEMA},
                "metadata": {
                    "value": 1,
                    "toolCalls": [
                        {
                            **{"toolCallName": "add", "args": {}, "description": ""},
                            "allowedDecisions": [],
                        }
                    ],
                },
            },
        ),
    ],
)
def test_an_interrupt_is_this_one(interrupt: Interrupt, expected: dict[str, Any]) -> None:
    encoded = encode_interrupt(interrupt)
    assert encoded == {"id": "i", "metadata": {"value": interrupt.value}, **expected}
    [decoded] = decode_interrupts({"interrupts": [encoded]})
    assert (decoded.id, decoded.value) == ("i", interrupt.value)
    assert decoded.response_schema == expected.get("responseSchema")


def test_no_field_of_an_interrupt_is_null() -> None:
    end = RunFinished(RUN, {}, (Interrupt("i", "v", None, (Approval("", "add", 1),)),))
    assert b"null" not in AguiFormat().encode(end)


@pytest.mark.parametrize(
    ("body", "answers"),
    [
        ({}, []),
        ({"resume": None}, []),
        ({"resume": []}, []),
        (
            {"resume": [{"interruptId": "i", "status": "resolved", "payload": 1}]},
            [Answer(value=1, interrupt="i", path="resume.0.payload")],
        ),
        (
            {
                "resume": [
                    {"interruptId": "i", "status": "resolved"},
                    {"interruptId": "j", "status": "cancelled"},
                ],
                "forwardedProps": {"command": {"resume": "not this one"}},
            },
            [
                Answer(value=None, interrupt="i", path="resume.0.payload"),
                Answer(
                    value={"__agui_cancelled__": True, "interrupt_id": "j"},
                    interrupt="j",
                    cancelled=True,
                    path="resume.1",
                ),
            ],
        ),
        *[
            ({"forwardedProps": {"command": {"resume": resume}}}, answers)
            for resume, answers in [
                (None, []),
                (0, [Answer(value=0, path="forwardedProps.command.resume")]),
                ("yes", [Answer(value="yes", path="forwardedProps.command.resume")]),
                ('{"a":1}', [Answer(value={"a": 1}, path="forwardedProps.command.resume")]),
                (
                    {ID: 1, OTHER: 2},
                    [
                        Answer(
                            value=value,
                            interrupt=id_,
                            path=f"forwardedProps.command.resume.{id_}",
                        )
                        for id_, value in ((ID, 1), (OTHER, 2))
                    ],
                ),
            ]
        ],
        ({"forwardedProps": {"command": "x"}}, []),
        ({"forwardedProps": []}, []),
    ],
)
def test_the_answers_of_a_request_are_these(body: dict[str, Any], answers: list[Answer]) -> None:
    assert answers_in(body) == answers
    whole = {"threadId": "t", "runId": "r", "messages": [], **body}
    spec = AguiFormat().parse(FormatRequest(body=whole, threads=True))
    assert spec.answers == answers
    if answers:
        assert refused(AguiFormat(), whole) == "resume"


@pytest.mark.parametrize(
    ("resume", "field"),
    [
        ({}, None),
        ({"i": 1}, "resume"),
        ([1], "resume.0.interruptId"),
        ([{"interruptId": 1}], "resume.0.interruptId"),
        ([{"interruptId": "i", "status": "maybe"}], "resume.0.status"),
    ],
)
def test_an_answer_that_is_none_is_refused(resume: Any, field: str | None) -> None:
    body = {"threadId": "t", "runId": "r", "messages": [], "resume": resume}
    if field is None:
        assert AguiFormat().parse(FormatRequest(body=body, threads=True)).answers == []
    else:
        assert refused(AguiFormat(), body, threads=True) == field
