"""The schema of a route table in TOML. What an option means is documented where it is declared."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import fields
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_type_hints

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
from ..routes import OPTIONS, AppOnlyOptions
from ..stores import open_store
from ..threads import Threads


class Secret(str):
    """Text from the environment, which no message reveals."""

    def __repr__(self) -> str:
        return "(a value from the environment)"


def set_in(model: BaseModel) -> dict[str, Any]:
    """Return the keys that a file sets, with their values."""
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
    """Leave a URL as it is, and import a store that is named as ``"module:attribute"``."""
    if isinstance(value, Secret):
        try:
            open_store(value)
        except (ImportError, ValueError):
            raise PydanticCustomError("secret", "Input should be the URL of a store") from None
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
    """Return the type of a TOML table whose keys are the fields of a dataclass of options."""
    hints = get_type_hints(options)
    keys: dict[str, Any] = {}
    for each in fields(options):
        type_ = types.get(each.name, hints[each.name])
        if NoneType in (arms := get_args(type_)):
            type_ = _or_none(arms[0])
        elif type_ == Sequence[str]:
            type_ = list[str]
        if each.init:
            keys[each.name] = (type_, Field(default=None))
    model = create_model(options.__name__, __config__=STRICT, **keys)
    return Annotated[model, AfterValidator(lambda valid: options(**set_in(valid)))]


class Error(BaseModel):
    """The error that is sent in place of an exception."""

    model_config = STRICT
    message: str
    code: str = "run_failed"
    status: int = Field(500, ge=400, le=599)
    headers: dict[str, str] = Field(default_factory=dict)


Store = Annotated[Any, BeforeValidator(_store), WithJsonSchema({"type": "string"})]
ResumeTable = _table_of(Resume, store=Store)
ThreadsTable = _table_of(Threads, store=Store)


def _switch_or(table: Any) -> Any:
    """A boolean, or a table of options."""
    return Annotated[
        Annotated[bool, Tag("<switch>")] | Annotated[table, Tag("<table>")],
        Discriminator(lambda value: "<switch>" if isinstance(value, bool) else "<table>"),
    ]


TYPES: dict[str, Any] = {
    "boolean": bool,
    "reference or table": Config,
    "errors by class": dict[
        Reference, Annotated[Error, AfterValidator(lambda table: StreamError(**set_in(table)))]
    ],
    "EventFilter": _table_of(EventFilter),
    "function": Reference,
    "integer": int,
    "Limits": _table_of(Limits),
    "HTTP methods": list[Literal["GET", "POST"]],
    "reference": Reference,
    "Resume or boolean": _switch_or(ResumeTable),
    "string": str,
    "strings": list[str],
    "table": dict[str, Any],
    "Threads or boolean": _switch_or(ThreadsTable),
}
"""The forms in which options are written in TOML (`asgi_stream._options.Option`)."""

_options: dict[str, Any] = {
    name: (TYPES[option.toml], Field(default=None)) for name, option in OPTIONS.items()
}
RouteDefaults = create_model("Options", __config__=STRICT, **_options)
Route = create_model(
    "Route", __config__=STRICT, path=(str, ...), runnable=(References, ...), **_options
)


def _in_toml(type_: Any) -> Any:
    """Return the type of an option of the app, as it is written in TOML, which has no null."""
    arms = [arm for arm in get_args(type_) if arm is not NoneType] or [type_]
    return list[str] if arms == [Collection[str]] else arms[0]


_app_options: dict[str, Any] = {
    name: (_in_toml(type_), Field(default=None))
    for name, type_ in get_type_hints(AppOnlyOptions).items()
}
App = create_model("App", __config__=STRICT, __doc__="Options of the app itself.", **_app_options)


class File(BaseModel):
    """A route table of asgi_stream."""

    model_config = ConfigDict(extra="forbid", title="asgi_stream.toml")
    app: Annotated[App, AfterValidator(set_in)] = Field(default_factory=App)  # type: ignore[valid-type]
    defaults: RouteDefaults = Field(default_factory=RouteDefaults)  # type: ignore[valid-type]
    route: list[Route] = Field(default_factory=list)  # type: ignore[valid-type]
