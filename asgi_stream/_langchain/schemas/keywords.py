"""The keywords of JSON Schema (draft 2020-12): which hold or name schemas, and valid values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

__all__ = [
    "DEFINED",
    "LEFT_OUT",
    "NAMED",
    "ONE",
    "SEVERAL",
    "TYPES",
    "Schema",
    "inlined",
    "is_valid",
    "mapped",
    "referenced_name",
    "within",
]

Schema = dict[str, Any]

DEFINED = "#/$defs/"
"""What a reference to a definition begins with."""

ONE = {
    *("additionalProperties", "contains", "contentSchema", "else", "if", "items", "not"),
    *("propertyNames", "then", "unevaluatedItems", "unevaluatedProperties"),
}
"""The keywords whose value is a schema."""

SEVERAL = {"allOf", "anyOf", "oneOf", "prefixItems"}
"""The keywords whose value is a list of schemas."""

NAMED = {"dependentSchemas", "patternProperties", "properties"}
"""The keywords whose value is an object of schemas."""

LEFT_OUT = {
    # Only valid at the root of a document.
    *("$schema", "$id", "$anchor", "$dynamicAnchor", "$dynamicRef", "$vocabulary"),
    *("$recursiveAnchor", "$recursiveRef", "$defs", "definitions", "dependencies"),
    # OpenAPI's own, which do not affect validation.
    *("discriminator", "xml", "externalDocs"),
}

TYPES: Mapping[str, type | tuple[type, ...]] = {
    "array": list,
    "boolean": bool,
    "integer": int,
    "null": type(None),
    "number": (int, float),
    "object": dict,
    "string": str,
}


def within(schema: Schema) -> Iterator[Schema]:
    """Yield the schemas that are directly in `schema`, except its definitions."""
    for key, value in schema.items():
        if key in ONE:
            subschemas = [value]
        elif key in SEVERAL:
            subschemas = value
        else:
            subschemas = list(value.values()) if key in NAMED else []
        yield from (subschema for subschema in subschemas if isinstance(subschema, dict))


def mapped(schema: Schema, change: Callable[[Schema], Any]) -> Schema:
    """Return a copy of `schema` with each schema that is directly in it replaced by `change`."""

    def changed(subschema: Any) -> Any:
        return change(subschema) if isinstance(subschema, dict) else subschema

    result: Schema = {}
    for key, value in schema.items():
        if key in ONE:
            value = changed(value)
        elif key in SEVERAL:
            value = [changed(subschema) for subschema in value]
        elif key in NAMED:
            value = {name: changed(subschema) for name, subschema in value.items()}
        result[key] = value
    return result


def referenced_name(schema: Schema) -> str:
    """Return the name of the definition that a schema refers to; ``""`` if it refers to none."""
    return str(schema.get("$ref", "")).removeprefix(DEFINED)


def inlined(schema: Schema) -> Schema:
    """Return a schema that is only a reference to one of its definitions as that definition."""
    name = referenced_name(schema)
    if not name:
        return schema
    rest = {key: value for key, value in schema.items() if key != "$ref"}
    return {**schema["$defs"][name], **rest}


def is_valid(keyword: str, value: Any) -> bool:
    """Whether a JSON value is valid for a keyword that does not hold schemas."""
    check = _CHECKS.get(keyword)
    return check is None or check(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _are_names(value: Any) -> bool:
    return (
        isinstance(value, list)
        and all(isinstance(name, str) for name in value)
        and len(set(value)) == len(value)
    )


def _are_types(value: Any) -> bool:
    names = [value] if isinstance(value, str) else value
    return bool(names) and _are_names(names) and set(names) <= TYPES.keys()


_CHECKS: Mapping[str, Callable[[Any], bool]] = {
    "type": _are_types,
    "required": _are_names,
    "dependentRequired": lambda value: (
        isinstance(value, dict) and all(map(_are_names, value.values()))
    ),
    "multipleOf": lambda value: _is_number(value) and value > 0,
    **dict.fromkeys(("maximum", "minimum", "exclusiveMaximum", "exclusiveMinimum"), _is_number),
    **dict.fromkeys(("maxItems", "maxLength", "maxProperties", "maxContains"), _is_count),
    **dict.fromkeys(("minItems", "minLength", "minProperties", "minContains"), _is_count),
    **dict.fromkeys(("title", "description", "format", "pattern", "$comment"), _is_text),
    **dict.fromkeys(("contentEncoding", "contentMediaType"), _is_text),
    **dict.fromkeys(("deprecated", "readOnly", "writeOnly", "uniqueItems"), _is_flag),
}
