"""No Runnable and no type breaks an app's documents, or a run."""

from __future__ import annotations

import json
import operator
import pathlib
import re
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any, Literal

import numpy
import pytest
from jsonschema import Draft202012Validator
from langchain_core.prompts import PromptTemplate
from langchain_core.runnables import (
    ConfigurableField,
    RunnableBranch,
    RunnableLambda,
    RunnableParallel,
    RunnablePassthrough,
)
from langchain_core.runnables.utils import ConfigurableFieldSpec
from langchain_core.tools import StructuredTool
from langgraph.func import entrypoint
from numpy.typing import NDArray
from openapi_spec_validator import validate

from asgi_stream import StreamApp, StreamRoute, TableError
from asgi_stream._langchain.graphs import graph_of

from ..asgi import get, post
from ..models import Scripted
from . import odd_types as odd
from .odd_types import graph, keyed, raising, saying, taking

pytestmark = pytest.mark.anyio

SENT = {"text": "a"}
UPPER: Any = RunnableLambda(str.upper)
SAME: Any = RunnablePassthrough()
WHICH = ConfigurableField(id="which")


@dataclass
class Case:
    """A Runnable, or a function of the request, and its output for an input."""

    runnable: Any
    sent: Any = field(default_factory=lambda: SENT)
    answer: Any = field(default_factory=lambda: SENT)
    options: Mapping[str, Any] = field(default_factory=dict)
    query: str = ""


class Warm(Scripted):
    temperature: Any = None


def declared(wanted: Any, sent: Any = SENT, answer: Any = SENT) -> Case:
    return Case(SAME, sent, answer, {"input": wanted})


def with_key(runnable: Any, key: str = "k", value: str = "v", **more: Any) -> Case:
    return Case(runnable, **more, options={"configurable": (key,)}, query=f"?{key}={value}")


def typed() -> Iterator[tuple[str, Case]]:
    """Yield functions with annotations, which LangChain does not check."""
    models = [odd.Raises, odd.NotASchema, odd.Defaults, odd.Holds, odd.Tree, odd.Coloured]
    models += [
        odd.LiteralBytes,
        odd.Arrays,
        odd.Broken,
        odd.Away,
        odd.RouteValidation,
        odd.Keywords,
    ]
    models += [odd.Extra, odd.Waits]
    others = [odd.Typed, odd.TypedElsewhere, odd.Nested, odd.ForwardTyped, odd.Forward, odd.Made]
    others += [odd.Plain, odd.Hostile, odd.Speaks, odd.Pair, NDArray[numpy.float64], numpy.int64]
    unnamed = {
        "a variable": odd.T,
        "an iterator": Iterator[int],
        "unresolved": "Nowhere",
        "a list of what is unresolved": list["Nowhere"],  # type: ignore[name-defined]  # noqa: F821
        "an object": odd.Plain(),
        "an object that cannot be compared": odd.Unequal(),
        "annotated with an object": Annotated[dict[str, Any], odd.Unequal()],
        "object": object,
        "None": None,
    }
    for name, wanted in {**{each.__name__: each for each in [*models, *others]}, **unnamed}.items():
        yield f"takes {name}", Case(taking(wanted))
    for name, wanted, sent in [
        ("Rows", odd.Rows, [1, [2]]),
        ("Box", odd.Box[int], {"held": 1}),
        ("Titled", odd.Titled, {"the text~/é": "a"}),
        ("NewType", odd.Name, "a"),
        ("an alias of itself", odd.Alias, [1, [2]]),
        ("an enum", odd.Colour, "text"),
        ("a literal of bytes", Literal[b"a", "a"], "a"),
    ]:
        yield f"takes {name}", Case(taking(wanted), sent, sent)
        yield f"returns {name}", Case(taking(Any, wanted), sent, sent)


DECLARED = {
    "Typed": declared(odd.Typed),
    "TypedElsewhere": declared(odd.TypedElsewhere),
    "NotASchema": declared(odd.NotASchema),
    "Raises": declared(odd.Raises),
    "Holds": declared(odd.Holds, answer={**SENT, "plain": None}),
    "Places": declared(odd.Places, {"words": "a"}, {**SENT, "deep": 0, "plain": None}),
    "Coloured": declared(odd.Coloured, {"text": "a", "colour": "text"}, {**SENT, "colour": "text"}),
    "LiteralBytes": declared(
        odd.LiteralBytes, answer={**SENT, "raw": "YQ==", "colour": [255, 0, 0]}
    ),
    "Arrays": declared(odd.Arrays, answer={**SENT, "array": None, "number": 3}),
    "Defaults": declared(
        odd.Defaults,
        answer={
            **SENT,
            "default": {"__unserializable__": "Plain"},
            **{"nan": None, "raw": "/w==", "absent": None, "short": "", "needs": {}},
        },
    ),
    "Extra": declared(odd.Extra, answer={**SENT, "more": "1.5"}),
    "Broken": declared(odd.Broken),
    "Away": declared(odd.Away),
    "RouteValidation": declared(odd.RouteValidation, answer={"text": "A"}),
    "Keywords": declared(
        odd.Keywords,
        {"text": "a", "$ref": 1},
        {
            **{"text": "a", "items": None, "anyOf": 0, "discriminator": 0},
            **{"reference": 1, "definitions": 0},
        },
    ),
    "Pair": declared(odd.Pair, ["a"], ["a", 0]),
    "Tree": declared(odd.Tree, answer={**SENT, "below": []}),
    "Rows": declared(odd.Rows, [1], [1]),
    "Box": declared(odd.Box[odd.Tree], {"held": {"text": "a"}}, {"held": {**SENT, "below": []}}),
    "an alias of itself": declared(odd.Alias, [1, [2]], [1, [2]]),
    "a reducer": declared(Annotated[list[int], operator.add], [1], [1]),
    "a pattern": declared(typing.Pattern[str], "a", {"__unserializable__": "Pattern"}),
    "a path": declared(pathlib.Path, "a", "a"),
    "keys of an enum": declared(dict[odd.Colour, int], {"text": 1}, {"text": 1}),
}

KEYS = {
    "a default that is not JSON": keyed(str, odd.Plain()),
    "Any": keyed(Any, b"\xff"),
    "unresolved": keyed("Nowhere"),
    "no type": keyed(3),
    "a class": keyed(odd.Plain),
    "a hostile class": keyed(odd.Hostile),
    "an unresolved model": keyed(odd.Waits),
    "what cannot be compared": keyed(str, odd.Unequal()),
    "a name that is no text": keyed(str, id=3),
    "a literal": keyed(Literal[b"a", "v"]),
    "an alias": keyed(odd.Name),
}

SCHEMAS: list[Any] = [
    *(None, [], True, {"$defs": None}, {"properties": True}, {"properties": {"a": 3}, "anyOf": 3}),
    {"$defs": {"A": None, "HumanMessage": True}, "$ref": "#/$defs/A"},
    {"type": {1}, 1: 2, "a": odd.Plain(), "$ref": 3, "properties": {"a": True, "b": False}},
    {"items": [{"type": "string"}], "$schema": "http://json-schema.org/draft-07/schema#"},
    {"definitions": {"A b/é": {"type": "string"}}, "items": {"$ref": "#/definitions/A b~1é"}},
    {"$ref": "#"},
    {"properties": {"a": {"$ref": "#"}, "b": {"$ref": "#/properties/a"}}, "required": True},
]

COMPOSED = {
    "a branch": Case(
        RunnableBranch((lambda x: x == "b", raising("InputType")), raising("OutputType")), "a", "a"
    ),
    "fallbacks": Case(raising("InputType").with_fallbacks([raising("config_specs")]), "a", "a"),
    "a fallback that is used": Case(
        RunnableLambda[Any, Any](int).with_fallbacks([UPPER]), "a", "A"
    ),
    "each": Case(taking(odd.Waits).map(), [SENT], [SENT]),
    "bound": Case(RunnableLambda(lambda x, **_: x).bind(stop=odd.Plain())),
    "with types": Case(SAME.with_types(input_type=odd.Defaults, output_type=odd.Colour)),
    "with types without a schema": Case(
        SAME.with_types(input_type=odd.Plain, output_type=odd.Waits)
    ),
    "with a config": Case(UPPER.with_config(tags=["a"]).with_retry(), "a", "A"),
    "parallel": Case(
        RunnableParallel(a=raising("get_input_schema"), b=raising("config_specs")),
        *("a", {"a": "a", "b": "a"}),
    ),
    "a sequence": with_key(raising("InputType") | raising("config_specs")),
    "steps that differ about a key": with_key(keyed(int) | keyed(str)),
    "assign and pick": Case(
        RunnablePassthrough.assign(b=lambda _: odd.Plain()).pick("a"), {"a": 2}, 2
    ),
    "a tool with another server's schema": Case(
        StructuredTool(
            name="t",
            description="Adds.",
            func=lambda a: a,
            args_schema={
                "$schema": "http://json-schema.org/draft-07/schema#",
                "type": "object",
                "properties": {"a": {"$ref": "#/definitions/A"}},
                "definitions": {"A": {"type": "integer", "exclusiveMinimum": True}},
            },
        ),
        *({"a": 1}, 1),
    ),
    "configurable fields": with_key(
        Warm(script=["a"]).configurable_fields(temperature=ConfigurableField(id="k"))
        | RunnableLambda(lambda message: message.content),
        sent="Hi",
        answer="a",
    ),
    "alternatives": with_key(
        SAME.configurable_alternatives(WHICH, other=lambda: raising("InputType"), upper=UPPER),
        *("which", "upper"),
        sent="a",
        answer="A",
    ),
    "a configurable prompt": with_key(
        PromptTemplate.from_template("{x}").configurable_fields(
            template=ConfigurableField(id="t", annotation=Callable[[], int])
        )
        | RunnableLambda(lambda prompt: prompt.text),
        "unknown",
        sent={"x": "a"},
        answer="a",
    ),
    "a function of the request": with_key(lambda request: taking(odd.Waits)),
    "a function of the request, typed": Case(
        lambda request: taking(odd.Plain), options={"input": odd.Raises}
    ),
    "a function of the request for what raises": with_key(lambda request: raising("config_specs")),
    "declared, and raises": Case(raising("InputType"), options={"input": odd.Typed}),
    "declared, and cannot be compared": Case(
        saying("InputType", odd.Unequal()), options={"input": odd.Typed}
    ),
}


async def _as_it_is(value: Any) -> Any:
    return value


_as_it_is.__annotations__ = {"value": odd.Plain, "return": odd.Waits}

GRAPHS: dict[str, tuple[Any, Any]] = {
    "private channels": (graph(odd.Channels, output_schema=odd.Out), {"text": "A"}),
    "a state without a schema": (graph(odd.Channels), {"text": "A"}),
    "a channel of a node": (odd.graph_with_secret(), {"text": "Plain"}),
    "a model": (graph(odd.PydanticState, output_schema=odd.Out), {"text": "A"}),
    "a dataclass": (graph(odd.DataclassState, output_schema=odd.Out), {"text": "A"}),
    "NotRequired": (graph(odd.Nested), {"text": "A"}),
    "a context": (graph(odd.Out, context_schema=odd.Made), {"text": "A"}),
    "an odd context": (graph(odd.Out, context_schema=odd.Raises), {"text": "A"}),
    "an unresolved context": (graph(odd.Out, context_schema=odd.Forward), {"text": "A"}),
    "a function": (entrypoint()(_as_it_is), SENT),
}

CASES: dict[str, Case] = {
    **dict(typed()),
    **{f"input {name}": case for name, case in DECLARED.items()},
    **{
        f"{name} raises {error.__name__}": with_key(raising(name, error))
        for name in (
            *("InputType", "OutputType", "config_specs", "config_schema"),
            *("input_schema", "output_schema", "get_input_schema", "get_output_schema"),
            *("get_input_jsonschema", "get_output_jsonschema"),
        )
        for error in (RuntimeError, AttributeError)
    },
    **{
        f"{name} is {n} of {len(SCHEMAS)}": Case(saying(name, schema))
        for name in ("get_input_jsonschema", "get_output_jsonschema")
        for n, schema in enumerate(SCHEMAS)
    },
    **{
        f"{name} is {value!r}": with_key(saying(name, value))
        for name, value in (
            *(("config_specs", None), ("config_specs", [3]), ("get_input_schema", None)),
            *(("InputType", 3), ("OutputType", None), ("config_schema", None)),
        )
    },
    **{f"a key with {name}": with_key(runnable) for name, runnable in KEYS.items()},
    **COMPOSED,
    **{
        f"a graph with {name}": Case(runnable, SENT, answer, {"configurable": ("k",)})
        for name, (runnable, answer) in GRAPHS.items()
    },
}


def app_of(case: Case) -> StreamApp:
    """Return an app that serves a Runnable in every way that shows its schemas."""
    runnable, options = case.runnable, case.options
    routes = [
        StreamRoute("/native", runnable, format="chunks", methods=("GET", "POST"), **options),
        StreamRoute("/serve", runnable, format="langserve", **options),
        StreamRoute(
            "/models",
            {"one": runnable, "two": lambda request: runnable},
            format="openai",
            conversation=lambda messages: case.sent,
            **options,
        ),
    ]
    if not callable(runnable) and graph_of(runnable) is not None:
        routes.append(StreamRoute("/graphs", {"one": runnable}, format="langgraph", **options))
    return StreamApp(routes, playground=True)


@cache
def check_document(body: bytes) -> None:
    member = b'{"__unserializable__":"Plain"}'  # as the enum's value is sent
    assert body.count(b"__unserializable__") == body.count(member)
    document = json.loads(body)
    for path in document["paths"].values():
        for operation in path.values():
            # The others are the same for each Runnable, and slow to validate.
            operation["responses"] = {"200": operation["responses"]["200"]}
    validate(document)


def check_schema(schema: Any) -> None:
    """Assert that a schema is valid, and that its references are to its own definitions."""
    Draft202012Validator.check_schema(schema)
    text = json.dumps(schema)
    assert "__unserializable__" not in text
    for name in re.findall(r'"\$ref": "([^"]*)"', text):
        assert name.removeprefix("#/$defs/") in schema["$defs"]


@pytest.mark.parametrize("name", CASES)
async def test_it_is_described_and_runs(name: str) -> None:
    case = CASES[name]
    app = app_of(case)
    document = await get(app, "/openapi.json")
    assert document.status == 200
    check_document(document.body)
    assert (await get(app, "/playground")).status == 200
    table = await get(app, "/playground/table.json")
    assert table.status == 200
    for route in table.json()["routes"]:
        for schema in [*route["inputs"].values(), *route["configurable"].values()]:
            check_schema(schema)
    for part in ("input", "output", "config"):
        answer = await get(app, f"/serve/{part}_schema")
        assert answer.status == 200, part
        check_schema(answer.json())
    response = await post(
        app, f"/native{case.query}", case.sent, headers={"accept": "application/json"}
    )
    assert (response.status, response.json().get("output")) == (200, case.answer), response.body
    if any(route.path == "/graphs" for route in app.table):
        body = {"assistant_id": "one", "input": case.sent}
        assert (await post(app, "/graphs/runs/wait", body)).json() == case.answer


@pytest.mark.parametrize(
    ("name", "types"),
    [
        ("input Holds", {"text": "string", "plain": None}),
        ("input Places", {"words": "string", "plain": None}),
        ("input Coloured", {"text": "string", "colour": None}),
        ("input Keywords", {"text": "string", "anyOf": "integer", "$ref": "integer"}),
        ("declared, and raises", {"text": "string", "more": "array"}),
        ("takes Nested", {"text": "string", "inner": "object"}),
        ("takes Extra", {"text": "string"}),
        ("takes Tree", {"text": "string", "below": "array"}),
        ("a graph with private channels", {"text": "string", "call": None}),
        ("a graph with a model", {"text": "string", "held": None}),
        ("a graph with NotRequired", {"text": "string", "inner": "object"}),
    ],
)
async def test_known_types_are_described(name: str, types: Mapping[str, str | None]) -> None:
    schema = (await get(app_of(CASES[name]), "/serve/input_schema")).json()
    if "$ref" in schema:
        schema = schema["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    properties = {key: each for key, each in schema["properties"].items() if key in types}
    kinds = {
        key: schema["$defs"][each["$ref"].removeprefix("#/$defs/")] if "$ref" in each else each
        for key, each in properties.items()
    }
    assert {key: each.get("type") for key, each in kinds.items()} == types


async def test_a_graph_s_own_output_schema_is_described() -> None:
    for name in ("private channels", "a channel of a node", "a model", "a dataclass"):
        schema = (await get(app_of(CASES[f"a graph with {name}"]), "/serve/output_schema")).json()
        assert schema["properties"] == {"text": {"title": "Text", "type": "string"}}, name


@pytest.mark.parametrize("wanted", [odd.Waits, odd.Forward, odd.Plain, "Nowhere"])
def test_a_declared_input_that_cannot_be_validated_is_an_error_of_the_table(wanted: Any) -> None:
    with pytest.raises(TableError, match=r"input: .* cannot be used"):
        StreamApp([StreamRoute("/x", SAME, input=wanted)])


async def test_a_key_without_a_type_of_its_own_stays_text() -> None:
    def say(value: Any, config: Any) -> Any:
        return config["configurable"]["k"]

    class Keyed(RunnableLambda[Any, Any]):
        @property
        def config_specs(self) -> list[ConfigurableFieldSpec]:
            return [
                ConfigurableFieldSpec("k", "Nowhere"),
                ConfigurableFieldSpec("n", int, default=odd.Plain()),
            ]

    route = StreamRoute("/x", Keyed(say), format="chunks", configurable=("k", "n"))
    app = StreamApp([route, StreamRoute("/s", Keyed(say), format="langserve")])
    response = await post(app, "/x?k=5&n=3", "a", headers={"accept": "application/json"})
    assert response.json()["output"] == "5"
    assert (await post(app, "/x?n=x", "a")).status == 422
    schema = (await get(app, "/s/config_schema")).json()["properties"]["configurable"]
    assert schema["properties"] == {"k": {}, "n": {"type": "integer"}}
