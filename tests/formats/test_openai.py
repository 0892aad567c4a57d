from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.runnables import ConfigurableField, RunnableLambda

from asgi_stream import StreamApp, StreamError, StreamRoute
from asgi_stream.events import (
    BlockStarted,
    Custom,
    Event,
    ModelFinished,
    ReasoningDelta,
    RunError,
    RunStarted,
    TextDelta,
    ToolCallDelta,
    ToolCalled,
    ToolCallStarted,
)
from asgi_stream.formats import Document, FormatRequest
from asgi_stream.formats._openai.messages import conversation
from asgi_stream.formats._sse import short_id
from asgi_stream.formats.openai import OpenAIFormat

from ..asgi import post
from ..models import AtOnce, Scripted, chain_of
from .script import ENDED, FAILED, FINISHED, MODEL, RUN, TOOL, WAITS, data, refused, wire

MESSAGES = [{"role": "user", "content": "Hi"}]
ADD = {"type": "function", "function": {"name": "add"}}
COUNTED = {
    "prompt_tokens": 3,
    "completion_tokens": 2,
    "total_tokens": 5,
    "prompt_tokens_details": {"cached_tokens": 1},
    "completion_tokens_details": {"reasoning_tokens": 1},
}


def format_for(**body: Any) -> OpenAIFormat:
    format = OpenAIFormat()
    whole = {"model": "x", "messages": MESSAGES, "stream": True, **body}
    format.parse(FormatRequest(endpoint="/chat/completions", body=whole, models=("x",)))
    format._answer._completion["created"] = 7  # type: ignore[union-attr]
    return format


ID = f"chatcmpl-{short_id('r', 12)}"


def chunk(delta: Any, reason: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
    return _chunk([choice], **more)


def _chunk(choices: list[Any], **more: Any) -> dict[str, Any]:
    about = {"id": ID, "created": 7, "model": "x", "object": "chat.completion.chunk"}
    return {**about, "choices": choices, **more}


BEGUN = chunk({"role": "assistant", "content": ""})

CASES: list[tuple[dict[str, Any], list[Event], str]] = [
    (
        {},
        [
            BlockStarted(MODEL, "m", "text"),
            TextDelta(MODEL, 'a"\u2028', "m"),
            ReasoningDelta(MODEL, "Hm.", "b"),
            Custom(RUN, "progress", 1),
            ENDED,
            FINISHED,
        ],
        data(
            BEGUN,
            chunk({"content": 'a"\u2028'}),
            chunk({"reasoning_content": "Hm."}),
            chunk({}, "stop"),
            done=True,
        ),
    ),
    (
        {"stream_options": {"include_usage": True}},
        [ENDED, FINISHED],
        data(
            chunk({"role": "assistant", "content": ""}, usage=None),
            chunk({}, "stop", usage=None),
            _chunk([], usage=COUNTED),
            done=True,
        ),
    ),
    (
        {"tools": [ADD]},
        [
            ToolCallStarted(TOOL, "c", "add", "m", at_client=True),
            ToolCallDelta(TOOL, "c", "{}"),
            ToolCallStarted(TOOL, "hidden", "own", "m"),
            ToolCallDelta(TOOL, "hidden", "{}"),
            ToolCalled(TOOL, "c", "add", {}),
            ModelFinished(MODEL, "tool_calls"),
            FINISHED,
        ],
        data(
            BEGUN,
            chunk(
                {
                    "tool_calls": [
                        {
                            **{"index": 0, "id": "c", "type": "function"},
                            "function": {"name": "add", "arguments": ""},
                        }
                    ]
                }
            ),
            chunk({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}),
            chunk({}, "tool_calls"),
            done=True,
        ),
    ),
    (
        {"tools": [ADD]},
        [
            ToolCallStarted(TOOL, "c", "add", "m", at_client=True),
            ToolCalled(TOOL, "c", "add", '{"a', valid=False),
            ModelFinished(MODEL, "length"),
            FINISHED,
        ],
        data(
            BEGUN,
            chunk(
                {
                    "tool_calls": [
                        {
                            **{"index": 0, "id": "c", "type": "function"},
                            "function": {"name": "add", "arguments": ""},
                        }
                    ]
                }
            ),
            chunk({}, "length"),
            done=True,
        ),
    ),
    (
        {},
        [ModelFinished(MODEL, "length"), WAITS],
        data(
            BEGUN,
            chunk({}, "length", interrupted=[{"id": "i1", "value": "Shall I?"}]),
            done=True,
        ),
    ),
    (
        {},
        [FAILED],
        data(
            BEGUN,
            {
                "error": {
                    **{"message": "The run failed.", "type": "server_error"},
                    **{"param": None, "code": "run_failed", "id": "e1"},
                }
            },
        ),
    ),
]


@pytest.mark.parametrize(("body", "events", "expected"), CASES)
def test_events_become_these_bytes(
    body: dict[str, Any], events: list[Event], expected: str
) -> None:
    assert wire(format_for(**body), RunStarted("r"), *events) == expected


def test_one_document_has_it_all() -> None:
    format = format_for(tools=[ADD], stream=False)
    events: list[Event] = [
        RunStarted("r"),
        ReasoningDelta(MODEL, "Hm.", "b"),
        ToolCallStarted(TOOL, "c", "add", "m", at_client=True),
        ToolCallDelta(TOOL, "c", "{}"),
        ENDED,
    ]
    for event in events:
        assert format.gather(event) is None
    completion: Any = format.document("r", format.gather(WAITS), WAITS)
    function = {"name": "add", "arguments": "{}"}
    assert completion["choices"][0]["message"] == {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "reasoning_content": "Hm.",
        "tool_calls": [{"id": "c", "type": "function", "function": function}],
    }
    assert completion["choices"][0]["finish_reason"] == "tool_calls"
    assert completion["usage"] == COUNTED
    assert completion["interrupted"] == WAITS.questions


def test_the_models_are_documents() -> None:
    model = {"id": "x", "object": "model", "created": 0, "owned_by": "asgi_stream"}
    ask = FormatRequest(endpoint="/models", models=("x",))
    assert OpenAIFormat().parse(ask) == Document({"object": "list", "data": [model]})
    one = FormatRequest(endpoint="/models/{model:path}", models=("x",), params={"model": "x"})
    assert OpenAIFormat().parse(one) == Document(model)


def test_messages_are_read_with_all_that_they_may_have() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}
    image = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    audio = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "flac"}}
    inline = {"file_data": "data:application/pdf;base64,AAAA", "filename": "a.pdf"}
    file = {"type": "file", "file": inline}
    body = {
        "model": "x",
        "messages": [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Hi"}, image, audio, file]},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "2"}]},
        ],
        "temperature": 1,
        "seed": 1,
        "tools": [ADD],
        "tool_choice": "required",
    }
    spec = OpenAIFormat().parse(
        FormatRequest(
            endpoint="/chat/completions",
            body=body,
            models=("x",),
            configurable=("temperature",),
        )
    )
    assert not isinstance(spec, Document)
    assert spec.messages == [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Hi"},
                {"type": "image", "url": "https://example.com/a.png"},
                {"type": "audio", "mime_type": "audio/flac", "base64": "AAAA"},
                {
                    **{"type": "file", "mime_type": "application/pdf"},
                    **{"filename": "a.pdf", "base64": "AAAA"},
                },
            ],
        },
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "c", "name": "add", "args": {"a": 1}}],
        },
        {"role": "tool", "content": "2", "tool_call_id": "c"},
    ]
    assert spec.configurable == {"temperature": 1}
    assert (spec.tools, spec.tool_choice, spec.gathered) == ([ADD], "any", True)


@pytest.mark.parametrize(
    ("choice", "tools", "expected"),
    [
        ("none", (), None),
        ("auto", [ADD], None),
        ({"type": "function", "function": {"name": "add"}}, [ADD], "add"),
    ],
)
def test_the_client_may_say_which_tool_is_called(choice: Any, tools: Any, expected: Any) -> None:
    body = {"model": "x", "messages": MESSAGES, "tools": [ADD], "tool_choice": choice}
    spec: Any = OpenAIFormat().parse(
        FormatRequest(endpoint="/chat/completions", body=body, models=("x",))
    )
    assert (spec.tools, spec.tool_choice) == (tools, expected)


def body_with(**message: Any) -> dict[str, Any]:
    return {"model": "x", "messages": [message]}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([], "body"),
        ({}, "Unknown model None; available: x."),
        ({"model": "x"}, "messages"),
        ({"model": "x", "messages": [1]}, "messages.0.role"),
        (body_with(role="user", content=1), "messages.0.content"),
        (body_with(role="user", content=[{"type": "x"}]), "messages.0.content.0"),
        (body_with(role="tool", content="x"), "messages.0.tool_call_id"),
        (body_with(role="assistant", tool_calls=1), "messages.0.tool_calls.0"),
        ({"model": "x", "tools": 5}, "tools"),
        ({"model": "x", "stream_options": [1]}, "stream_options"),
        ({"model": "x", "tools": [1]}, "tools.0"),
        ({"model": "x", "tools": [{"function": {}}]}, "tools.0.function.name"),
        ({"model": "x", "n": 2}, "n"),
        ({"model": "x", "messages": [], "stream": "false"}, "stream"),
    ],
)
def test_what_is_not_accepted_is_refused(body: Any, field: str) -> None:
    assert refused(OpenAIFormat(), body, endpoint="/chat/completions", models=("x",)) == field


SCHEMA = {"type": "json_schema", "json_schema": {"name": "weather", "schema": {}}}


class Formed(Scripted):
    """Says in which form it is to answer."""

    async def _astream(
        self, messages: Any, *_: Any, response_format: Any = None, **__: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        text = str((response_format or {}).get("type"))
        yield ChatGenerationChunk(message=AIMessageChunk(content=text))


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("form", "text"),
    [
        (None, "None"),
        ({"type": "text"}, "None"),
        ({"type": "json_object"}, "json_object"),
        (SCHEMA, "json_schema"),
    ],
)
async def test_a_form_reaches_a_chat_model_that_is_served_alone(form: Any, text: str) -> None:
    model = Formed(script=[])
    models: dict[str, Any] = {
        "plain": model,
        "bound": model.with_config(tags=["x"]),
        "tried again": model.bind(stop=["x"]).with_retry(),
        "with another": model.with_fallbacks([model.with_retry()]),
        "with fields": model.configurable_fields(script=ConfigurableField("script")),
    }
    chain: Any = chain_of("a")
    chains = {"chain": chain, "sorry": model.with_fallbacks([chain]), "again": chain.with_retry()}
    app = StreamApp([StreamRoute("/x", {**models, **chains}, format="openai")])
    body = {"messages": [{"role": "user", "content": "?"}], "response_format": form}
    for name in models:
        answer = await post(app, "/x/chat/completions", {**body, "model": name})
        [choice] = json.loads(answer.body)["choices"]
        assert choice["message"]["content"] == text
    for name in chains:
        refused_form = await post(app, "/x/chat/completions", {**body, "model": name})
        assert refused_form.status == (200 if text == "None" else 400)
        if text != "None":
            error = json.loads(refused_form.body)["error"]
            assert error["param"] == "response_format"
            assert "needs a chat model that is served alone" in error["message"]


REFUSAL = {"type": "refusal", "refusal": "I cannot."}
OPENAI = {"model_provider": "openai"}


@pytest.mark.anyio
@pytest.mark.parametrize(
    "model",
    [
        AtOnce(says=[REFUSAL]),
        AtOnce(
            says=[{"type": "non_standard", "value": each} for each in ({"type": "odd"}, REFUSAL)]
        ),
        Scripted(script=[AIMessageChunk(content=[REFUSAL], response_metadata=OPENAI)]),
        RunnableLambda(lambda _: AIMessage("", additional_kwargs=REFUSAL)),
    ],
    ids=["a block", "a block of version 1", "a stream", "a field"],
)
async def test_a_refusal_is_text_everywhere(model: Any) -> None:
    app = StreamApp(
        [
            StreamRoute("/x", {"m": model}, format="openai"),
            StreamRoute("/text", model, format="tokens"),
        ]
    )
    chat = await post(app, "/x/chat/completions", {"model": "m", "messages": MESSAGES})
    assert json.loads(chat.body)["choices"][0]["message"]["content"] == "I cannot."
    response = await post(app, "/x/responses", {"model": "m", "input": "Hi"})
    [item] = json.loads(response.body)["output"]
    assert item["content"][0]["text"] == "I cannot."
    text = await post(app, "/text", "Hi")
    assert b"I cannot." in text.body


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("headers", "retried"), [({}, "false"), ({"X-Should-Retry": "true"}, "true")]
)
@pytest.mark.parametrize("endpoint", ["chat/completions", "responses"])
async def test_a_run_that_has_begun_and_failed_is_not_to_be_repeated(
    endpoint: str, headers: dict[str, str], retried: str
) -> None:
    error = StreamError("Slow down.", status=429, headers=headers)
    app = StreamApp([StreamRoute("/x", {"m": chain_of(error)}, format="openai")])
    body: Any = {"model": "m", "messages": MESSAGES, "input": "Hi"}
    answer = await post(app, f"/x/{endpoint}", body)
    assert (answer.status, answer.headers["x-should-retry"]) == (429, retried)


@pytest.mark.anyio
async def test_a_request_that_has_been_refused_may_be_repeated() -> None:
    async def busy(request: Any) -> None:
        raise StreamError("Busy.", status=503)

    app = StreamApp([StreamRoute("/x", {"m": chain_of()}, format="openai", authorize=busy)])
    answer = await post(app, "/x/responses", {"model": "m", "input": "Hi"})
    assert answer.status == 503
    assert "x-should-retry" not in answer.headers


@pytest.mark.parametrize("form", ["json", {"type": "x"}, {"type": "json_schema"}, {}])
def test_a_form_that_is_none_is_refused(form: Any) -> None:
    body = {"model": "x", "messages": [], "response_format": form}
    assert (
        refused(OpenAIFormat(), body, endpoint="/chat/completions", models=("x",))
        == "response_format"
    )


def test_an_error_of_the_client_s_names_the_parameter() -> None:
    error = RunError("invalid_request", "No.", "e", 422, fields={"messages.0": "No."})
    body, kind = OpenAIFormat.refusal(error)
    assert kind == "application/json"
    assert b'"type":"invalid_request_error","param":"messages.0"' in body


@pytest.mark.parametrize(
    ("arguments", "known"),
    [
        ('{"a":1}', {"a": 1}),
        (r'{"a":"\ud83d"}', {"a": "\ufffd"}),
        ("", {}),
        ("{", {}),
        ("[1]", {}),
        ("null", {}),
        ('"x"', {}),
    ],
)
def test_a_call_is_taken_back_however_its_model_has_made_it(arguments: str, known: Any) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "add", "arguments": arguments}}
    [message] = conversation([{"role": "assistant", "tool_calls": [call]}], set())
    assert message["tool_calls"] == [{"id": "c", "name": "add", "args": known}]
