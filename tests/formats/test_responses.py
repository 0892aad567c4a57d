from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from openai.types.responses import Response as OpenAIResponse
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from asgi_stream.events import (
    Approval,
    BlockFinished,
    BlockStarted,
    Custom,
    Event,
    FileMade,
    Interrupt,
    ModelFinished,
    ModelStarted,
    ReasoningDelta,
    RunError,
    RunFinished,
    RunStarted,
    SourceFound,
    Step,
    TextDelta,
    TextDiscarded,
    ToolCallDelta,
    ToolCalled,
    ToolCallResumed,
    ToolCallStarted,
    ToolFailed,
    ToolFinished,
)
from asgi_stream.formats import INSTRUCTIONS, FormatRequest, Frame, RunSpec, recognize
from asgi_stream.formats._responses.questions import decoded_question
from asgi_stream.formats.openai import OpenAIFormat

from .script import ENDED, FAILED, FINISHED, MODEL, RUN, TOOL, refused

EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
ADD = {"type": "function", "name": "add", "parameters": {"type": "object"}, "strict": True}
BEGUN: list[Event] = [RunStarted("ab-cd"), ModelStarted(MODEL)]
RUN_ID = "abcd"


def parsed(*, threads: bool = False, **body: Any) -> tuple[OpenAIFormat, RunSpec]:
    format = OpenAIFormat()
    whole = {"model": "x", "input": "Hi", **body}
    request = FormatRequest(
        endpoint="/responses",
        body=whole,
        models=("x",),
        configurable=("temperature",),
        threads=threads,
    )
    spec = format.parse(request)
    assert isinstance(spec, RunSpec)
    return format, spec


def frame_of(text: str) -> Frame:
    name, data = text.split("\n")
    return Frame(name.removeprefix("event: "), data.removeprefix("data: "))


def spec_of(**body: Any) -> RunSpec:
    return parsed(**body)[1]


def messages_of(*items: Any, **body: Any) -> Any:
    return spec_of(input=[*items], **body).messages


def sent(events: Sequence[Event], **body: Any) -> list[dict[str, Any]]:
    """The data of each frame; all are of the types of OpenAI's client, and numbered from 0."""
    format, _ = parsed(stream=True, **body)
    wire = b"".join(map(format.encode, events)).decode()
    values: list[dict[str, Any]] = []
    for number, frame in enumerate(wire.split("\n\n")[:-1]):
        name, data = frame.split("\n")
        value = json.loads(data.removeprefix("data: "))
        assert name == f"event: {value['type']}"
        assert value["sequence_number"] == number
        EVENT.validate_python(value, strict=False)
        values.append(value)
    return values


def document_of(events: Sequence[Event], **body: Any) -> Any:
    format, _ = parsed(**body)
    *_, gathered = map(format.gather, events)
    document = format.document("r", gathered, FINISHED)
    OpenAIResponse.model_validate(document)
    return document


TEXT: list[Event] = [
    BlockStarted(MODEL, "m", "text"),
    TextDelta(MODEL, 'a"\u2028', "m"),
    TextDelta(MODEL, "b", "m"),
    BlockFinished(MODEL, "m", "text"),
]
THINKS: list[Event] = [
    BlockStarted(MODEL, "t", "reasoning"),
    ReasoningDelta(MODEL, "Hm.", "t"),
    BlockFinished(MODEL, "t", "reasoning"),
]
CALL: list[Event] = [
    ToolCallStarted(TOOL, "c", "add", "m", at_client=True),
    ToolCallDelta(TOOL, "c", "{}"),
    ToolCalled(TOOL, "c", "add", {}),
]
OWN: list[Event] = [
    ToolCallStarted(TOOL, "o", "own", "m"),
    ToolCalled(TOOL, "o", "own", {"a": 1}),
]


def of_types(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"].removeprefix("response.") for event in events]


def test_a_text_with_its_reasoning() -> None:
    events = sent([*BEGUN, *THINKS, Custom(MODEL, "progress", 1), *TEXT, ENDED, FINISHED])
    assert of_types(events) == [
        *("created", "in_progress", "output_item.added", "reasoning_summary_part.added"),
        *("reasoning_summary_text.delta", "reasoning_summary_text.done"),
        *("reasoning_summary_part.done", "output_item.done"),
        *("output_item.added", "content_part.added", "output_text.delta", "output_text.delta"),
        *("output_text.done", "content_part.done", "output_item.done", "completed"),
    ]
    assert [event["delta"] for event in events if "output_text.delta" in event["type"]] == [
        'a"\u2028',
        "b",
    ]
    response = events[-1]["response"]
    assert {each["response"]["id"] for each in events if "response" in each} == {f"resp_{RUN_ID}"}
    assert [event["item"] for event in events if "item.done" in event["type"]] == response["output"]
    thought, message = response["output"]
    assert (thought["id"], message["id"]) == (f"rs_{RUN_ID}0", f"msg_{RUN_ID}1")
    assert thought["summary"] == [{"type": "summary_text", "text": "Hm."}]
    assert message["content"][0]["text"] == 'a"\u2028b'
    assert (response["status"], message["status"]) == ("completed", "completed")
    assert response["usage"] == {
        "input_tokens": 3,
        "input_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 0},
        "output_tokens": 2,
        "output_tokens_details": {"reasoning_tokens": 1},
        "total_tokens": 5,
    }


def test_a_document_has_the_same_output_as_a_stream() -> None:
    events = [*BEGUN, *THINKS, *TEXT, *OWN, ToolFinished(TOOL, "o", "own", "2"), ENDED, FINISHED]
    document, response = document_of(events), sent(events)[-1]["response"]
    assert document == {**response, "created_at": document["created_at"]}


def test_a_call_of_the_client_s_tool_is_a_function_call() -> None:
    events = sent([*BEGUN, *CALL, ModelFinished(MODEL, "tool_calls"), FINISHED], tools=[ADD])
    assert of_types(events)[2:] == [
        *("output_item.added", "function_call_arguments.delta", "function_call_arguments.done"),
        *("output_item.done", "completed"),
    ]
    [call] = events[-1]["response"]["output"]
    assert call == {
        **{"id": f"fc_{RUN_ID}0", "type": "function_call", "call_id": "c", "name": "add"},
        **{"arguments": "{}", "status": "completed"},
    }


@pytest.mark.parametrize(
    ("end", "output", "error"),
    [
        (ToolFinished(TOOL, "o", "own", "2"), "2", None),
        (ToolFinished(TOOL, "o", "own", {"n": 2}), '{"n":2}', None),
        (
            ToolFailed(TOOL, "o", "own", "No."),
            None,
            {
                "type": "mcp_tool_execution_error",
                "content": [{"type": "text", "text": "No."}],
            },
        ),
    ],
)
def test_a_call_that_the_run_executes_is_a_call_of_the_server(
    end: Event, output: Any, error: Any
) -> None:
    events = sent([*BEGUN, *OWN, end, *TEXT, FINISHED], tools=[ADD])
    status = "completed" if error is None else "failed"
    assert of_types(events)[2:7] == [
        *("output_item.added", "mcp_call_arguments.done", "mcp_call.in_progress"),
        *(f"mcp_call.{status}", "output_item.done"),
    ]
    call, _ = events[-1]["response"]["output"]
    assert (call["output"], call["error"], call["status"]) == (output, error, status)
    assert (call["arguments"], call["server_label"]) == ('{"a":1}', "asgi_stream")


def test_a_call_without_a_result_is_not_part_of_the_output() -> None:
    assert sent([*BEGUN, *OWN, FINISHED])[-1]["response"]["output"] == []


def test_a_call_of_the_history_that_is_answered() -> None:
    resumed = ToolCallResumed(TOOL, "o", "own", {"a": 1})
    events = sent([*BEGUN, resumed, ToolFinished(TOOL, "o", "own", "2"), FINISHED])
    [call] = events[-1]["response"]["output"]
    assert (call["arguments"], call["output"]) == ('{"a":1}', "2")


APPROVAL = Approval("o", "own", {"a": 1}, "Really?", ("approve", "reject"))
BATCH: dict[str, Any] = {"action_requests": [], "review_configs": []}


def test_a_question_is_an_item_only_where_it_can_be_answered() -> None:
    end = RunFinished(RUN, None, [Interrupt("i", "Really?")])
    assert sent([*BEGUN, end])[-1]["response"]["output"] == []


def test_questions_are_items_and_are_decoded() -> None:
    nested = Approval("", "own", {"a": 1})
    edited = replace(APPROVAL, allowed=("edit",))
    unknown = replace(nested, name="other")
    interrupts = [
        Interrupt("i1", BATCH, None, (APPROVAL,)),
        Interrupt("i2", BATCH, None, (nested,)),
        Interrupt("i3", {"to": "?"}, {"type": "string"}),
        Interrupt("i4", BATCH, None, (edited,)),
        Interrupt("i5", BATCH, None, (unknown,)),
    ]
    called: list[Event] = [
        *OWN,
        ToolCallStarted(TOOL, "p", "own", "m"),
        ToolCalled(TOOL, "p", "own", {"a": 1}),
    ]
    format, _ = parsed(stream=True, threads=True)
    wire = b"".join(map(format.encode, [*BEGUN, *called, RunFinished(RUN, None, interrupts)]))
    frames = [*map(frame_of, wire.decode().split("\n\n")[:-1])]
    response = frames[-1].json()["response"]
    assert [(item["type"], item.get("call_id")) for item in response["output"]] == [
        ("mcp_approval_request", "o"),
        ("mcp_approval_request", "p"),
        ("function_call", f"interrupt_{RUN_ID}_i3"),
        ("function_call", f"interrupt_{RUN_ID}_i4"),
        ("function_call", f"interrupt_{RUN_ID}_i5"),
    ]
    reader = OpenAIFormat()
    events = [event for frame in frames for event in reader.decode(frame)]
    end = events[-1]
    assert isinstance(end, RunFinished)
    names = {event.name for event in events if isinstance(event, ToolCallStarted)}
    assert names == {"own"}


def test_what_only_looks_like_a_question_is_none() -> None:
    call = {"type": "function_call", "name": "langgraph_interrupt", "arguments": "[]"}
    run = "0" * 32
    for item in (
        {**call, "call_id": "c"},
        {**call, "call_id": f"interrupt_{run}_i"},
        {**call, "name": "other", "call_id": f"interrupt_{run}_i"},
        {"type": "message"},
    ):
        assert decoded_question(item) is None
    asks = {**call, "call_id": f"interrupt_{run}_i", "arguments": '{"value": 1}'}
    assert decoded_question(asks) == Interrupt("i", 1)


def test_the_client_s_tool_for_questions_does_not_reach_the_model() -> None:
    tool = {"type": "function", "name": "langgraph_interrupt"}
    assert spec_of(tools=[tool]).tools is None
    assert [each["function"]["name"] for each in spec_of(tools=[tool, ADD]).tools or ()] == ["add"]


def test_sources_are_annotations_and_images_are_items() -> None:
    page = SourceFound(MODEL, "s1", "A page", "https://a.example/")
    nameless = SourceFound(MODEL, "s2", "A file")
    image = FileMade(MODEL, "image/jpeg", "data:image/jpeg;base64,AAAA")
    remote = FileMade(MODEL, "image/*", "https://a.example/a.png")
    sound = FileMade(MODEL, "audio/wav", "data:audio/wav;base64,AAAA")
    events = sent([*BEGUN, page, nameless, *TEXT, image, remote, sound, FINISHED])
    message, picture, link = events[-1]["response"]["output"]
    annotation = {
        **{"type": "url_citation", "url": "https://a.example/", "title": "A page"},
        **{"start_index": 0, "end_index": 4},
    }
    assert message["content"][0]["annotations"] == [annotation]
    assert "output_text.annotation.added" in of_types(events)
    assert (picture["type"], picture["result"]) == ("image_generation_call", "AAAA")
    assert picture["output_format"] == "jpeg"
    assert link["content"][0]["text"] == "![](https://a.example/a.png)"


def test_a_source_is_on_the_message_of_the_model_that_cites_it() -> None:
    other = Step("n", "model", "chat_model")
    document = SourceFound(Step("q", "retriever", "retriever"), "s1", "D", "https://d.example/")
    events = sent(
        [
            *BEGUN,
            BlockStarted(other, "n", "text"),
            document,
            *TEXT[:-1],
            SourceFound(MODEL, "s2", "A", "https://a.example/"),
            BlockFinished(other, "n", "text"),
            TEXT[-1],
            FINISHED,
        ]
    )
    cited = [
        [each["url"] for each in message["content"][0]["annotations"]]
        for message in events[-1]["response"]["output"]
    ]
    assert cited == [["https://d.example/"], ["https://a.example/"]]


@pytest.mark.parametrize("at", [7, 3, 6], ids=["after", "in a text", "in a call"])
def test_what_a_failed_model_has_said_is_not_part_of_the_output(at: int) -> None:
    other = Step("n", "model", "chat_model")
    again: list[Event] = [
        BlockStarted(other, "n", "text"),
        TextDelta(other, "c", "n"),
        BlockFinished(other, "n", "text"),
    ]
    pieces: list[Event] = [*TEXT, *CALL]
    pieces.insert(at, TextDiscarded(MODEL))
    events = sent([*BEGUN, *pieces, *again, FINISHED], tools=[ADD])
    [message] = events[-1]["response"]["output"]
    assert message["content"][0]["text"] == "c"


@pytest.mark.parametrize(
    ("revised", "expected"),
    [
        ("c", [("reasoning", None), ("message", "c"), ("function_call", None)]),
        ("", [("reasoning", None), ("function_call", None)]),
    ],
)
def test_a_text_that_a_later_step_has_replaced_is_as_the_step_made_it(
    revised: str, expected: list[tuple[str, str | None]]
) -> None:
    more: list[Event] = [
        BlockStarted(MODEL, "n", "text"),
        TextDelta(MODEL, "more", "n"),
        BlockFinished(MODEL, "n", "text"),
    ]
    pieces = [*THINKS, *TEXT, *more, *CALL, ModelFinished(MODEL, "stop")]
    events = sent([*BEGUN, *pieces, TextDiscarded(MODEL, revised), FINISHED], tools=[ADD])
    items = events[-1]["response"]["output"]
    texts = [item["content"][0]["text"] if "content" in item else None for item in items]
    assert [*zip((item["type"] for item in items), texts, strict=True)] == expected


@pytest.mark.parametrize(
    ("reason", "expected"),
    [("length", "max_output_tokens"), ("content_filter", "content_filter")],
)
def test_an_answer_that_is_cut_is_incomplete(reason: str, expected: str) -> None:
    events = sent([*BEGUN, *TEXT, ModelFinished(MODEL, reason), FINISHED])
    assert events[-1]["type"] == "response.incomplete"
    assert events[-1]["response"]["incomplete_details"] == {"reason": expected}


def statuses(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """The type and the status of the items that are done in a stream, in the order of their ends.

    All are part of the response at its end.
    """
    done = [each["item"] for each in events if each["type"] == "response.output_item.done"]
    output = events[-1]["response"]["output"]
    assert sorted(done, key=lambda item: item["id"]) == sorted(output, key=lambda item: item["id"])
    return [(item["type"], item["status"]) for item in done]


@pytest.mark.parametrize("reason", ["length", "error"])
def test_the_item_that_is_cut_is_incomplete(reason: str) -> None:
    second: list[Event] = [
        ToolCallStarted(TOOL, "d", "add", "m", at_client=True),
        ToolCallDelta(TOOL, "d", '{"a'),
    ]
    called = ToolCalled(TOOL, "d", "add", '{"a', valid=False)
    ended = [CALL[-1], called, ModelFinished(MODEL, reason), FINISHED]
    events = sent([*BEGUN, *TEXT, *CALL[:-1], *second, *ended], tools=[ADD])
    calls = [("function_call", "completed"), ("function_call", "incomplete")]
    assert statuses(events) == [("message", "completed"), *calls]
    events = sent([*BEGUN, *TEXT, ModelFinished(MODEL, reason), FINISHED])
    assert statuses(events) == [("message", "incomplete")]


def test_a_call_without_a_model_that_is_running_is_complete_at_once() -> None:
    events = sent([BEGUN[0], *CALL, FINISHED], tools=[ADD])
    assert of_types(events)[-2:] == ["output_item.done", "completed"]
    assert statuses(sent([*BEGUN, *CALL, FINISHED], tools=[ADD])) == [
        ("function_call", "completed")
    ]


def test_a_failure_cuts_what_a_model_has_not_ended() -> None:
    assert statuses(sent([*BEGUN, *CALL, FAILED], tools=[ADD])) == [("function_call", "incomplete")]


def test_a_failed_response_keeps_what_nothing_has_replaced() -> None:
    other = Step("n", "model", "chat_model")
    again: list[Event] = [
        BlockStarted(other, "n", "text"),
        TextDelta(other, "c", "n"),
        BlockFinished(other, "n", "text"),
        TextDiscarded(other),
        FAILED,
    ]
    [message] = sent([*BEGUN, *TEXT, TextDiscarded(MODEL), *again])[-1]["response"]["output"]
    assert message["content"][0]["text"] == "c"
    called = [*OWN, ToolFinished(TOOL, "o", "own", "x"), TextDiscarded(MODEL), FAILED]
    assert statuses(sent([*BEGUN, *called])) == [("mcp_call", "completed")]


@pytest.mark.parametrize(("status", "code"), [(500, "server_error"), (429, "rate_limit_exceeded")])
def test_a_failure_ends_the_response_with_what_it_has(status: int, code: str) -> None:
    failed = RunError("run_failed", "The run failed.", "e1", status=status)
    events = sent([*BEGUN, *TEXT[:2], failed])
    response = events[-1]["response"]
    assert (events[-1]["type"], response["status"]) == ("response.failed", "failed")
    own = {"type": "run_failed", "id": "e1"}
    assert response["error"] == {"code": code, "message": "The run failed.", **own}
    [message] = response["output"]
    assert message["status"] == "incomplete"


def test_the_response_repeats_what_was_asked() -> None:
    asked_for = {"instructions": "Be brief.", "temperature": 0.5, "metadata": {"a": "b"}}
    response = sent([*BEGUN, FINISHED], tools=[ADD], tool_choice="required", **asked_for)[0]
    assert asked_for.items() <= response["response"].items()
    assert (response["response"]["tools"], response["response"]["store"]) == ([ADD], False)
    assert sent([*BEGUN, FINISHED], tool_choice=None)[0]["response"]["tool_choice"] == "auto"


def test_the_request_becomes_a_run() -> None:
    spec = spec_of(
        **{"instructions": "Be brief.", "tools": [ADD], "tool_choice": "required"},
        **{"temperature": 0.5, "top_p": 1, "store": True, "include": ["reasoning"]},
    )
    assert spec.messages == [
        {"role": "system", "content": "Be brief.", "id": INSTRUCTIONS},
        {"role": "user", "content": "Hi"},
    ]
    function = {key: ADD[key] for key in ("name", "parameters", "strict")}
    assert spec.tools == [{"type": "function", "function": function}]
    assert (spec.tool_choice, spec.configurable, spec.gathered) == (
        "any",
        {"temperature": 0.5},
        True,
    )
    assert spec_of(stream=True).gathered is False
    assert spec_of(tools=[ADD], tool_choice="none").tools == ()


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", None),
        ({"type": "function", "name": "add"}, "add"),
        ({"type": "allowed_tools", "mode": "auto", "tools": []}, None),
        ({"type": "allowed_tools", "mode": "required", "tools": []}, "any"),
    ],
)
def test_the_choice_of_a_tool(choice: Any, expected: str | None) -> None:
    assert spec_of(tool_choice=choice).tool_choice == expected


def test_the_form_of_the_text() -> None:
    schema = {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True}
    assert spec_of(text={"format": schema}).response_format == {
        "type": "json_schema",
        "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True},
    }
    assert spec_of(text={"format": {"type": "json_object"}}).response_format == {
        "type": "json_object"
    }
    assert spec_of(text={"format": {"type": "text"}, "verbosity": "low"}).response_format is None


def test_items_become_messages() -> None:
    call = {"type": "function_call", "call_id": "c", "name": "add", "arguments": '{"a": 1}'}
    own = {"type": "mcp_call", "id": "mcp_1", "name": "own", "arguments": "{}", "output": "2"}
    error = {"type": "mcp_tool_execution_error", "content": [{"type": "text", "text": "No."}]}
    assert messages_of(
        {"role": "developer", "content": "Be brief."},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"role": "assistant", "content": [{"type": "output_text", "text": "Let me see."}]},
        call,
        {**call, "call_id": "d"},
        {"type": "function_call_output", "call_id": "c", "output": "1"},
        {
            "type": "function_call_output",
            "call_id": "d",
            "output": [{"type": "input_text", "text": "2"}],
        },
        own,
        {**own, "call_id": "e", "output": None, "error": error},
    ) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {
            "role": "assistant",
            "content": "Let me see.",
            "tool_calls": [
                {"id": "c", "name": "add", "args": {"a": 1}},
                {"id": "d", "name": "add", "args": {"a": 1}},
            ],
        },
        {"role": "tool", "tool_call_id": "c", "content": "1"},
        {"role": "tool", "tool_call_id": "d", "content": "2"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "mcp_1", "name": "own", "args": {}}],
        },
        {"role": "tool", "tool_call_id": "mcp_1", "content": "2"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "e", "name": "own", "args": {}}],
        },
        {"role": "tool", "tool_call_id": "e", "content": "No.", "status": "error"},
    ]


def test_what_has_no_place_in_a_conversation_is_dropped() -> None:
    question = {"role": "user", "content": "Hi"}
    spec = spec_of(input=[{"type": "reasoning", "id": "rs_1", "summary": []}, question])
    assert (spec.messages, spec.dropped) == ([question], {"reasoning"})


def test_files_in_a_message() -> None:
    [message] = messages_of(
        {
            "role": "user",
            "content": [
                {"type": "input_image", "image_url": "https://a.example/x.png", "detail": "low"},
                {"type": "input_file", "file_url": "https://a.example/x.pdf"},
                {
                    "type": "input_file",
                    "file_data": "data:application/pdf;base64,AAAA",
                    "filename": "x.pdf",
                },
                {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
                {"type": "refusal", "refusal": "No."},
            ],
        }
    )
    kinds = [block["type"] for block in message["content"]]
    assert kinds == ["image", "file", "file", "audio", "text"]
    assert message["content"][2]["filename"] == "x.pdf"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"conversation": "c"}, "conversation"),
        ({"prompt": {"id": "p"}}, "prompt"),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"background": True}, "background"),
        ({"top_logprobs": 1}, "top_logprobs"),
        ({"tools": 1}, "tools"),
        ({"tools": [{"type": "web_search"}]}, "tools.0"),
        ({"tools": [{"type": "function"}]}, "tools.0"),
        ({"tool_choice": {"type": "web_search"}}, "tool_choice"),
        ({"text": {"format": {"type": "xml"}}}, "text.format"),
        ({"instructions": 1}, "instructions"),
        ({"input": 1}, "input"),
        ({"input": []}, "input"),
        ({"stream": "false"}, "stream"),
        ({"background": 1}, "background"),
        ({"input": [1]}, "input.0"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input.0"),
        ({"input": [{"role": "tool", "content": ""}]}, "input.0.role"),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "input.0.content.0"),
        (
            {"input": [{"type": "function_call", "call_id": "c", "name": "a"}]},
            "input.0.arguments",
        ),
        ({"input": [{"type": "new"}]}, "input.0"),
    ],
)
def test_what_is_not_accepted_is_named(body: Any, field: str) -> None:
    whole = {"model": "x", "input": "Hi", **body}
    assert refused(OpenAIFormat(), whole, endpoint="/responses", models=("x",)) == field


def test_a_body_that_is_no_object() -> None:
    assert refused(OpenAIFormat(), [], endpoint="/responses", models=("x",)) == "body"


def test_errors_that_are_no_event_of_a_response_are_decoded() -> None:
    format = OpenAIFormat()
    [*format.decode(Frame("response.created", '{"type": "response.created", "response": {}}'))]
    for data in (
        '{"type": "error", "code": "x", "message": "No."}',
        '{"error": {"code": "x", "message": "No."}}',
        '{"type": "response.failed", "response": {"error": {"code": "x", "message": "No."}}}',
    ):
        [error] = format.decode(Frame("", data))
        assert isinstance(error, RunError)
        assert (error.code, error.message) == ("x", "No.")
    broken = '{"type": "response.failed", "response": {"error": null}}'
    [error] = format.decode(Frame("response.failed", broken))
    assert isinstance(error, RunError)
    assert [*format.decode(Frame("", "{}"))] == []
    assert FAILED.code == "run_failed"


def test_a_stream_of_an_unknown_server_is_recognized() -> None:
    assert recognize(Frame("response.created", "{}")) == "openai"
    assert recognize(Frame("", '{"object": "chat.completion.chunk"}')) == "openai"
