"""Types whose JSON Schemas are odd, or cannot be made, and Runnables that say odd things.

Their annotations are objects, not strings, because LangChain and pydantic read them.
"""
# No ``from __future__ import annotations`` here: that is the point.

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    Protocol,
    Required,
    TypedDict,
    TypeVar,
)

import numpy
import typing_extensions
from langchain_core.messages import AnyMessage
from langchain_core.runnables import Runnable, RunnableLambda
from langchain_core.runnables.utils import ConfigurableFieldSpec
from langgraph.channels import EphemeralValue, UntrackedValue
from langgraph.graph import START, StateGraph
from langgraph.managed import IsLastStep
from numpy.typing import NDArray
from pydantic import (
    AfterValidator,
    AliasPath,
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    RootModel,
    WithJsonSchema,
)

T = TypeVar("T")


class Typed(TypedDict, total=False):
    text: Required[str]
    more: NotRequired[list[int]]


class TypedElsewhere(typing_extensions.TypedDict):
    text: typing_extensions.Required[str]
    more: typing_extensions.NotRequired[Annotated[int, operator.add]]


class Inner(TypedDict):
    number: int


class Nested(TypedDict):
    inner: NotRequired[Inner]
    text: str


class Plain:
    pass


class Raises(BaseModel):
    text: str

    @classmethod
    def __get_pydantic_json_schema__(cls, core: Any, handler: GetJsonSchemaHandler) -> Any:
        raise RuntimeError("no schema")


class NotASchema(BaseModel):
    text: str

    @classmethod
    def __get_pydantic_json_schema__(cls, core: Any, handler: GetJsonSchemaHandler) -> Any:
        return {"type": "object", "default": {1, 2}, "examples": [b"\xff", Plain(), {"text": "x"}]}


class Needs(BaseModel):
    number: int


class Defaults(BaseModel):
    """Defaults that are not JSON, or not what the field takes."""

    text: str
    default: Any = Plain()
    nan: float = float("nan")
    raw: bytes = b"\xff"
    absent: str = None  # type: ignore[assignment]  # the point
    short: str = Field("", min_length=1)
    needs: Needs = {}  # type: ignore[assignment]


class Holds(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    text: str
    plain: Plain | None = None


class Tree(BaseModel):
    text: str
    below: list["Tree"] = []


class Rows(RootModel[list["Rows | int"]]):
    pass


class Box(BaseModel, Generic[T]):
    held: T


class Colour(Enum):
    RED = (255, 0, 0)
    PLAIN = Plain()
    RAW = b"\xff"
    TEXT = "text"


class Coloured(BaseModel):
    text: str
    colour: Colour | None = None


class Places(BaseModel):
    """Fields that come from elsewhere, beside one without a schema."""

    model_config = ConfigDict(arbitrary_types_allowed=True)
    text: str = Field(validation_alias="words")
    deep: int = Field(0, validation_alias=AliasPath("a", "b"))
    plain: Plain | None = None


class LiteralBytes(BaseModel):
    text: str
    raw: Literal[b"\xff", b"a"] = b"a"
    colour: Literal[Colour.RED] = Colour.RED


class Arrays(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    text: str
    array: NDArray[numpy.float64] | None = None
    number: numpy.int64 = numpy.int64(3)


class Pair(NamedTuple):
    text: str
    number: int = 0


class Speaks(Protocol):
    def say(self) -> str: ...


class Extra(BaseModel):
    text: str = Field(json_schema_extra={"seen": Plain(), "set": {1}, "x": float("nan")})  # type: ignore[dict-item]
    more: Decimal = Field(default=Decimal("1.5"), ge=Decimal(1), examples=[Decimal(1)])


class Broken(BaseModel):
    text: Annotated[str, WithJsonSchema({"type": "words", "minLength": "much"})]


class Away(BaseModel):
    text: Annotated[str, WithJsonSchema({"$ref": "https://example.com/schema.json"})]


class Titled(BaseModel):
    model_config = ConfigDict(title='A "name" / of [its] own')
    text: str = Field(alias="the text~/é", title="")


class Keywords(BaseModel):
    """Fields with the names of JSON Schema's own words."""

    text: str
    items: AnyMessage | None = None
    anyOf: int = 0
    discriminator: int = 0
    reference: int = Field(0, alias="$ref")
    definitions: int = Field(0, alias="$defs")


class RouteValidation(BaseModel):
    text: Annotated[str, AfterValidator(str.upper), PlainSerializer(lambda text: Plain())]


class Waits(BaseModel):
    text: "OnlyForTypes"  # type: ignore[name-defined]  # noqa: F821


@dataclass
class Forward:
    text: "OnlyForTypes"  # type: ignore[name-defined]  # noqa: F821


class ForwardTyped(TypedDict):
    text: "OnlyForTypes"  # type: ignore[name-defined]  # noqa: F821


@dataclass
class Made:
    text: str
    numbers: list[int] = field(default_factory=lambda: [1])
    plain: Any = field(default_factory=Plain)


class Meta(type):
    def __getattr__(cls, name: str) -> Any:
        raise RuntimeError(name)


class Hostile(metaclass=Meta):
    """A class that does not like to be asked."""


class Unequal:
    """What cannot be compared, hashed or shown."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    def __repr__(self) -> str:
        raise RuntimeError


Name = NewType("Name", str)
Alias = typing_extensions.TypeAliasType("Alias", "list[Alias] | int")


class Channels(TypedDict):
    """A graph's state with channels that are private, managed, or without a schema."""

    text: str
    hidden: Annotated[Plain, UntrackedValue(Plain)]
    once: Annotated[Any, EphemeralValue(Any)]
    last: IsLastStep
    call: Callable[[int], str]
    array: NDArray[numpy.float64]
    nested: NotRequired[Annotated[Colour, lambda before, after: after]]


class Secret(TypedDict):
    secret: Plain


class Out(TypedDict):
    text: str


class PydanticState(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    text: str = ""
    plain: Any = Plain()
    held: Plain | None = None
    raises: Raises | None = None
    colour: Colour = Colour.RED


@dataclass
class DataclassState:
    text: str
    plain: Plain | None = None
    colour: Annotated[Colour | None, "x"] = None


class Bare(Runnable[Any, Any]):
    def invoke(self, input: Any, config: Any = None, **kwargs: Any) -> Any:
        return input


def raising(name: str, error: type[Exception] = RuntimeError) -> Any:
    """A Runnable of which one property or method raises."""

    def fail(self: Any, *_: Any, **__: Any) -> Any:
        raise error(name)

    return type("Raising", (Bare,), {name: fail if _is_method(name) else property(fail)})()


def saying(name: str, value: Any) -> Any:
    """A Runnable whose attribute `name` returns `value`."""

    def say(self: Any, *_: Any, **__: Any) -> Any:
        return value

    return type("Saying", (Bare,), {name: say if _is_method(name) else property(say)})()


def _is_method(name: str) -> bool:
    return name.startswith("get_") or name == "config_schema"


def taking(wanted: Any, output_type: Any = None) -> Any:
    """A function whose annotations are these."""

    def take(value: Any) -> Any:
        return value

    take.__annotations__ = {
        "value": wanted,
        "return": wanted if output_type is None else output_type,
    }
    return RunnableLambda(take)


def keyed(annotation: Any, default: Any = None, id: Any = "k") -> Any:
    """A Runnable that is configurable by a key of that type."""
    return saying("config_specs", [ConfigurableFieldSpec(id, annotation, default=default)])


def graph(state: Any, **schemas: Any) -> Any:
    """A graph that makes the ``text`` of its state upper case."""

    def step(state: Any) -> Any:
        values = state if isinstance(state, Mapping) else vars(state)
        return {"text": values["text"].upper()}

    built: Any = StateGraph(state, **schemas)
    return built.add_node("step", step).add_edge(START, "step").compile()


def graph_with_secret() -> Any:
    """A graph of two nodes, the second of which has a channel that is not of the state."""

    def one(state: Channels) -> Secret:
        return {"secret": Plain()}

    def two(state: Secret) -> dict[str, Any]:
        return {"text": type(state["secret"]).__name__}

    built: Any = StateGraph(Channels, input_schema=Out, output_schema=Out)
    built.add_node("one", one).add_node("two", two)
    return built.add_edge(START, "one").add_edge("one", "two").compile()
