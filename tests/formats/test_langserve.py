from __future__ import annotations

from typing import Any

import pytest

from asgi_stream.events import Event, LangChainEvent, OutputChunk, RunError, RunStarted
from asgi_stream.filters import EventFilter
from asgi_stream.formats import Document, FormatRequest
from asgi_stream.formats.langserve import LangServeFormat

from .script import FAILED, FINISHED, MODEL, RUN, refused, wire

ERROR = (
    'event: error\ndata: {"status_code":500,"message":"The run failed.",'
    '"code":"run_failed","id":"e1"}'
)

CASES: list[tuple[str, list[Event], list[str]]] = [
    (
        "/stream",
        [RunStarted("r"), OutputChunk(RUN, "a\u2028"), OutputChunk(RUN, {"b": 1}), FINISHED],
        [
            'event: metadata\ndata: {"run_id":"r"}',
            'event: data\ndata: "a\\u2028"',
            'event: data\ndata: {"b":1}',
            "event: end",
        ],
    ),
    ("/stream", [RunStarted("r"), FAILED], [ERROR]),
    (
        "/stream_events",
        [RunStarted("r"), LangChainEvent(MODEL, "on_x", {"a": 1}), FINISHED],
        [
            'event: data\ndata: {"event":"on_x","name":"model","run_id":"m","parent_ids":[],'
            '"tags":[],"metadata":{},"data":{"a":1}}',
            "event: end",
        ],
    ),
]


@pytest.mark.parametrize(("endpoint", "events", "expected"), CASES)
def test_events_become_these_bytes(endpoint: str, events: list[Event], expected: list[str]) -> None:
    format = LangServeFormat()
    format.parse(FormatRequest(endpoint=endpoint, body={"input": 1}))
    assert wire(format, *events) == "".join(frame + "\n\n" for frame in expected)


def test_an_answer_in_one_piece_has_the_run_s_id() -> None:
    format = LangServeFormat()
    format.parse(FormatRequest(endpoint="/invoke", body={"input": 1}))
    assert format.wants == set()
    assert format.gather(RunStarted("r")) is None
    document = format.document("r", format.gather(FINISHED), FINISHED)
    assert document == {"output": {"x": 1}, "metadata": {"run_id": "r", "feedback_tokens": []}}
    format.parse(FormatRequest(endpoint="/batch", body={"inputs": [1]}))
    assert format.document("r", [1], FINISHED) == {"output": [1], "metadata": {"run_ids": ["r"]}}


def test_what_is_asked_for_is_a_call() -> None:
    body = {
        "input": {"type": "ChatPromptValueConcrete", "messages": [1]},
        "config": {"tags": ["a"], "recursionLimit": 5, "configurable": {"tone": 1}},
        "kwargs": {"version": "v2"},
        "include_types": ["chat_model"],
        "include_names": None,
    }
    spec: Any = LangServeFormat().parse(FormatRequest(endpoint="/stream_events", body=body))
    assert spec.input == [1]
    assert spec.configurable == {"tone": 1}
    assert spec.filter == EventFilter(types=("chat_model",))
    text = {"type": "StringPromptValue", "text": "Hi"}
    config = {"configurable": {"tone": 1}}
    batch = {"inputs": [text, {"type": "x"}], "config": [config, config], "kwargs": [{}, {}]}
    spec = LangServeFormat().parse(FormatRequest(endpoint="/batch", body=batch))
    assert (spec.input, spec.many, spec.gathered) == (["Hi", {"type": "x"}], True, True)
    schema = FormatRequest(endpoint="/config_schema")
    assert LangServeFormat().parse(schema) == Document(schema="config")


@pytest.mark.parametrize(
    ("endpoint", "body", "field"),
    [
        ("/invoke", [], "input"),
        ("/invoke", {}, "input"),
        ("/batch", {"input": 1}, "inputs"),
        ("/batch", {"inputs": 1}, "inputs"),
        ("/batch", {"inputs": [1], "config": [{}, {"configurable": {"a": 1}}]}, "config"),
        ("/batch", {"inputs": [], "config": [[None]]}, "config"),
        ("/invoke", {"input": 1, "config": 1}, "config"),
        ("/invoke", {"input": 1, "config": {"configurable": 1}}, "config"),
        ("/invoke", {"input": 1, "kwargs": {"stop": 1}}, "kwargs.stop"),
        ("/invoke", {"input": 1, "kwargs": 1}, "kwargs.kwargs"),
        ("/stream_events", {"input": 1, "include_names": "a"}, "include_names"),
        ("/stream_events", {"input": 1, "exclude_tags": [1]}, "exclude_tags"),
    ],
)
def test_what_is_not_accepted_is_refused(endpoint: str, body: Any, field: str) -> None:
    assert refused(LangServeFormat(), body, endpoint=endpoint) == field


def test_an_error_from_the_start_names_the_fields_as_fastapi_does() -> None:
    error = RunError("invalid_request", "No.", "e", 422, fields={"input.a": "Missing."})
    body, _ = LangServeFormat.refusal(error)
    assert b'"detail":[{"loc":["body","input","a"],"msg":"Missing.","type":"value_error"}]' in body
