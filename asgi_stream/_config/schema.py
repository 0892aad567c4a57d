"""The shape of a route table's file. What each option means is said where it is declared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from types import NoneType
from typing import Annotated, Any, Literal, cast, get_args, get_type_hints

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
    create_model,
)
from pydantic_core import PydanticCustomError

from .._importer import ImportFailed, import_from_string
from ..errors import StreamError
from ..filters import EventFilter
from ..limits import Limits
from ..resume import Resume
from ..stores import open_store


class Secret(str):
    """Text from the environment, which no message shows."""

    def __repr__(self) -> str:
        return "(a value from the environment)"


def given_in(model: BaseModel) -> dict[str, Any]:
    """The keys that a file gives, with their values."""
    return {name: getattr(model, name) for name in model.model_fields_set}


def _imported(value: Any) -> Any:
    if not isinstance(value, str):
        raise PydanticCustomError("reference", 'Input should be a "module:attribute"')
    try:
        return import_from_string(value)
    except ImportFailed as error:
        raise PydanticCustomError("import", "{why}", {"why": str(error)}) from error


def _imported_each(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _imported(each) for name, each in value.items()}
    return _imported(value)


def _imported_or_table(value: Any) -> Any:
    return value if isinstance(value, dict) else _imported(value)


def _store(value: Any) -> Any:
    """An address stays one, and anything else of that form names a store."""
    if isinstance(value, Secret):
        try:
            open_store(value)
        except (ImportError, ValueError):
            raise PydanticCustomError("secret", "Input should be a store's address") from None
        return value
    named = isinstance(value, str) and ":" in value and "//" not in value
    return _imported(value) if named else value


REFERENCE = {"type": "string", "pattern": r"^[\w.]+:[\w.]+$", "description": "module:attribute"}
MANY = {"type": "object", "additionalProperties": REFERENCE, "minProperties": 1}

Reference = Annotated[Any, BeforeValidator(_imported), WithJsonSchema(REFERENCE)]
References = Annotated[
    Any, BeforeValidator(_imported_each), WithJsonSchema({"anyOf": [REFERENCE, MANY]})
]
Config = Annotated[
    Any,
    BeforeValidator(_imported_or_table),
    WithJsonSchema({"anyOf": [REFERENCE, {"type": "object"}]}),
]
STRICT = ConfigDict(extra="forbid", strict=True, frozen=True)


def _or_none(type_: Any) -> Any:
    """A number, or ``"none"``; TOML has no null."""
    kind = "integer" if type_ is int else "number"
    return Annotated[
        type_ | None,
        BeforeValidator(lambda value: None if value == "none" else value),
        WithJsonSchema({"anyOf": [{"type": kind}, {"const": "none"}]}),
    ]


def _table_of(options: type, **types: Any) -> Any:
    """The keys of a dataclass of options, whose values become one of it."""
    hints = get_type_hints(options)
    given: dict[str, Any] = {}
    for each in fields(options):
        type_ = types.get(each.name, hints[each.name])
        if NoneType in (arms := get_args(type_)):
            type_ = _or_none(arms[0])
        elif type_ == Sequence[str]:
            type_ = list[str]
        if each.init:
            given[each.name] = (type_, Field(default=None))
    model = create_model(options.__name__, __config__=STRICT, **given)
    return Annotated[model, AfterValidator(lambda valid: options(**given_in(valid)))]


class Error(BaseModel):
    """What a client is told instead of an exception."""

    model_config = STRICT
    message: str
    code: str = "run_failed"
    status: int = Field(500, ge=400, le=599)
    headers: dict[str, str] = Field(default_factory=dict)


Store = Annotated[Any, BeforeValidator(_store), WithJsonSchema({"type": "string"})]
ResumeTable = _table_of(Resume, store=Store)

TYPES: dict[str, Any] = {
    "format": str,
    "methods": list[Literal["GET", "POST"]],
    "input": Reference,
    "conversation": Reference,
    "system_messages": bool,
    "filter": _table_of(EventFilter),
    "answer": list[str],
    "config": Config,
    "configure": Reference,
    "configurable": list[str],
    "stream": dict[str, Any],
    "limits": _table_of(Limits),
    "json_pings": bool,
    "errors": dict[
        Reference, Annotated[Error, AfterValidator(lambda told: StreamError(**given_in(told)))]
    ],
    "authorize": Reference,
    "resume": Annotated[
        Annotated[bool, Tag("<switch>")] | Annotated[ResumeTable, Tag("<table>")],
        Discriminator(lambda value: "<switch>" if isinstance(value, bool) else "<table>"),
    ],
    "inline_parser": bool,
    "debug": bool,
}
"""How each option of a route is written in TOML."""

_options: dict[str, Any] = {name: (type_, Field(default=None)) for name, type_ in TYPES.items()}
Options = create_model("Options", __config__=STRICT, **_options)
Route = create_model(
    "Route", __config__=STRICT, path=(str, ...), runnable=(References, ...), **_options
)


class App(BaseModel):
    """Options of the app itself."""

    model_config = STRICT
    title: str = "asgi_stream"
    openapi: bool = True
    health: bool = True
    playground: bool = False
    allowed_hosts: list[str] = cast(Any, None)  # TOML has no null
    telemetry: bool = False
    signals: bool = True


class File(BaseModel):
    """A route table of asgi_stream."""

    model_config = ConfigDict(extra="forbid", title="asgi_stream.toml")
    app: Annotated[App, AfterValidator(given_in)] = Field(default_factory=App)
    defaults: Options = Field(default_factory=Options)  # type: ignore[valid-type]
    route: list[Route] = Field(default_factory=list)  # type: ignore[valid-type]
