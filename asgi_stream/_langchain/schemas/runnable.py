"""JSON Schemas of what a Runnable takes and returns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from langchain_core.messages import BaseMessage
from langchain_core.runnables import Runnable
from langchain_core.runnables.utils import ConfigurableFieldSpec
from pydantic import BaseModel, TypeAdapter

from .adapters import adapter_or_none, pydantic_type, without_warnings
from .json_schema import valid_schema
from .type_hints import fields_of, is_subclass, untyped_messages

MAX_LEVELS = 4
"""How deep the fields of types without a schema are followed."""


def schema_of(runnable: Runnable[Any, Any], part: str) -> Any:
    """Return the JSON Schema of a Runnable's ``input``, ``output`` or ``config``.

    It is ``{}`` if the Runnable does not declare one.
    """
    if part == "config":
        return first_schema(
            lambda: runnable.config_schema(include=["configurable"]).model_json_schema(),
            lambda: _config_schema(schemas_of_adapters(configurable_adapters(runnable))),
        )
    schema = first_schema(
        lambda: getattr(runnable, f"get_{part}_jsonschema")(),
        lambda: _schema_of_attribute(runnable, f"{part.title()}Type"),
        # A compiled graph.
        lambda: _schema_of_attribute(vars(runnable)["builder"], f"{part}_schema"),
    )
    return _with_messages(schema, _types_of(runnable, part))


def schema_of_declared(type_: Any, levels: int = MAX_LEVELS) -> Any:
    """Return the JSON Schema of a type; ``{}`` if it has none.

    If pydantic has no schema for a class, it consists of the schemas of the fields that have one.
    """
    schema = first_schema(
        lambda: TypeAdapter(pydantic_type(type_)).json_schema(),
        lambda: _schema_of_fields(type_, levels),
    )
    return _with_messages(schema, [type_])


def first_schema(*sources: Callable[[], Any]) -> Any:
    """Return the first JSON Schema that a source returns; ``{}`` if all of them fail."""
    for source in sources:
        try:
            with without_warnings():
                schema = source()
            if isinstance(schema, Mapping):
                return valid_schema(schema)
        except Exception:  # a type without a schema, or anything that a user's class raises
            continue
    return {}


def configurable_adapters(runnable: Runnable[Any, Any]) -> dict[str, TypeAdapter[Any] | None]:
    """Return the validators of the ``configurable`` keys that a Runnable declares."""
    try:
        return {
            spec.id: adapter_or_none(spec.annotation)
            for spec in runnable.config_specs
            if isinstance(spec, ConfigurableFieldSpec)
        }
    except Exception:  # two steps may declare a key differently, and a user's class may fail
        return {}


def schemas_of_adapters(adapters: Mapping[str, TypeAdapter[Any] | None]) -> dict[str, Any]:
    return {
        name: {} if adapter is None else first_schema(adapter.json_schema)
        for name, adapter in adapters.items()
    }


def _schema_of_fields(type_: Any, levels: int) -> Any:
    if not levels or not (hints := fields_of(type_)):
        return None
    if is_subclass(type_, BaseModel):
        aliases = {name: field.validation_alias for name, field in type_.model_fields.items()}
        # A field with several aliases is left out.
        hints = {
            alias or name: hints[name]
            for name, alias in aliases.items()
            if isinstance(alias, str | None)
        }
    schemas = {name: schema_of_declared(hint, levels - 1) for name, hint in hints.items()}
    return {"title": type_.__name__, "type": "object", "properties": schemas}


def _types_of(runnable: Runnable[Any, Any], part: str) -> Iterator[Any]:
    """Yield the types that a Runnable, or the graph that it is, declares for a part."""
    with suppress(Exception):  # many user classes do not declare it
        yield getattr(runnable, f"{part.title()}Type")
    yield getattr(getattr(runnable, "builder", None), f"{part}_schema", None)


def _with_messages(schema: Any, types: Iterable[Any]) -> Any:
    """Return an object's schema, with the messages that only the reducers of its fields show."""
    properties, names = schema.get("properties", {}), set[str]()
    with suppress(Exception):  # anything that a user's class raises
        names.update(name for type_ in types for name in untyped_messages(type_))
    names &= properties.keys()
    if not names:
        return schema
    messages = TypeAdapter(list[BaseMessage]).json_schema()
    definitions = {**messages.pop("$defs"), **schema.get("$defs", {})}
    fields = {name: {"title": properties[name].get("title", name), **messages} for name in names}
    return {**schema, "properties": {**properties, **fields}, "$defs": definitions}


def _schema_of_attribute(owner: Any, name: str) -> Any:
    """Return the schema of the type that an attribute holds; None if it holds none."""
    type_ = getattr(owner, name)
    return None if type_ is None else schema_of_declared(type_) or None


def _config_schema(keys: Mapping[str, Any]) -> Any:
    if not keys:
        return {}
    configurable = {"type": "object", "properties": dict(keys)}
    return {"type": "object", "properties": {"configurable": configurable}}
