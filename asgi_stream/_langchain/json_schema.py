"""JSON Schemas of anyone's as valid ones (https://json-schema.org, draft 2020-12).

What a Runnable says of itself comes from pydantic, from a class's own methods or from a tool of
another server, and may be of an older draft, have values that are not JSON, or be no schema at all.
What is understood of it is kept, and all else is left open.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

import orjson

__all__ = ["mapped", "sound", "within"]

Schema = dict[str, Any]

DEFINED = "#/$defs/"
DEEPEST = 40
"""Levels of schemas in one another, after which the rest is left open."""

ONE = {
    *("additionalProperties", "contains", "contentSchema", "else", "if", "items", "not"),
    *("propertyNames", "then", "unevaluatedItems", "unevaluatedProperties"),
}
SEVERAL = {"allOf", "anyOf", "oneOf", "prefixItems"}
NAMED = {"dependentSchemas", "patternProperties", "properties"}
"""The keywords whose values are a schema, schemas, or schemas by name."""

LEFT_OUT = {
    # Of the whole document that a schema was, which it no longer is.
    *("$schema", "$id", "$anchor", "$dynamicAnchor", "$dynamicRef", "$vocabulary"),
    *("$recursiveAnchor", "$recursiveRef", "$defs", "definitions", "dependencies"),
    # OpenAPI's own, which say nothing of what is valid.
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

_NOT_JSON = object()


def sound(given: Any) -> Schema:
    """A valid schema that refers to nothing but its own ``$defs``; ``{}`` if nothing is known."""
    return _Sound(given).whole()


def within(schema: Schema) -> Iterator[Schema]:
    """The schemas that are directly in `schema`, save its definitions."""
    for key, value in schema.items():
        if key in ONE:
            inner = [value]
        elif key in SEVERAL:
            inner = value
        else:
            inner = list(value.values()) if key in NAMED else []
        yield from (each for each in inner if isinstance(each, dict))


def mapped(schema: Schema, change: Callable[[Schema], Any]) -> Schema:
    """A copy of `schema` with `change` of each schema that is directly in it, save definitions."""

    def changed(inner: Any) -> Any:
        return change(inner) if isinstance(inner, dict) else inner

    found: Schema = {}
    for key, value in schema.items():
        if key in ONE:
            value = changed(value)
        elif key in SEVERAL:
            value = [changed(each) for each in value]
        elif key in NAMED:
            value = {name: changed(each) for name, each in value.items()}
        found[key] = value
    return found


class _Sound:
    """Makes one schema, and finds what it refers to."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._names: dict[int, str] = {}
        self._waiting: list[tuple[str, Any, tuple[Any, ...]]] = []

    def whole(self) -> Schema:
        body, definitions = self._schema(self._root, ()), {}
        # Not in depth: a chain of definitions may be longer than Python's stack.
        while self._waiting:
            name, target, around = self._waiting.pop()
            definitions[name] = self._schema(target, (), around)
        for each in (body, *definitions.values()):
            if _goes_round(each, definitions):
                del each["$ref"]
        for each in (body, *definitions.values()):
            _drop_defaults(each, definitions)
        return {**body, "$defs": definitions} if definitions else body

    def _schema(self, given: Any, above: tuple[Any, ...], around: tuple[Any, ...] = ()) -> Schema:
        """One schema of those in the whole.

        Args:
            given: The schema.
            above: Those that it is in.
            around: Those that the definition is in, if it is in one.
        """
        if given is False:
            return {"not": {}}
        known = isinstance(given, Mapping) and not any(each is given for each in above)
        if not known or len(above) > DEEPEST:
            return {}
        above = (*above, given)
        found: Schema = {}
        for key, value in given.items():
            if isinstance(key, str) and key not in LEFT_OUT:
                key, value = self._keyword(key, value, above, around)
                if value is not _NOT_JSON:
                    found[key] = value
        return found

    def _keyword(
        self, key: str, value: Any, above: tuple[Any, ...], around: tuple[Any, ...]
    ) -> tuple[str, Any]:
        """A keyword and its value, or `_NOT_JSON` if it cannot stand."""
        if key == "items" and isinstance(value, list):
            key = "prefixItems"  # as older drafts have it
        if key == "$ref":
            return key, self._place(value, (*around, *above))
        if key in ONE:
            return key, value if isinstance(value, bool) else self._schema(value, above, around)
        if key in SEVERAL:
            several = value if isinstance(value, (list, tuple)) else ()
            made = [self._schema(each, above, around) for each in several]
            return key, made or _NOT_JSON
        if key in NAMED:
            named = value.items() if isinstance(value, Mapping) else ()
            return key, {str(name): self._schema(each, above, around) for name, each in named}
        if key in ("enum", "examples"):
            plain = [_plain(each) for each in value] if isinstance(value, (list, tuple)) else []
            told = [each for each in plain if each is not _NOT_JSON]
            return key, told or _NOT_JSON
        value = _plain(value)
        return key, value if _MAY_BE.get(key, _anything)(value) else _NOT_JSON

    def _place(self, reference: Any, around: tuple[Any, ...]) -> Any:
        """Where a definition is that a schema refers to."""
        parts = _parts(reference)
        if parts is None:
            return _NOT_JSON
        for base in (self._root, *reversed(around)):
            target = _at(base, parts)
            if isinstance(target, Mapping):
                break
        else:
            return _NOT_JSON
        if id(target) not in self._names:
            last = parts[-1] if parts else str(target.get("title", "")) or "Whole"
            self._names[id(target)] = name = self._free(last)
            self._waiting.append((name, target, around))
        return DEFINED + self._names[id(target)]

    def _free(self, name: str) -> str:
        base = re.sub(r"[^a-zA-Z0-9._-]", "_", name)
        name, number = base, 1
        while name in self._names.values():
            number += 1
            name = f"{base}{number}"
        return name


def _parts(reference: Any) -> list[str] | None:
    """What a JSON pointer is made of (https://www.rfc-editor.org/rfc/rfc6901)."""
    if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
        return None
    parts = unquote(reference[1:]).split("/")[1:]
    return [part.replace("~1", "/").replace("~0", "~") for part in parts]


def _at(base: Any, parts: list[str]) -> Any:
    for part in parts:
        if isinstance(base, list) and part.isdecimal() and int(part) < len(base):
            base = base[int(part)]
        else:
            base = base.get(part) if isinstance(base, Mapping) else None
    return base


def _plain(value: Any) -> Any:
    """`value` as JSON has it, or `_NOT_JSON`."""
    try:
        return json.loads(json.dumps(value, allow_nan=False, default=_plainer))
    except Exception:  # a class of the user's own may raise whatever it likes
        return _NOT_JSON


def _plainer(value: Any) -> Any:
    return orjson.loads(orjson.dumps(value))


def _anything(value: Any) -> bool:
    return True


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
        and all(isinstance(each, str) for each in value)
        and len(set(value)) == len(value)
    )


def _are_types(value: Any) -> bool:
    named = [value] if isinstance(value, str) else value
    return bool(named) and _are_names(named) and set(named) <= TYPES.keys()


_MAY_BE: Mapping[str, Callable[[Any], bool]] = {
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
"""What the value of a keyword has to be; of others it may be anything."""


def _goes_round(schema: Schema, definitions: Mapping[str, Schema]) -> bool:
    """Whether what a schema refers to is that itself, and so says nothing."""
    seen: set[str] = set()
    while (reference := schema.get("$ref")) is not None:
        if reference in seen:
            return True
        seen.add(reference)
        schema = definitions[reference.removeprefix(DEFINED)]
    return False


def _drop_defaults(schema: Schema, definitions: Mapping[str, Schema]) -> None:
    """Take away the defaults that are not what is wanted: pydantic does not check a model's."""
    if "default" in schema and not _fits(schema["default"], schema, definitions):
        del schema["default"]
    for each in within(schema):
        _drop_defaults(each, definitions)


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


def _fits(value: Any, schema: Any, definitions: Mapping[str, Schema], levels: int = 30) -> bool:
    """Whether JSON fits a schema, as far as schemas of pydantic's go."""
    if not isinstance(schema, dict) or not levels:
        return schema is not False

    def fits(inner: Any, wanted: Any) -> bool:
        return _fits(inner, wanted, definitions, levels - 1)

    if "$ref" in schema and not fits(value, definitions[schema["$ref"].removeprefix(DEFINED)]):
        return False
    types = schema.get("type", list(TYPES))
    if not any(_is(value, each) for each in ([types] if isinstance(types, str) else types)):
        return False
    for key, (kind, within_bound) in BOUNDS.items():
        if key in schema and isinstance(value, kind) and not within_bound(value, schema[key]):
            return False
    for key in ("anyOf", "oneOf"):
        if key in schema and not any(fits(value, arm) for arm in schema[key]):
            return False
    named, items = schema.get("properties", {}), schema.get("items", {})
    inside = [(value, arm) for arm in schema.get("allOf", ())]
    if isinstance(value, dict):
        inside += [(inner, named.get(key, {})) for key, inner in value.items()]
    elif isinstance(value, list):
        inside += [(inner, items) for inner in value]
    return all(fits(inner, wanted) for inner, wanted in inside)


def _is(value: Any, name: str) -> bool:
    if isinstance(value, float) and math.floor(value) == value and name == "integer":
        return True
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, TYPES[name])
