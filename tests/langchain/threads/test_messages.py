from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from asgi_stream import EventFilter
from asgi_stream._langchain.threads.messages import thread_messages
from asgi_stream._langchain.threads.state_messages import messages_field, messages_of

CALL: Any = {"id": "c", "name": "add", "args": {"a": 1}}


def shown(*messages: BaseMessage, **filter: Any) -> list[Any]:
    return thread_messages(messages, EventFilter(**filter) if filter else None, repr)


def contents(message: BaseMessage, **filter: Any) -> list[Any]:
    [neutral] = shown(message, **filter)
    content: list[Any] = neutral["content"]
    return content


def test_messages_are_neutral_and_those_of_the_system_left_out() -> None:
    messages = [
        SystemMessage("Be brief."),
        HumanMessage("Hi", id="u1"),
        AIMessage("", id="a1", tool_calls=[CALL]),
        ToolMessage([{"type": "text", "text": "3"}], tool_call_id="c", id="t1"),
        ToolMessage("secret", tool_call_id="d", id="t2", status="error"),
    ]
    assert shown(*messages) == [
        {"role": "user", "id": "u1", "content": [{"type": "text", "text": "Hi"}]},
        {"role": "assistant", "id": "a1", "content": [], "tool_calls": [CALL]},
        {
            **{"role": "tool", "id": "t1", "tool_call_id": "c", "status": "success"},
            "content": [{"type": "text", "text": "3"}],
        },
        {
            **{"role": "tool", "id": "t2", "tool_call_id": "d", "status": "error"},
            "content": "ToolMessageError('secret')",
        },
    ]


def test_results_of_rejected_calls_are_denied() -> None:
    by_hand = {"additional_kwargs": {"lc_source": "hitl_interrupt_decision"}, "tool_call_id": "c"}
    [rejected] = shown(ToolMessage("No.", status="error", **by_hand))
    assert rejected["denied"] is True
    assert "No." in rejected["content"]
    [answered] = shown(ToolMessage("Yes.", **by_hand))
    assert answered["content"] == "Yes."
    assert "denied" not in answered


def test_calls_that_a_run_would_not_show_are_left_out() -> None:
    hosted: Any = {"type": "server_tool_call", "id": "d", "name": "search", "args": {}}
    message = AIMessage(content_blocks=[hosted], tool_calls=[CALL])
    [neutral] = shown(message)
    assert neutral["tool_calls"] == [CALL]
    assert neutral["content"] == [hosted]
    for hiding in ({"exclude": ["on_tool_*"]}, {"exclude_types": ["tool"]}):
        [neutral] = shown(message, **hiding)
        assert neutral["tool_calls"] == neutral["content"] == []
    [neutral] = shown(message, exclude_names=["add"])
    assert neutral["tool_calls"] == []
    assert neutral["content"] == [hosted]


def test_reasoning_and_files_are_standard_blocks() -> None:
    reasoning = AIMessage("Hi", additional_kwargs={"reasoning_content": "Hm."})
    assert contents(reasoning) == [
        {"type": "reasoning", "reasoning": "Hm."},
        {"type": "text", "text": "Hi"},
    ]
    thinking = AIMessage([{"type": "thinking", "thinking": "Hm."}, {"type": "odd"}])
    assert contents(thinking) == [{"type": "reasoning", "reasoning": "Hm."}]
    image: Any = {"type": "image", "base64": "aGk=", "mime_type": "image/png"}
    remote: Any = {"type": "audio", "url": "https://example.com/a"}
    unknown: Any = {"type": "file", "file_id": "f1"}
    assert contents(HumanMessage(content_blocks=[image, remote, unknown])) == [
        {**image, "url": "data:image/png;base64,aGk="},
        {**remote, "mime_type": "audio/wav"},
    ]


@pytest.mark.parametrize(
    "message",
    [
        AIMessage([{"type": "refusal", "refusal": "No."}]),
        AIMessage(
            "",
            additional_kwargs={"refusal": "No."},
            response_metadata={"model_provider": "openai"},
        ),
        AIMessage("", additional_kwargs={"refusal": "No."}),
    ],
)
def test_what_a_model_says_instead_of_an_answer_is_text(message: AIMessage) -> None:
    assert contents(message) == [{"type": "text", "text": "No."}]


def test_what_a_text_cites_follows_it() -> None:
    notes: Any = [
        {"type": "citation", "title": "A", "url": "https://example.com/a"},
        {"type": "non_standard_annotation", "value": {}},
        {"type": "citation", "url": "C:\\secret\\b.pdf"},
    ]
    text: Any = {"type": "text", "text": "Hi", "annotations": notes}
    message = AIMessage(content_blocks=[text])
    assert contents(message)[1:] == [
        {"type": "source", "title": "A", "url": "https://example.com/a"},
        {"type": "source", "title": "b.pdf", "url": None},
    ]
    assert len(contents(message, exclude=["on_retriever_end"])) == 1


def test_the_field_of_the_messages_is_known_by_its_name_or_is_the_only_one() -> None:
    hi = HumanMessage("hi")
    assert messages_field({"messages": "any", "talk": [hi]}) == "messages"
    assert messages_field({"talk": [hi], "docs": [], "n": 1}) == "talk"
    assert messages_field({"talk": [hi], "docs": [hi]}) is None
    assert messages_field([hi]) is None
    assert messages_of([hi]) == [hi]
    assert messages_of({"talk": [hi], "docs": [hi]}) == ()
