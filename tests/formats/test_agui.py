from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from asgi_stream.events import (
    BlockFinished,
    BlockStarted,
    Custom,
    Event,
    FileMade,
    ModelFinished,
    ModelStarted,
    NodeFinished,
    NodeStarted,
    OutputChunk,
    ReasoningDelta,
    RunStarted,
    SourceFound,
    Step,
    TextDelta,
    ToolCallDelta,
    ToolCalled,
    ToolCallStarted,
    ToolFailed,
    ToolFinished,
)
from asgi_stream.formats import FormatRequest, RunSpec
from asgi_stream.formats._sse import short_id
from asgi_stream.formats.agui import AguiFormat

from .script import ENDED, FAILED, FINISHED, MODEL, NODE, RUN, TOOL, WAITS, data, refused, wire

BODY: dict[str, Any] = {
    "threadId": "t",
    "runId": "run",
    "state": {},
    "messages": [{"id": "1", "role": "user", "content": "Hi"}],
    "tools": [],
    "context": [],
    "forwardedProps": {},
}
IDS = {"threadId": "t", "runId": "run"}
ADD = {"name": "add", "description": "Adds."}
AGAIN = Step("n2", "plan", "chain", node="plan")
SUCCESS = {"type": "RUN_FINISHED", **IDS, "outcome": {"type": "success"}}


def custom(name: str, value: Any) -> dict[str, Any]:
    return {"type": "CUSTOM", "name": name, "value": value}


CASES: list[tuple[dict[str, Any], list[Event], str]] = [
    (
        {},
        [
            RunStarted("r"),
            BlockStarted(MODEL, "b", "reasoning"),
            ReasoningDelta(MODEL, "Hm.", "b"),
            BlockFinished(MODEL, "b", "reasoning"),
            BlockStarted(MODEL, "m", "text"),
            TextDelta(MODEL, 'a"\u2028', "m"),
            BlockFinished(MODEL, "m", "text"),
            ENDED,
            ModelFinished(MODEL, "stop"),
            FINISHED,
        ],
        data(
            {"type": "RUN_STARTED", **IDS},
            {"type": "REASONING_START", "messageId": "b"},
            {"type": "REASONING_MESSAGE_START", "messageId": "b", "role": "reasoning"},
            {"type": "REASONING_MESSAGE_CONTENT", "messageId": "b", "delta": "Hm."},
            {"type": "REASONING_MESSAGE_END", "messageId": "b"},
            {"type": "REASONING_END", "messageId": "b"},
            {"type": "TEXT_MESSAGE_START", "messageId": "m", "role": "assistant"},
            {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": 'a"\u2028'},
            {"type": "TEXT_MESSAGE_END", "messageId": "m"},
            {
                **SUCCESS,
                "usage": [
                    {
                        **{"provider": "openai", "model": "m-1"},
                        **{"inputTokens": 3, "outputTokens": 2, "totalTokens": 5},
                        **{"cachedInputTokens": 1, "reasoningTokens": 1},
                    }
                ],
            },
        ),
    ),
    (
        {},
        [
            ToolCallStarted(TOOL, "c", "add", "m"),
            ToolCallDelta(TOOL, "c", "{}"),
            ToolCalled(TOOL, "c", "add", {}),
            ToolFinished(TOOL, "c", "add", 3),
            ToolCallStarted(TOOL, "d", "add"),
            ToolFailed(TOOL, "d", "add", "No."),
            FAILED,
        ],
        data(
            {
                **{"type": "TOOL_CALL_START", "toolCallId": "c", "toolCallName": "add"},
                "parentMessageId": "m",
            },
            {"type": "TOOL_CALL_ARGS", "toolCallId": "c", "delta": "{}"},
            {"type": "TOOL_CALL_END", "toolCallId": "c"},
            {
                **{"type": "TOOL_CALL_RESULT", "messageId": "c-result", "toolCallId": "c"},
                **{"content": "3", "role": "tool"},
            },
            {"type": "TOOL_CALL_START", "toolCallId": "d", "toolCallName": "add"},
            {
                **{"type": "TOOL_CALL_RESULT", "messageId": "d-result", "toolCallId": "d"},
                **{"content": "No.", "role": "tool"},
            },
            {
                **{"type": "RUN_ERROR", "message": "The run failed. (error id e1)"},
                "code": "run_failed",
            },
        ),
    ),
    (
        {"tools": [ADD], "protocolVersion": "1.0"},
        [ToolCallStarted(TOOL, "c", "add", "m", at_client=True), FINISHED],
        data(
            {
                **{"type": "TOOL_CALL_START", "toolCallId": "c", "toolCallName": "add"},
                "parentMessageId": "m",
            },
            {**SUCCESS, "outcome": {"type": "success", "pendingToolCallIds": ["c"]}},
        ),
    ),
    # A step's name must not be open twice.
    (
        {},
        [NodeStarted(NODE), NodeStarted(AGAIN), NodeFinished(NODE), NodeFinished(AGAIN), FINISHED],
        data(
            {"type": "STEP_STARTED", "stepName": "plan"},
            {"type": "STEP_STARTED", "stepName": "plan (2)"},
            {"type": "STEP_FINISHED", "stepName": "plan"},
            {"type": "STEP_FINISHED", "stepName": "plan (2)"},
            SUCCESS,
        ),
    ),
    (
        {},
        [
            Custom(RUN, "progress", {"n": 1}),
            SourceFound(RUN, "s1", "A", "https://example.com/a"),
            SourceFound(RUN, "s2", "B"),
            FileMade(MODEL, "image/png", "data:,"),
            OutputChunk(RUN, {"messages": [1], "plan": "x", "__interrupt__": ()}, "values"),
            OutputChunk(RUN, {"node": {"plan": "x"}}, "updates"),
            WAITS,
        ],
        data(
            custom("progress", {"n": 1}),
            custom("source", {"id": "s1", "title": "A", "url": "https://example.com/a"}),
            custom("source", {"id": "s2", "title": "B"}),
            custom("file", {"mediaType": "image/png", "url": "data:,"}),
            {"type": "STATE_SNAPSHOT", "snapshot": {"plan": "x"}},
            {
                **SUCCESS,
                "outcome": {
                    "type": "interrupt",
                    "interrupts": [
                        {
                            **{"id": "i1", "reason": "langgraph:interrupt", "message": "Shall I?"},
                            "metadata": {"value": "Shall I?"},
                        }
                    ],
                },
            },
        ),
    ),
]


@pytest.mark.parametrize(("body", "events", "expected"), CASES)
def test_events_become_these_bytes(
    body: dict[str, Any], events: list[Event], expected: str
) -> None:
    format = AguiFormat()
    format.parse(FormatRequest(body={**BODY, **body}))
    assert wire(format, *events) == expected


def part(kind: str, how: str, value: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "source": {"type": how, "value": value, **more}}


def test_a_model_s_messages_have_short_ids_that_no_other_run_s_have() -> None:
    blocks: list[Event] = [
        ModelStarted(MODEL),
        ToolCallStarted(TOOL, "c", "add", "m"),
        BlockStarted(MODEL, "m", "text"),
        TextDelta(MODEL, "a", "m"),
        BlockFinished(MODEL, "m", "text"),
        BlockStarted(MODEL, "m-text-2", "text"),
    ]
    run_ids = [str(uuid4()) for _ in range(2)]
    ids = [f"{short_id(run_id, 6)}{n}" for run_id in run_ids for n in (1, 2, 3)]
    assert len(set(ids)) == 6
    assert {len(id_) for id_ in ids} == {9}
    for run_id, own in zip(run_ids, (ids[:3], ids[3:]), strict=True):
        format = AguiFormat()
        format.parse(FormatRequest(body=BODY))
        step = Step(run_id, "chain", "chain")
        events = [RunStarted(run_id), *blocks, BlockStarted(step, run_id, "text")]
        call = {"type": "TOOL_CALL_START", "toolCallId": "c", "toolCallName": "add"}
        assert wire(format, *events, TextDelta(step, "b", run_id)) == data(
            {"type": "RUN_STARTED", **IDS},
            {**call, "parentMessageId": own[0]},
            {"type": "TEXT_MESSAGE_START", "messageId": own[0], "role": "assistant"},
            {"type": "TEXT_MESSAGE_CONTENT", "messageId": own[0], "delta": "a"},
            {"type": "TEXT_MESSAGE_END", "messageId": own[0]},
            {"type": "TEXT_MESSAGE_START", "messageId": own[1], "role": "assistant"},
            {"type": "TEXT_MESSAGE_START", "messageId": own[2], "role": "assistant"},
            {"type": "TEXT_MESSAGE_CONTENT", "messageId": own[2], "delta": "b"},
        )


def test_a_message_of_a_graph_s_code_has_the_id_that_its_state_has() -> None:
    id_ = 'say "no"'
    by_code = Step(id_, "guard", "chat_model", node="guard")
    assert wire(
        AguiFormat(), BlockStarted(by_code, id_, "text"), TextDelta(by_code, "No.", id_)
    ) == (
        data(
            {"type": "TEXT_MESSAGE_START", "messageId": id_, "role": "assistant"},
            {"type": "TEXT_MESSAGE_CONTENT", "messageId": id_, "delta": "No."},
        )
    )


def test_a_run_s_input_becomes_messages_state_and_tools() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}
    content = [
        {"type": "text", "text": "Hi"},
        part("image", "url", "https://example.com/a"),
        part("audio", "data", "AAAA", mimeType="audio/wav"),
        part("document", "url", "data:text/plain;base64,AAAA"),
    ]
    body = {
        **BODY,
        "messages": [
            {"id": "0", "role": "developer", "content": "Be brief."},
            {"id": "1", "role": "user", "content": content},
            {"id": "2", "role": "reasoning", "content": "Hm."},
            {"id": "3", "role": "assistant", "toolCalls": [call]},
            {"id": "4", "role": "tool", "toolCallId": "c", "content": "2"},
            {"id": "5", "role": "tool", "toolCallId": "c", "content": "no", "error": "no"},
        ],
        "state": {"plan": "x"},
        "tools": [ADD, {"name": "sub", "parameters": {"type": "object"}}],
        "forwardedProps": {"tone": 1, "other": 2},
    }
    spec = AguiFormat().parse(FormatRequest(body=body, configurable=("tone",)))
    assert spec.messages == [
        {"role": "system", "id": "0", "content": "Be brief."},
        {
            "role": "user",
            "id": "1",
            "content": [
                {"type": "text", "text": "Hi"},
                {"type": "image", "url": "https://example.com/a"},
                {"type": "audio", "mime_type": "audio/wav", "base64": "AAAA"},
                {"type": "file", "mime_type": "text/plain", "base64": "AAAA"},
            ],
        },
        {
            "role": "assistant",
            "id": "3",
            "content": "",
            "tool_calls": [{"id": "c", "name": "add", "args": {"a": 1}}],
        },
        {"role": "tool", "id": "4", "content": "2", "tool_call_id": "c", "status": "success"},
        {"role": "tool", "id": "5", "content": "no", "tool_call_id": "c", "status": "error"},
    ]
    assert spec.state == {"plan": "x"}
    assert spec.configurable == {"tone": 1}
    assert [tool["function"]["name"] for tool in spec.tools or ()] == ["add", "sub"]


def test_answers_stand_behind_the_message_with_their_call() -> None:
    def calling(id_: str, *call_ids: str) -> dict[str, Any]:
        function = {"name": "add", "arguments": "{}"}
        calls = [{"id": each, "type": "function", "function": function} for each in call_ids]
        return {"id": id_, "role": "assistant", "toolCalls": calls}

    def answer(id_: str, call_id: str) -> dict[str, Any]:
        return {"id": id_, "role": "tool", "toolCallId": call_id, "content": "2"}

    messages = [
        calling("1", "a", "b"),
        {"id": "2", "role": "assistant", "content": "Inner."},
        answer("3", "b"),
        {"id": "4", "role": "assistant", "content": "Stopped."},
        answer("5", "a"),
        {"id": "6", "role": "user", "content": "Again."},
        calling("7", "a", ""),
        {"id": "8", "role": "assistant", "content": "Inner."},
        answer("9", "a"),
        answer("10", "nobody's"),
        answer("11", ""),
    ]
    spec = AguiFormat().parse(FormatRequest(body={**BODY, "messages": messages}))
    assert isinstance(spec, RunSpec)
    order = [each["id"] for each in spec.messages or ()]
    assert order == ["1", "3", "5", "2", "4", "6", "7", "9", "11", "8", "10"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([], "body"),
        ({}, "threadId"),
        ({**BODY, "tools": 1}, "tools"),
        ({**BODY, "resume": [{"interruptId": "i1", "status": "resolved"}]}, "resume"),
        ({**BODY, "tools": [1]}, "tools.0.name"),
        ({**BODY, "messages": 1}, "messages"),
        ({**BODY, "messages": [{"role": "x"}]}, "messages.0.role"),
        ({**BODY, "messages": [{"role": "user", "content": 1}]}, "messages.0.content"),
        (
            {**BODY, "messages": [{"role": "user", "content": [part("image", "file", "x")]}]},
            "messages.0.content.0",
        ),
    ],
)
def test_an_invalid_run_is_refused(body: Any, field: str) -> None:
    assert refused(AguiFormat(), body) == field


def test_a_message_needs_no_id_and_no_name() -> None:
    messages = [{"role": "user", "content": "Hi"}, {"role": "developer", "content": "Be brief."}]
    body = {"threadId": "t", "runId": "r", "messages": messages}
    assert AguiFormat().parse(FormatRequest(body=body)).messages == [
        {"role": "user", "content": "Hi"},
        {"role": "system", "content": "Be brief."},
    ]
