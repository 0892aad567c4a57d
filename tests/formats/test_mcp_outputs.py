"""Outputs of each type fit the schema that their tool is listed with."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import ipaddress
import pathlib
import re
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, NotRequired

import pytest
from jsonschema import Draft202012Validator
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.runnables import (
    Runnable,
    RunnableLambda,
    RunnableParallel,
    RunnablePassthrough,
)
from langgraph.graph import START, StateGraph
from pydantic import (
    AnyUrl,
    BaseModel,
    ConfigDict,
    Field,
    Json,
    PlainSerializer,
    RootModel,
    SecretStr,
    computed_field,
    field_serializer,
    field_validator,
)
from pydantic.dataclasses import dataclass
from pydantic_core import core_schema
from typing_extensions import TypedDict

from .test_mcp_calls import app_of, called, listed

pytestmark = pytest.mark.anyio


class Aliased(BaseModel):
    model_config = ConfigDict(populate_by_name=True)
    my_field: int = Field(alias="myField")


class TwoAliases(BaseModel):
    a: int = Field(serialization_alias="aS", validation_alias="aV")


class Computed(BaseModel):
    kind: Literal["computed"] = "computed"
    w: int

    @computed_field  # type: ignore[prop-decorator]
    @property
    def double(self) -> int:
        return self.w * 2


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: Literal["closed"] = "closed"
    x: int = Field(ge=3)


class More(Closed):
    model_config = ConfigDict(extra="allow")
    more: int = 5


class Tree(BaseModel):
    value: int
    below: list[Tree] = []


class Numbers(RootModel[list[int]]):
    pass


class Written(BaseModel):
    """Has serializers of its own."""

    year: dt.date

    as_text: Annotated[int, PlainSerializer(str, when_used="json")] = 1
    as_any: Annotated[int, PlainSerializer(lambda value: [value])] = 1

    @field_serializer("year")
    def _year(self, value: dt.date) -> Any:
        return value.year


class Times(BaseModel):
    model_config = ConfigDict(ser_json_temporal="seconds")
    at: dt.datetime
    day: dt.date
    time: dt.time
    long: dt.timedelta


class Many(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    number: float
    url: AnyUrl
    call: Callable[[], int]
    thing: object
    path: pathlib.Path
    secret: SecretStr
    members: Sequence[int]


class Opaque:
    """Has no schema."""


class Recipe:
    """A type that pydantic's documentation shows how to describe."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        return core_schema.json_or_python_schema(
            json_schema=core_schema.str_schema(),
            python_schema=core_schema.is_instance_schema(cls),
            serialization=core_schema.to_string_ser_schema(),
        )


class Made:
    """A class that pydantic makes of text."""

    def __init__(self, text: str) -> None:
        self.text = text

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema())


class Wrapped(Made):
    @classmethod
    def _wrap(cls, value: Any, handler: Any) -> Any:
        return cls(handler(value))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        return core_schema.no_info_wrap_validator_function(cls._wrap, core_schema.str_schema())


class Checked(BaseModel):
    made: list[Made | Wrapped]
    number: int

    @field_validator("number")
    @classmethod
    def _check(cls, value: int) -> int:
        return value


class Partial(TypedDict):
    opaque: Opaque
    aliased: Aliased


class Color(enum.Enum):
    RED = "red"
    TWO = (1, dt.timedelta(seconds=1))


class Pair(NamedTuple):
    a: int
    b: str


class Options(TypedDict):
    a: int
    b: NotRequired[str]
    c: NotRequired[Aliased]


@dataclasses.dataclass
class Plain:
    a: int
    b: str | None = None


@dataclass
class Area:
    side: int
    hidden: int = Field(default=1, exclude=True)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def area(self) -> int:
        return self.side**2


URL = AnyUrl("https://example.com")
DAY = dt.date(2020, 1, 1)
TIME = dt.datetime(2020, 1, 1)
FIVE = dt.timedelta(seconds=5)
MANY = Many(
    number=float("nan"),
    url=URL,
    call=lambda: 1,
    thing=object(),
    path=pathlib.Path("/x"),
    secret=SecretStr("x"),
    members=deque([1]),
)

OUTPUTS: list[tuple[Any, Any]] = [
    (Aliased, Aliased(myField=1)),
    (dict[str, Aliased], {"a": Aliased(myField=1)}),
    (TwoAliases, TwoAliases.model_validate({"aV": 1})),
    (Computed, Computed(w=2)),
    (Closed, More.model_validate({"x": 3, "other": []})),
    (Closed, Closed.model_construct(x=1)),
    (list[Closed], [More(x=3)]),
    (Annotated[Computed | Closed, Field(discriminator="kind")], Computed(w=1)),
    (Closed | More, More(x=3)),
    (Tree, Tree(value=1, below=[Tree(value=2)])),
    (Numbers, Numbers([1])),
    (Written, Written(year=DAY)),
    (Times, Times(at=TIME, day=DAY, time=dt.time(1), long=FIVE)),
    (Many, MANY),
    (Partial, {"opaque": Opaque(), "aliased": Aliased(myField=1)}),
    (list[Recipe], [Recipe()]),
    (list[Made], [Made("x")]),
    (Checked, Checked.model_validate({"made": ["x"], "number": 1})),
    (Checked, Checked.model_construct(made=[Wrapped("x")], number=1)),
    (Color, Color.TWO),
    (dict[Color, int], {Color.RED: 1}),
    (Pair, Pair(1, "b")),
    (Options, {"a": 1, "c": Aliased(myField=1)}),
    (Plain, Plain(1)),
    (Area, Area(2)),
    (list[Area], [Area(2)]),
    (None, None),
    (int | None, None),
    (Literal[b"a", 1], b"a"),
    (Any, object()),
    (dt.datetime, TIME),
    (dt.timedelta, FIVE),
    (Decimal, Decimal("1E+5")),
    (Decimal, Decimal("NaN")),
    (bytes, b"\xff"),
    (frozenset[str], frozenset("a")),
    (tuple[int, str], (1, "a")),
    (uuid.UUID, uuid.UUID(int=1)),
    (pathlib.Path, pathlib.Path("/x")),
    (float, float("inf")),
    (list[float], [float("nan"), 3]),
    (complex, 1 + 2j),
    (int, 2**80),
    (str, "\ud800"),
    (Iterable[int], iter([1])),
    (Sequence[int], deque([1])),
    (Mapping[str, float], {"a": float("nan")}),
    (dict[int, str], {1: "a"}),
    (Json[int], 1),
    (AnyUrl, URL),
    (SecretStr, SecretStr("x")),
    (ipaddress.IPv4Address, ipaddress.IPv4Address("1.2.3.4")),
    (re.Pattern[str], re.compile("a")),
    (list[re.Pattern[str] | int], [re.compile("a")]),
    (Document, Document("x", metadata={"a": float("nan")})),
    (AIMessage, AIMessage("x")),
    (AIMessage, AIMessageChunk(content="x")),
    (list[BaseMessage], [AIMessage("x")]),
]


async def check(runnable: Runnable[Any, Any]) -> Any:
    """Return the schema of a tool's output, which a call's output fits."""
    app = app_of({"x": runnable})
    schema = (await listed(app))["x"]["outputSchema"]
    Draft202012Validator.check_schema(schema)
    result = await called(app, "x", {"input": 1})
    Draft202012Validator(schema).validate(result["structuredContent"])
    return schema["properties"]["output"]


def returns(type_: Any, value: Any) -> Runnable[Any, Any]:
    def make(x: int) -> Any:
        return value

    make.__annotations__["return"] = type_
    return RunnableLambda(make)


@pytest.mark.parametrize(("type_", "value"), OUTPUTS)
async def test_an_output_of_a_type_fits_its_schema(type_: Any, value: Any) -> None:
    await check(returns(type_, value))
    if not isinstance(value, BaseMessage | Iterable):
        await check(returns(list[type_], [value]))
    await check(RunnableLambda(lambda x: x) | RunnableParallel(a=returns(type_, value)))


async def test_what_is_certain_is_described() -> None:
    output = await check(returns(Aliased, Aliased(myField=1)))
    assert output["properties"]["my_field"]["type"] == "integer"
    assert output["required"] == ["my_field"]
    assert await check(returns(None, None)) == {"type": "null"}
    output = await check(returns(Checked, Checked.model_validate({"made": [], "number": 1})))
    assert output["properties"]["number"]["type"] == "integer"
    output = await check(returns(Partial, {"opaque": Opaque(), "aliased": Aliased(myField=1)}))
    assert output["properties"] == {
        "opaque": {"title": "Opaque"},
        "aliased": {"$ref": "#/$defs/Aliased"},
    }


async def test_parallel_steps_have_keys_of_any_name() -> None:
    steps = RunnableParallel(json=returns(int, 1), private_key=returns(int, 2))
    output = await check(RunnableLambda(lambda x: x) | steps)
    assert [*output["properties"]] == ["private_key"]
    await check(
        RunnableLambda(lambda x: {"x": x}) | RunnablePassthrough.assign(json=returns(int, 1))
    )


class State(BaseModel):
    input: int
    below: State | None = None
    aliased: Aliased | None = Field(None, alias="Aliased")
    time: dt.timedelta | None = None
    more: int = 1

    @computed_field  # type: ignore[prop-decorator]
    @property
    def computed(self) -> int:
        return 1


@pytest.mark.parametrize(
    "update",
    [{}, {"aliased": Aliased(myField=1)}, {"below": {"input": 1}}, {"time": "PT5S"}],
)
async def test_the_state_of_a_graph_fits_its_schema(update: Any) -> None:
    graph = StateGraph(State).add_node("a", lambda state: update).add_edge(START, "a").compile()
    make: Any = RunnableLambda(lambda x: {"input": x})
    for runnable in (graph, make | graph.with_config({})):
        output = await check(runnable)
        assert output["properties"]["input"]["type"] == "integer"
        assert output["properties"]["time"] == {}


async def test_a_state_that_pydantic_cannot_describe_has_its_fields() -> None:
    class Whole(Partial):
        input: int

    builder = StateGraph(Whole).add_node("a", lambda state: {"opaque": Opaque()})
    output = await check(builder.add_edge(START, "a").compile())
    assert output["properties"]["input"] == {"type": "integer"}


async def test_declared_types_come_before_those_of_the_steps() -> None:
    typed: Any = returns(int, 1).with_types(output_type=float)
    assert (await check(typed))["type"] == ["number", "null"]
