"""Remove defaults that do not match their schemas, which pydantic does not check."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .keywords import TYPES, Schema, referenced_name, within

__all__ = ["drop_invalid_defaults", "matches"]

MAX_DEPTH = 30
"""Levels of schemas in one another that a default is checked against."""

BOUNDS: Mapping[str, tuple[type | tuple[type, ...], Callable[[Any, Any], bool]]] = {
    "minLength": (str, lambda value, bound: len(value) >= bound),
    "maxLength": (str, lambda value, bound: len(value) <= bound),
    "minItems": (list, lambda value, bound: len(value) >= bound),
    "maxItems": (list, lambda value, bound: len(value) <= bound),
    "minimum": ((int, float), lambda value, bound: value >= bound),
    "maximum": ((int, float), lambda value, bound: value <= bound),
    "exclusiveMinimum": ((int, float), lambda value, bound: value > bound),
    "exclusiveMaximum": ((int, float), lambda value, bound: value < bound),
    "required": (dict, lambda value, names: value.keys() >= set(names)),
    "const": (object, lambda value, const: value == const),
    "enum": (object, lambda value, known: value in known),
}
"""The types that a keyword applies to, and whether a value of those types matches it."""


def drop_invalid_defaults(schema: Schema, definitions: Mapping[str, Schema]) -> None:
    """Remove from `schema`, and from all schemas in it, the defaults that do not match.

    Args:
        schema: A schema that refers to nothing but `definitions`. It is changed.
        definitions: The definitions by name.
    """
    if "default" in schema and not matches(schema["default"], schema, definitions):
        del schema["default"]
    for subschema in within(schema):
        drop_invalid_defaults(subschema, definitions)


def matches(
    value: Any, schema: Any, definitions: Mapping[str, Schema], levels: int = MAX_DEPTH
) -> bool:
    """Whether a JSON value matches a schema, for the keywords that pydantic uses."""
    if not isinstance(schema, dict) or not levels:
        return schema is not False

    def fits(inner: Any, subschema: Any) -> bool:
        return matches(inner, subschema, definitions, levels - 1)

    if "$ref" in schema and not fits(value, definitions[referenced_name(schema)]):
        return False
    types = schema.get("type", list(TYPES))
    if not any(_is_type(value, name) for name in ([types] if isinstance(types, str) else types)):
        return False
    for key, (kind, is_within) in BOUNDS.items():
        if key in schema and isinstance(value, kind) and not is_within(value, schema[key]):
            return False
    for key in ("anyOf", "oneOf"):
        if key in schema and not any(fits(value, arm) for arm in schema[key]):
            return False
    pairs = [(value, arm) for arm in schema.get("allOf", ())] + _parts(value, schema)
    return all(fits(inner, subschema) for inner, subschema in pairs)


def _parts(value: Any, schema: Schema) -> list[tuple[Any, Any]]:
    """Return the items or properties of a value, each with its schema."""
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        return [(inner, properties.get(key, {})) for key, inner in value.items()]
    if isinstance(value, list):
        return [(inner, schema.get("items", {})) for inner in value]
    return []


def _is_type(value: Any, name: str) -> bool:
    if isinstance(value, float) and value.is_integer() and name == "integer":
        return True
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, TYPES[name])
