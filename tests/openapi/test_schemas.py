"""The schema files of formats match their wires; the schemas of inputs match what they accept."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, TypedDict

import pytest
from jsonschema import Draft202012Validator
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables import RunnableLambda, RunnablePassthrough
from langchain_core.runnables.utils import ConfigurableFieldSpec
from openapi_spec_validator import validate
from pydantic import BaseModel, computed_field

from asgi_stream import StreamError, StreamRoute, formats
from asgi_stream._langchain.schemas.messages import with_plain_messages
from asgi_stream._langchain.schemas.runnable import schema_of, schema_of_declared
from asgi_stream.errors.mapping import statuses
from asgi_stream.events import RunError
from asgi_stream.formats import FormatRequest
from asgi_stream.openapi import document
from asgi_stream.openapi.schemas import (
    DEFINITIONS,
    configurable_of,
    input_of,
    of_endpoint,
    of_format,
    output_of,
)
from asgi_stream.serialize import to_json

from ..bound import bound
from ..corpus import RUNS, graph_of
from ..formats.test_formats import FRAMED, NAMES, frames, run_of
from ..models import PROMPT, Scripted, chain_of

pytestmark = pytest.mark.anyio

REQUESTS = {
    "agui": FormatRequest(body={"threadId": "t", "runId": "r", "messages": []}),
    "openai": FormatRequest(
        endpoint="/chat/completions",
        body={"model": "m", "messages": [], "stream_options": {"include_usage": True}},
        models=("m",),
    ),
}


def validator(schema: Any, **definitions: Any) -> Draft202012Validator:
    Draft202012Validator.check_schema(schema)
    known = {"Input": {}, "Output": {}, "Model": {}, **DEFINITIONS, **definitions}
    return Draft202012Validator({**schema, "$defs": {**known, **schema.get("$defs", {})}})


@pytest.mark.parametrize("name", FRAMED)
@pytest.mark.parametrize("run", RUNS)
async def test_every_frame_matches_the_schema_of_frames(name: str, run: str) -> None:
    kind = formats.load(name)
    wire = of_format(kind)
    encoder = kind()
    if name in REQUESTS:
        encoder.parse(REQUESTS[name])
    body = b"".join(encoder.encode(event) for event in await run_of(kind, run))
    error = encoder.encode(RunError("run_failed", "The run failed.", "id"))
    fits = validator(wire["frame"], **wire.get("$defs", {}))
    for _, data in frames(body) + frames(error):
        if data not in (None, "[DONE]"):
            fits.validate(data)


@pytest.mark.parametrize("name", NAMES)
def test_a_refusal_matches_the_schema_of_errors(name: str) -> None:
    kind = formats.load(name)
    wire = of_format(kind)
    body, media_type = kind.refusal(RunError("run_failed", "No.", "id", fields={"a.b": "wrong"}))
    if media_type == "application/json":
        schema = wire.get("error", {"$ref": "#/$defs/Error"})
        validator(schema, **wire.get("$defs", {})).validate(json.loads(body))
    else:
        assert wire["error"] == {"type": "string"}


@pytest.mark.parametrize("name", NAMES)
def test_only_existing_endpoints_are_described(name: str) -> None:
    kind = formats.load(name)
    endpoints = (*kind.endpoints, *kind.runs, *kind.threads, *kind.thread_runs)
    known = {f"{method} {path}" for method, path in endpoints}
    assert set(of_format(kind).get("endpoints", {})) <= known
    for method, path in kind.endpoints:
        assert of_endpoint(kind, method, path), path
    validator({"anyOf": [{}, *of_format(kind).get("$defs", {}).values()]})


def test_a_user_s_format_needs_no_schema_file(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("my_wire")
    source = "from asgi_stream.formats.tokens import TokensFormat as F\nclass Format(F): pass\n"
    exec(source, module.__dict__)
    monkeypatch.setitem(sys.modules, "my_wire", module)
    assert of_format(formats.load("my_wire:Format")) == {}


@pytest.mark.parametrize(
    ("text", "wire"),
    [
        ("[1]", {}),
        ("{", {}),
        ('{"name": "x"}', {}),
        ('{"frame": {"type": "integer"}}', {"frame": {"type": "integer"}}),
    ],
)
def test_a_schema_file_beside_a_format_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, wire: Any
) -> None:
    name = f"wire_{tmp_path.name}"
    source = "from asgi_stream.formats.tokens import TokensFormat as F\nclass Format(F): pass\n"
    (tmp_path / f"{name}.py").write_text(source)
    (tmp_path / f"{name}.json").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    assert of_format(formats.load(f"{name}:Format")) == wire


class ChatMessage(BaseModel):
    who: str
    text: str


def test_a_user_s_class_with_the_name_of_a_message_is_kept() -> None:
    schema = input_of(bound(StreamRoute("/x", chain_of("a"), input=list[ChatMessage])), "x")
    fits = validator(schema)
    fits.validate([{"who": "ann", "text": "Hi"}])
    assert not fits.is_valid([{"role": "human", "content": "Hi"}])


class Trip(BaseModel):
    to: str
    days: int = 3


class Odd:
    pass


class Part(TypedDict):
    text: str


def test_the_messages_of_a_prompt_are_shown_as_what_is_sent_for_them() -> None:
    schema = input_of(bound(StreamRoute("/x", chain_of("a"))), "x")
    fits = validator(schema)
    fits.validate(
        {"question": "Hi", "chat_history": [["human", "a"], {"role": "ai", "content": "b"}]}
    )
    fits.validate(
        {"question": "Hi", "chat_history": [{"type": "human", "content": [{"type": "text"}]}]}
    )
    assert not fits.is_valid({})
    assert not fits.is_valid(
        {"question": "Hi", "chat_history": [{"role": "nobody", "content": ""}]}
    )
    assert set(schema["$defs"]) == {"LangChainMessage", "LangChainMessages"}


def test_two_lists_of_messages_are_one_definition() -> None:
    prompt = ChatPromptTemplate.from_messages(
        [MessagesPlaceholder("before"), MessagesPlaceholder("after")]
    )
    schema = input_of(bound(StreamRoute("/x", prompt)), "x")
    assert set(schema["$defs"]) == {"LangChainMessage", "LangChainMessages"}
    validate(document([StreamRoute("/x", prompt)]))


def test_types_without_a_schema_are_unspecified() -> None:
    class Configured(RunnablePassthrough[Any]):
        @property
        def config_specs(self) -> list[ConfigurableFieldSpec]:
            return [ConfigurableFieldSpec(id="hook", annotation=Callable[[], int])]

    route = bound(StreamRoute("/x", Configured(), configurable=("hook",)))
    assert configurable_of(route) == {"hook": {}}
    assert schema_of_declared(Callable[[], int]) == {}


def test_a_model_takes_text_or_messages() -> None:
    schema = input_of(bound(StreamRoute("/x", Scripted(script=["a"]))), "x")
    fits = validator(schema)
    fits.validate("Hi")
    fits.validate([["human", "Hi"]])
    assert "PromptValue" not in str(schema)
    out = output_of(bound(StreamRoute("/x", Scripted(script=["a"]))), "x")
    validator(out).validate({"type": "ai", "content": "Hi"})


def test_a_declared_input_is_the_schema() -> None:
    route = bound(StreamRoute("/x", chain_of("a"), input=Trip))
    fits = validator(input_of(route, "x"))
    fits.validate({"to": "Paris"})
    assert not fits.is_valid({"days": 3})


def test_a_graph_takes_a_part_of_its_state() -> None:
    fits = validator(input_of(bound(StreamRoute("/x", graph_of(Scripted(script=["a"])))), "x"))
    fits.validate({})
    fits.validate({"messages": [["human", "Hi"]]})


class Fare(BaseModel):
    euros: float

    @computed_field
    def cents(self) -> int:
        return round(self.euros * 100)


def fare_of(city: str) -> Fare:
    return Fare(euros=len(city))


def test_an_output_is_described_as_it_is_written() -> None:
    schema = output_of(bound(StreamRoute("/x", RunnableLambda(fare_of))), "x")
    assert set(schema["required"]) == {"euros", "cents"}
    validator(schema).validate(json.loads(to_json(fare_of("Rome"))))
    graph = output_of(bound(StreamRoute("/x", graph_of(Scripted(script=["a"])))), "x")
    assert graph["$defs"]["LangChainMessage"]["required"] == ["type", "content"]


def test_unknown_types_are_unspecified() -> None:
    def odd(value: Odd) -> Odd:
        return value

    def make(request: Any) -> Any:
        return PROMPT

    assert input_of(bound(StreamRoute("/x", make)), "x") == {}
    assert output_of(bound(StreamRoute("/x", make)), "x") == {}
    route = bound(StreamRoute("/x", RunnableLambda(odd)))
    assert input_of(route, "x") in ({}, {"title": "odd_input"})
    assert output_of(route, "x") in ({}, {"title": "odd_output"})
    assert configurable_of(bound(StreamRoute("/x", make, configurable=("a",)))) == {
        "a": {"type": "string"}
    }


def test_configurable_keys_have_their_types() -> None:
    from langchain_core.runnables import ConfigurableField

    class Warm(Scripted):
        temperature: float = 0.0
        odd: Any = None

    model: Any = Warm(script=["a"]).configurable_fields(
        temperature=ConfigurableField(id="temperature")
    )
    route = bound(StreamRoute("/x", model, configurable=("temperature", "thread_id")))
    schemas = configurable_of(route)
    assert schemas["temperature"]["type"] == "number"
    assert schemas["thread_id"] == {"type": "string"}


def test_a_user_s_own_definitions_are_kept() -> None:
    own = {"$ref": "#/$defs/Error", "$defs": {"Error": {"type": "integer"}, "Unused": {}}}
    assert with_plain_messages(own) == {
        "$ref": "#/$defs/Error",
        "$defs": {"Error": {"type": "integer"}},
    }
    mixed = {"anyOf": [{"$ref": "#/$defs/HumanMessage"}, {"type": "integer"}], "$defs": {}}
    assert with_plain_messages(mixed)["anyOf"][1] == {"type": "integer"}


class Own(StreamError):
    """A user's own error, which is not one of the package's."""

    status = 599


def test_every_status_has_its_errors() -> None:
    assert 599 not in statuses()
    kinds = statuses()
    assert list(kinds) == sorted(kinds)
    assert {kind.code for kind in kinds[403]} == {"refused"}
    assert {kind.code for kind in kinds[503]} >= {"shutdown", "too_many_runs"}


def test_a_schema_that_pydantic_cannot_make_is_what_the_type_says_or_empty() -> None:
    for part, value in (("input", int), ("output", SimpleNamespace)):
        broken: Any = SimpleNamespace(**{f"{part.title()}Type": value})
        assert schema_of(broken, part) == ({"type": "integer"} if value is int else {})
    assert schema_of(SimpleNamespace(), "config") == {}  # type: ignore[arg-type]
