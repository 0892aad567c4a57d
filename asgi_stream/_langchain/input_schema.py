"""What a Runnable takes: a client's plain data, checked, with messages where messages are wanted.

No class is chosen by the client's data, but by the type that the route or the Runnable declares.
"""

from __future__ import annotations

import sys
import typing
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from json import JSONDecoder
from threading import RLock
from traceback import walk_tb
from types import GenericAlias, UnionType
from typing import Any, NotRequired, Required

from langchain_core.load.serializable import Serializable
from langchain_core.runnables import Runnable
from langchain_core.runnables.utils import ConfigurableFieldSpec
from pydantic import BaseModel, RootModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails
from typing_extensions import TypedDict, is_typeddict

from ..errors import InvalidInput
from ..formats._content import refused
from ..limits import Limits
from .coercion import coerced
from .json_schema import sound
from .type_hints import fields_of, is_list_of_messages

MOST_TOLD = 5
MOST_READ = 1_000
"""Of so many errors of pydantic the first are looked at; with more the input is refused anyway."""


MOST_LEVELS = 4
"""So deep the fields of classes are looked at for which pydantic has no schema."""

UNBOUNDED = Limits(messages=None, files=None)

_QUIET = RLock()
"""What is warned of is a process's; two threads that changed it at once could leave it changed."""


class InputSchema:
    """What a route's input has to look like.

    With a declared type the input is validated by it, as pydantic validates. Without one the
    Runnable's own input schema is asked, and only believed where it cannot be wrong: a prompt's
    missing variable is refused, its type is not enforced, and a graph takes a part of its state.

    Attributes:
        wanted: The type of the input.
    """

    def __init__(self, runnable: Runnable[Any, Any], declared: Any = None) -> None:
        taken = _input_type(runnable)
        self._runnable = runnable
        self._declared = declared
        self.wanted: Any
        if declared is not None:
            self.wanted = declared
            self._adapter: TypeAdapter[Any] | None = _adapter(declared)
        else:
            self.wanted = _own_type(runnable, taken)
            self._adapter = _adapter_if_possible(self.wanted)
        # An annotation may be the class's name, if its module postpones annotations.
        self._as_instance = declared is not None and (
            taken is declared
            or (isinstance(taken, str) and taken == getattr(declared, "__name__", None))
        )
        self._made_up = _is_model(self.wanted) and self.wanted is not taken

    def check(self, value: Any, limits: Limits | None = None) -> Any:
        """`value` as the Runnable takes it.

        Args:
            value: The input.
            limits: Bounds of its messages.

        Raises:
            InvalidInput: It does not fit. The error names the field.
        """
        if self._adapter is None:
            return value
        value = coerced(value, self.wanted, "", limits or UNBOUNDED)
        try:
            valid = self._adapter.validate_python(value)
        except ValidationError as failure:
            errors = list(first_errors(failure, MOST_READ))
            told = [error for error in errors if self._believed(error, value)]
            if not told and failure.error_count() > MOST_READ:
                told = errors
            if told:
                raise invalid_input(told) from None
            return value
        except Exception as error:
            if not _is_of_the_input(error):
                raise
            if self._declared is None:
                return value
            raise refused("input", "expected other fields") from None
        if self._declared is None:
            return value
        return valid if self._as_instance else _as_mapping(valid)

    def json_schema(self) -> Any:
        """The type of the input as a JSON Schema; ``{}`` if nobody knows it."""
        if self._declared is not None:
            return schema_of_declared(self._declared)
        schema = schema_of(self._runnable, "input")
        if is_typeddict(self.wanted):
            schema.pop("required", None)
        return schema

    def _believed(self, error: ErrorDetails, value: Any) -> bool:
        """Whether the input is refused for this error."""
        if self._declared is not None:
            return True
        if is_typeddict(self.wanted):
            # A graph's state, of which a client sends a part.
            return error["type"] != "missing"
        if not self._made_up:
            return True
        variables = self.wanted.model_fields
        if not error["loc"]:
            # A prompt with one variable takes that variable bare.
            return len(variables) != 1 or isinstance(value, Mapping)
        known = variables.get(str(error["loc"][0]))
        if known is None or known.annotation is Any:
            return False
        return error["type"] == "missing" or is_list_of_messages(known.annotation)


def first_errors(failure: ValidationError, most: int) -> Iterator[ErrorDetails]:
    """The first errors of `failure`, without their input.

    ``failure.errors()`` makes Python objects of all of them: a second for 250,000.
    """
    text = failure.json(include_url=False, include_context=False, include_input=False)
    decode, at = JSONDecoder().raw_decode, 1
    for _ in range(min(most, failure.error_count())):
        error, at = decode(text, at)
        at += 1  # the comma
        yield error


def _is_of_the_input(error: Exception) -> bool:
    """Whether an input is not what LangChain's classes take, or lacks what an ``__init__`` needs.

    What a class of the user's own raises is no fault of the client's.
    """
    *_, (frame, _) = walk_tb(error.__traceback__)
    return frame.f_globals["__name__"].partition(".")[0] in ("langchain_core", "pydantic")


def invalid_input(errors: Sequence[ErrorDetails]) -> InvalidInput:
    """pydantic's errors as one error that names each field, without the values."""
    told: dict[str, str] = {}
    for error in errors[:MOST_TOLD]:
        path = ".".join(str(part) for part in error["loc"] if part != "root") or "input"
        told.setdefault(path, error["msg"])
    return InvalidInput("; ".join(f"{path}: {what}" for path, what in told.items()), fields=told)


class ConfigurableSchema:
    """The ``configurable`` keys that a route takes from the query string, with their types."""

    def __init__(self, runnable: Runnable[Any, Any]) -> None:
        self._adapters = {
            spec.id: _adapter_if_possible(spec.annotation) for spec in _specs(runnable)
        }

    def json_schemas(self) -> dict[str, Any]:
        """The keys that the Runnable knows, each with its type as a JSON Schema."""
        return {
            name: {} if adapter is None else _schema_by(adapter.json_schema)
            for name, adapter in self._adapters.items()
        }

    def check(self, values: Mapping[str, str]) -> dict[str, Any]:
        """`values` as their types; a key that the Runnable does not know stays text.

        Raises:
            InvalidInput: A value does not fit. The error names the key.
        """
        checked: dict[str, Any] = {}
        for name, value in values.items():
            try:
                adapter = self._adapters.get(name)
                checked[name] = value if adapter is None else adapter.validate_python(value)
            except ValidationError as error:
                what = next(first_errors(error, 1))["msg"]
                raise InvalidInput(f"{name}: {what}", fields={name: what}) from None
        return checked


def schema_of(runnable: Runnable[Any, Any], part: str) -> Any:
    """The JSON Schema of the Runnable's ``input``, ``output`` or ``config``; ``{}`` if unknown."""
    if part == "config":
        return _schema_by(
            lambda: runnable.config_schema(include=["configurable"]).model_json_schema(),
            lambda: _config_of(ConfigurableSchema(runnable).json_schemas()),
        )
    return _schema_by(
        lambda: getattr(runnable, f"get_{part}_jsonschema")(),
        lambda: _schema_of_type(getattr(runnable, f"{part.title()}Type")),
        # A compiled graph's.
        lambda: _schema_of_type(getattr(vars(runnable)["builder"], f"{part}_schema")),
    )


def schema_of_declared(declared: Any, levels: int = MOST_LEVELS) -> Any:
    """The JSON Schema of a type; ``{}`` if nobody knows it.

    Where pydantic has none it is made of the fields, of each that has one.
    """
    return _schema_by(
        lambda: TypeAdapter(_known_to_pydantic(declared)).json_schema(),
        lambda: _by_fields(declared, levels),
    )


def _by_fields(declared: Any, levels: int) -> Any:
    if not levels or not (hints := fields_of(declared)):
        return None
    if _is_model(declared):
        aliases = {name: field.validation_alias for name, field in declared.model_fields.items()}
        # One that is looked for in several places is left out.
        hints = {
            alias or name: hints[name]
            for name, alias in aliases.items()
            if isinstance(alias, str | None)
        }
    told = {name: schema_of_declared(hint, levels - 1) for name, hint in hints.items()}
    return {"title": declared.__name__, "type": "object", "properties": told}


def _schema_of_type(declared: Any) -> Any:
    """A Runnable's own word for its type, of which None is none."""
    return None if declared is None else schema_of_declared(declared) or None


def _schema_by(*ways: Callable[[], Any]) -> Any:
    """The JSON Schema that the first of these makes that does not fail; ``{}`` if all do."""
    for make in ways:
        try:
            with _QUIET, warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = make()
            if isinstance(found, Mapping):
                return sound(found)
        except Exception:  # types without a schema, and whatever a class of the user's own raises
            continue
    return {}


def _config_of(keys: Mapping[str, Any]) -> Any:
    if not keys:
        return {}
    configurable = {"type": "object", "properties": dict(keys)}
    return {"type": "object", "properties": {"configurable": configurable}}


def _specs(runnable: Runnable[Any, Any]) -> list[ConfigurableFieldSpec]:
    try:
        return [spec for spec in runnable.config_specs if isinstance(spec, ConfigurableFieldSpec)]
    except Exception:  # two steps may differ about a key, and a class of the user's own may fail
        return []


def _input_type(runnable: Runnable[Any, Any]) -> Any:
    try:
        return runnable.InputType
    except Exception:  # many classes of the user's own do not say
        return Any


def _own_type(runnable: Runnable[Any, Any], taken: Any) -> Any:
    """The type of the Runnable's input, or ``Any``; a prompt makes a model up for its variables."""
    if is_typeddict(taken):
        return taken
    with _QUIET, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            schema: Any = runnable.get_input_schema()
        except Exception:  # types that pydantic has no schema for
            return Any
    if not isinstance(schema, type):
        return Any
    return schema.model_fields["root"].annotation if issubclass(schema, RootModel) else schema


def _adapter(wanted: Any) -> TypeAdapter[Any]:
    adapter = TypeAdapter(_known_to_pydantic(wanted))
    if not adapter.pydantic_complete:
        adapter.rebuild(raise_errors=True)
    return adapter


def _adapter_if_possible(wanted: Any) -> TypeAdapter[Any] | None:
    if wanted is Any:
        return None
    try:
        return _adapter(wanted)
    except Exception:  # the Runnable works without, and so does the route
        return None


def _known_to_pydantic(wanted: Any) -> Any:
    """`wanted` as pydantic checks it at once.

    Of an ``Iterable`` it would make an iterator that checks what it gives. Before Python 3.12 it
    takes only the typed dicts of ``typing_extensions``.
    """
    kind, of = typing.get_origin(wanted), typing.get_args(wanted)
    if kind is Iterable:
        return GenericAlias(list, of)
    if kind in (typing.Union, UnionType):
        return typing.Union[tuple(map(_known_to_pydantic, of))]  # noqa: UP007  # so many
    if kind is typing.Annotated:
        return typing.Annotated[_known_to_pydantic(of[0]), *of[1:]]
    if not is_typeddict(wanted) or sys.version_info >= (3, 12):
        return wanted
    return TypedDict(  # type: ignore[operator]  # called, it makes a class
        wanted.__name__,
        {
            name: Required[hint] if name in wanted.__required_keys__ else NotRequired[hint]
            for name, hint in typing.get_type_hints(wanted, include_extras=True).items()
        },
    )


def _is_model(wanted: Any) -> bool:
    return isinstance(wanted, type) and issubclass(wanted, BaseModel)


def _as_mapping(valid: Any) -> Any:
    """A validated model or dataclass as the dict that chains and prompts take."""
    if isinstance(valid, Serializable):
        return valid  # LangChain's own: a message, a document, a prompt value
    if isinstance(valid, RootModel):
        return valid.root
    if isinstance(valid, BaseModel):
        return {name: getattr(valid, name) for name in type(valid).model_fields}
    if is_dataclass(valid) and not isinstance(valid, type):
        return {field.name: getattr(valid, field.name) for field in fields(valid)}
    return valid
