from __future__ import annotations

from typing import Any

import pytest

from asgi_stream.events import (
    BlockFinished,
    BlockStarted,
    Custom,
    Event,
    FileMade,
    ModelStarted,
    NodeStarted,
    ReasoningDelta,
    RunStarted,
    SourceFound,
    Step,
    TextDelta,
    ToolCallDelta,
    ToolCalled,
    ToolCallResumed,
    ToolCallStarted,
    ToolFailed,
    ToolFinished,
)
from asgi_stream.formats import FormatRequest
from asgi_stream.formats.vercel import VercelFormat

from .script import ENDED, FAILED, FINISHED, MODEL, NODE, RUN, TOOL, WAITS, data, refused, wire

START = {"type": "start", "messageId": "r"}
OURS = {"dynamic": True, "providerExecuted": True}
TOKENS = {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}
TOLD = {"usage": {**TOKENS, "cachedInputTokens": 1, "reasoningTokens": 1}}

CASES: list[tuple[list[Event], str]] = [
    (
        [
            RunStarted("r"),
            NodeStarted(NODE),
            ModelStarted(MODEL),
            BlockStarted(MODEL, "m", "text"),
            TextDelta(MODEL, 'a"\u2028', "m"),
            BlockFinished(MODEL, "m", "text"),
            ENDED,
            FINISHED,
        ],
        data(
            START,
            {"type": "start-step"},
            {"type": "text-start", "id": "1"},
            {"type": "text-delta", "id": "1", "delta": 'a"\u2028'},
            {"type": "text-end", "id": "1"},
            {"type": "finish-step"},
            {"type": "finish", "finishReason": "stop", "messageMetadata": TOLD},
            done=True,
        ),
    ),
    (
        [
            BlockStarted(MODEL, "b", "reasoning"),
            ReasoningDelta(MODEL, "Hm.", "b"),
            BlockFinished(MODEL, "b", "reasoning"),
            FAILED,
        ],
        data(
            {"type": "reasoning-start", "id": "1"},
            {"type": "reasoning-delta", "id": "1", "delta": "Hm."},
            {"type": "reasoning-end", "id": "1"},
            {"type": "error", "errorText": "The run failed. (error id e1)"},
            done=True,
        ),
    ),
    (
        [
            ToolCallStarted(TOOL, "c", "add", "m"),
            ToolCallDelta(TOOL, "c", "{}"),
            ToolCalled(TOOL, "c", "add", {}),
            ToolFinished(TOOL, "c", "add", 3),
            ToolCalled(TOOL, "d", "add", "{", valid=False),
            ToolFailed(TOOL, "d", "add", "No."),
        ],
        data(
            {"type": "tool-input-start", "toolName": "add", "toolCallId": "c", **OURS},
            {"type": "tool-input-delta", "toolCallId": "c", "inputTextDelta": "{}"},
            {
                **{"type": "tool-input-available", "toolName": "add", "input": {}},
                **{"toolCallId": "c", **OURS},
            },
            {"type": "tool-output-available", "output": 3, "toolCallId": "c", **OURS},
            {
                **{"type": "tool-input-error", "toolName": "add", "input": "{"},
                **{"errorText": "The arguments are not JSON.", "toolCallId": "d", **OURS},
            },
            {"type": "tool-output-error", "errorText": "No.", "toolCallId": "d", **OURS},
        ),
    ),
    # A chat model that is served alone leaves its calls to the client, save its provider's own.
    (
        [
            RunStarted("m"),
            ToolCallStarted(TOOL, "c", "add", "m"),
            ToolCallStarted(TOOL, "d", "search", "m", hosted=True),
        ],
        data(
            {"type": "start", "messageId": "m"},
            {"type": "tool-input-start", "toolName": "add", "toolCallId": "c", "dynamic": True},
            {"type": "tool-input-start", "toolName": "search", "toolCallId": "d", **OURS},
        ),
    ),
    (
        [
            SourceFound(RUN, "s1", "A", "https://example.com/a"),
            SourceFound(RUN, "s2", "B"),
            FileMade(MODEL, "image/png", "data:,"),
            Custom(RUN, "progress", {"n": 1}),
            Custom(RUN, "progress", {"id": "p"}),
            Custom(RUN, "progress", [1]),
        ],
        data(
            {"type": "source-url", "url": "https://example.com/a", "sourceId": "s1", "title": "A"},
            {
                **{"type": "source-document", "mediaType": "text/plain"},
                **{"sourceId": "s2", "title": "B"},
            },
            {"type": "file", "url": "data:,", "mediaType": "image/png"},
            {"type": "data-progress", "data": {"n": 1}, "transient": True},
            {"type": "data-progress", "data": {"id": "p"}, "id": "p"},
            {"type": "data-progress", "data": [1], "transient": True},
        ),
    ),
    # Models side by side share a step, since its end ends all that is open.
    (
        [ModelStarted(MODEL), ModelStarted(MODEL), ENDED, ENDED, ModelStarted(MODEL), WAITS],
        data(
            {"type": "start-step"},
            {"type": "finish-step"},
            {"type": "start-step"},
            {"type": "data-interrupt", "id": "i1", "data": {"id": "i1", "value": "Shall I?"}},
            {"type": "finish-step"},
            {
                **{"type": "finish", "finishReason": "stop"},
                "messageMetadata": {
                    "usage": {name: 2 * n for name, n in TOLD["usage"].items()},
                },
            },
            done=True,
        ),
    ),
]


@pytest.mark.parametrize(("events", "expected"), CASES)
def test_events_become_these_bytes(events: list[Event], expected: str) -> None:
    assert wire(VercelFormat(), *events) == expected


def test_blocks_that_are_open_at_once_have_ids_of_their_own() -> None:
    other = Step("m2", "model", "chat_model")
    long = "01a219d5-b0f5-77b5-b901-bca0bbcdf5b7"
    events: list[Event] = [
        BlockStarted(MODEL, long, "text"),
        BlockStarted(other, 'a"b', "reasoning"),
        TextDelta(MODEL, "a", long),
        ReasoningDelta(other, "b", 'a"b'),
        BlockFinished(MODEL, long, "text"),
        BlockStarted(MODEL, f"{long}-text-2", "text"),
        TextDelta(MODEL, "c", f"{long}-text-2"),
    ]
    assert wire(VercelFormat(), *events) == data(
        {"type": "text-start", "id": "1"},
        {"type": "reasoning-start", "id": "2"},
        {"type": "text-delta", "id": "1", "delta": "a"},
        {"type": "reasoning-delta", "id": "2", "delta": "b"},
        {"type": "text-end", "id": "1"},
        {"type": "text-start", "id": "3"},
        {"type": "text-delta", "id": "3", "delta": "c"},
    )


def user(*parts: Any) -> Any:
    return {"id": "1", "role": "user", "parts": list(parts)}


def answer(*parts: Any) -> Any:
    return {"id": "2", "role": "assistant", "parts": list(parts)}


TEXT = {"type": "text", "text": "Hi"}


def part(state: str, **more: Any) -> dict[str, Any]:
    return {"type": "tool-add", "toolCallId": "c", "state": state, "input": {"a": 1}, **more}


def test_a_chat_becomes_messages() -> None:
    messages = [
        {"id": "0", "role": "system", "parts": [{"type": "text", "text": "Be brief."}]},
        user(TEXT, {"type": "data-x", "data": 1}),
        answer(
            {"type": "step-start"},
            {"type": "reasoning", "text": "Hm."},
            TEXT,
            part("output-available", output={"sum": 3}),
            part("input-streaming", toolCallId="never"),
            {"type": "step-start"},
            part("output-error", errorText="No.", type="dynamic-tool", toolName="sub", input=None),
            part("output-denied"),
            {"type": "step-start"},
            {"type": "text", "text": "Done."},
        ),
    ]
    call = VercelFormat().parse(
        FormatRequest(
            body={"id": "chat", "messages": messages, "tone": 1}, configurable=("tone", "x")
        )
    )
    assert call.configurable == {"tone": 1}
    assert call.messages == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {
            "role": "assistant",
            "content": "Hi",
            "tool_calls": [{"id": "c", "name": "add", "args": {"a": 1}}],
        },
        {"role": "tool", "tool_call_id": "c", "content": '{"sum":3}', "status": "success"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {"id": "c", "name": "sub", "args": {}},
                {"id": "c", "name": "add", "args": {"a": 1}},
            ],
        },
        {"role": "tool", "tool_call_id": "c", "content": "No.", "status": "error"},
        {
            **{"role": "tool", "tool_call_id": "c", "status": "error"},
            "content": "The user denied this tool call.",
        },
        {"role": "assistant", "content": "Done."},
    ]


def test_a_message_that_goes_on_keeps_its_id() -> None:
    format = VercelFormat()
    format.parse(FormatRequest(body={"messages": [user(TEXT), answer(TEXT)]}))
    assert wire(format, RunStarted("r")) == data({"type": "start"})


def test_a_call_of_an_earlier_message_is_shown_again_before_its_answer() -> None:
    answered: list[Event] = [
        ToolCallResumed(TOOL, "c", "add", {"a": 1}),
        ToolFinished(TOOL, "c", "add", 3),
    ]
    again = {
        **{"type": "tool-input-available", "toolName": "add", "input": {"a": 1}},
        **{"toolCallId": "c", **OURS},
    }
    output = {"type": "tool-output-available", "output": 3, "toolCallId": "c", **OURS}
    called = part("input-available")
    for messages, frames in (
        ([answer(called), user(TEXT)], [again, output]),
        ([user(TEXT), answer(TEXT)], [again, output]),
        ([user(TEXT), answer(called)], [output]),  # the answer goes on with this message
    ):
        format = VercelFormat()
        format.parse(FormatRequest(body={"messages": messages}))
        assert wire(format, *answered) == data(*frames)


def test_a_completion_is_a_conversation_of_one() -> None:
    assert VercelFormat().parse(FormatRequest(body={"prompt": "Hi"})).messages == [
        {"role": "user", "content": "Hi"}
    ]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([], "messages"),
        ({"messages": 1}, "messages"),
        ({"messages": [1]}, "messages.0"),
        ({"messages": [{"role": "user", "content": "Hi"}]}, "messages.0"),
        ({"messages": [user(1)]}, "messages.0"),
        ({"messages": [{"role": "x", "parts": []}]}, "messages.0.role"),
        ({"messages": [user({"type": "text"})]}, "messages.0.parts.0.text"),
        ({"messages": [user(TEXT, {"type": "file"})]}, "messages.0.parts.1.mediaType"),
    ],
)
def test_an_invalid_chat_is_refused(body: Any, field: str) -> None:
    assert refused(VercelFormat(), body) == field


@pytest.mark.parametrize("state", [[], {}, 1])
def test_a_tool_of_no_known_state_has_not_answered(state: Any) -> None:
    part = {"type": "tool-add", "toolCallId": "c", "state": state, "input": {}}
    message = {"id": "m", "role": "assistant", "parts": [TEXT, part]}
    spec: Any = VercelFormat().parse(FormatRequest(body={"messages": [message]}))
    assert "tool_calls" not in spec.messages[0]


def test_an_error_from_the_start_is_text() -> None:
    assert VercelFormat.refusal(FAILED) == (b"The run failed. (error id e1)", "text/plain")
