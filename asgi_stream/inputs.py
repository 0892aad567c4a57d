"""What a Runnable takes: a client's plain data, checked, with messages where messages are wanted.

No class is chosen by the client's data: messages are built by ``convert_to_messages``, everything
else by the type that the route or the Runnable declares.
"""

from __future__ import annotations

import types
import typing
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, cast

from langchain_core.messages import BaseMessage, convert_to_messages
from langchain_core.runnables import Runnable
from pydantic import BaseModel, RootModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails
from typing_extensions import is_typeddict

from .errors import InvalidInput

MOST_TOLD = 5


class InputSchema:
    """What a route's input has to look like.

    With a declared type the input is validated by it, as pydantic validates. Without one the
    Runnable's own input schema is asked, and only believed where it cannot be wrong: a prompt's
    missing variable is refused, its type is not enforced, and a graph takes a part of its state.
    """

    def __init__(self, runnable: Runnable[Any, Any], declared: Any = None) -> None:
        own_type = _input_type(runnable)
        self._declared = declared
        self._own = _own_schema(runnable) if declared is None else None
        self._wanted = self._own if declared is None else declared
        self._adapter = None if self._wanted is None else TypeAdapter(self._wanted)
        self._as_instance = declared is not None and own_type is declared
        self._written_by_hand = self._own is not None and own_type is self._own

    def check(self, value: Any) -> Any:
        """`value` as the Runnable takes it.

        Raises:
            InvalidInput: It does not fit. The error names the field.
        """
        if self._adapter is None:
            return value
        value = _with_messages(value, self._wanted, "")
        try:
            valid = self._adapter.validate_python(value)
        except ValidationError as failure:
            errors = failure.errors(include_url=False)
            told = [error for error in errors if self._believed(error, value)]
            if told:
                raise invalid_input(told) from None
            return value
        if self._declared is None:
            return value
        return valid if self._as_instance else _as_mapping(valid)

    def _believed(self, error: ErrorDetails, value: Any) -> bool:
        """Whether the input is refused for this error."""
        if self._own is None or self._written_by_hand:
            return True
        known = self._own.model_fields
        if issubclass(self._own, RootModel):
            # A typed dict is a graph's state, of which a client sends a part.
            partly = is_typeddict(_plain_type(known["root"].annotation))
            return not (partly and error["type"] == "missing")
        if not error["loc"]:
            # A prompt with one variable takes that variable bare.
            return len(known) != 1 or isinstance(value, Mapping)
        field = known.get(str(error["loc"][0]))
        return error["type"] == "missing" and field is not None and field.annotation is not Any


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
        self._adapters: dict[str, TypeAdapter[Any]] = {}
        for spec in runnable.config_specs:
            self._adapters[spec.id] = TypeAdapter(spec.annotation)

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
                what = error.errors(include_url=False)[0]["msg"]
                raise InvalidInput(f"{name}: {what}", fields={name: what}) from None
        return checked


def _own_schema(runnable: Runnable[Any, Any]) -> type[BaseModel] | None:
    """The Runnable's input schema, or None if it has none that says anything."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            schema: Any = runnable.get_input_schema()
            TypeAdapter(schema)
        except Exception:
            # Types that pydantic has no schema for. The Runnable works without.
            return None
    says_nothing = issubclass(schema, RootModel) and schema.model_fields["root"].annotation is Any
    return None if says_nothing else cast(type[BaseModel], schema)


def _input_type(runnable: Runnable[Any, Any]) -> Any:
    try:
        return runnable.InputType
    except Exception:
        return None


def _as_mapping(valid: Any) -> Any:
    """A validated model or dataclass as the dict that chains and prompts take."""
    if isinstance(valid, RootModel):
        return valid.root
    if isinstance(valid, BaseModel):
        return {name: getattr(valid, name) for name in type(valid).model_fields}
    if is_dataclass(valid) and not isinstance(valid, type):
        return {field.name: getattr(valid, field.name) for field in fields(valid)}
    return valid


def _with_messages(value: Any, wanted: Any, path: str) -> Any:
    """`value` with message-likes made messages wherever `wanted` says messages."""
    wanted = _plain_type(wanted)
    arms = _arms(wanted)
    for arm in arms:
        if _is_list_of_messages(arm):
            if isinstance(value, list):
                return [_message(item, f"{path}.{n}".lstrip(".")) for n, item in enumerate(value)]
            # LangGraph takes one message for a list of one.
            if isinstance(value, (str, dict)) and arms == [arm]:
                return [_message(value, path)]
        if isinstance(value, (list, dict)) and _is_message(arm):
            return _message(value, path)
    hints = _fields_of(wanted)
    if isinstance(wanted, type) and issubclass(wanted, RootModel):
        return _with_messages(value, wanted.model_fields["root"].annotation, path)
    if not hints or not isinstance(value, dict):
        return value
    return {
        name: _with_messages(inner, hints[name], f"{path}.{name}".lstrip("."))
        if name in hints
        else inner
        for name, inner in value.items()
    }


def _message(value: Any, path: str) -> Any:
    try:
        return convert_to_messages([value])[0]
    except (ValueError, NotImplementedError, TypeError):
        expected = (
            'expected a message: ["human", "..."], {"role": ..., "content": ...} '
            'or {"type": ..., "content": ...}'
        )
        path = path or "input"
        raise InvalidInput(f"{path}: {expected}", fields={path: expected}) from None


def _fields_of(wanted: Any) -> dict[str, Any]:
    if not isinstance(wanted, type):
        return {}
    if issubclass(wanted, BaseModel):
        return {name: field.annotation for name, field in wanted.model_fields.items()}
    if is_typeddict(wanted) or is_dataclass(wanted):
        try:
            return typing.get_type_hints(wanted)
        except Exception:  # a name that only a type checker can see
            return {}
    return {}


def _plain_type(wanted: Any) -> Any:
    """`wanted` without ``Annotated``, ``Required`` and the like."""
    while typing.get_origin(wanted) in (
        typing.Annotated,
        typing.Required,
        typing.NotRequired,
    ):
        wanted = typing.get_args(wanted)[0]
    return wanted


def _arms(wanted: Any) -> list[Any]:
    """The members of a union, in depth; anything else is a union of itself."""
    wanted = _plain_type(wanted)
    if typing.get_origin(wanted) in (typing.Union, types.UnionType):
        return [arm for member in typing.get_args(wanted) for arm in _arms(member)]
    return [wanted]


def _is_message(wanted: Any) -> bool:
    return isinstance(wanted, type) and issubclass(wanted, BaseMessage)


def _is_list_of_messages(wanted: Any) -> bool:
    origin = typing.get_origin(wanted)
    if not (isinstance(origin, type) and issubclass(origin, Sequence)):
        return False
    return any(_is_message(arm) for member in typing.get_args(wanted) for arm in _arms(member))
