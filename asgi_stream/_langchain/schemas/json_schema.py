"""Turn any JSON Schema into a valid one (https://json-schema.org, draft 2020-12).

A Runnable's schemas come from pydantic, from methods of a class or from a tool on another server.
They may be of an older draft, contain values that are not JSON, or be no schemas at all. Valid
parts are kept; everything else is left unspecified.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import orjson

from .defaults import drop_invalid_defaults
from .keywords import DEFINED, LEFT_OUT, NAMED, ONE, SEVERAL, Schema, is_valid, referenced_name

__all__ = ["valid_schema"]

MAX_DEPTH = 40
"""Levels of schemas in one another; deeper ones are left unspecified."""

_INVALID = object()


def valid_schema(schema: Any) -> Schema:
    """Return a valid schema that refers to nothing but its own ``$defs``; ``{}`` if none is known.

    Args:
        schema: Any object, supposedly a schema.
    """
    return _Document(schema).cleaned()


class _Document:
    """Cleans one schema and the definitions that it refers to."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._names: dict[int, str] = {}
        """The names of definitions, by their identity."""
        self._waiting: list[tuple[str, Any, tuple[Any, ...]]] = []

    def cleaned(self) -> Schema:
        body, definitions = self._clean(self._root, ()), {}
        # Not recursive: a chain of definitions may be longer than Python's stack.
        while self._waiting:
            name, target, scopes = self._waiting.pop()
            definitions[name] = self._clean(target, (), scopes)
        for schema in (body, *definitions.values()):
            if _is_circular(schema, definitions):
                del schema["$ref"]
        for schema in (body, *definitions.values()):
            drop_invalid_defaults(schema, definitions)
        return {**body, "$defs": definitions} if definitions else body

    def _clean(self, schema: Any, parents: tuple[Any, ...], scopes: tuple[Any, ...] = ()) -> Schema:
        """Clean one schema.

        Args:
            schema: The schema.
            parents: The schemas that it is nested in.
            scopes: If the schema is in a definition, the schemas around that.
        """
        if schema is False:
            return {"not": {}}
        is_nested = any(parent is schema for parent in parents)
        if not isinstance(schema, Mapping) or is_nested or len(parents) > MAX_DEPTH:
            return {}
        parents = (*parents, schema)
        result: Schema = {}
        for key, value in schema.items():
            if isinstance(key, str) and key not in LEFT_OUT:
                key, value = self._keyword(key, value, parents, scopes)
                if value is not _INVALID:
                    result[key] = value
        return result

    def _keyword(
        self, key: str, value: Any, parents: tuple[Any, ...], scopes: tuple[Any, ...]
    ) -> tuple[str, Any]:
        """Return a keyword and its value, which is `_INVALID` if the keyword has to go."""
        if key == "items" and isinstance(value, list):
            key = "prefixItems"  # the name since draft 2020-12
        if key == "$ref":
            return key, self._reference(value, (*scopes, *parents))
        if key in ONE:
            return key, value if isinstance(value, bool) else self._clean(value, parents, scopes)
        if key in SEVERAL:
            schemas = value if isinstance(value, (list, tuple)) else ()
            return key, [self._clean(schema, parents, scopes) for schema in schemas] or _INVALID
        if key in NAMED:
            named = value.items() if isinstance(value, Mapping) else ()
            return key, {str(name): self._clean(each, parents, scopes) for name, each in named}
        if key in ("enum", "examples"):
            values = map(_as_json, value) if isinstance(value, (list, tuple)) else ()
            return key, [value for value in values if value is not _INVALID] or _INVALID
        value = _as_json(value)
        return key, value if is_valid(key, value) else _INVALID

    def _reference(self, reference: Any, scopes: tuple[Any, ...]) -> Any:
        """Return the new reference to what `reference` points to, in the innermost scope."""
        segments = _segments(reference)
        if segments is None:
            return _INVALID
        for scope in (self._root, *reversed(scopes)):
            target = _resolve(scope, segments)
            if isinstance(target, Mapping):
                break
        else:
            return _INVALID
        if id(target) not in self._names:
            last = segments[-1] if segments else str(target.get("title", "")) or "Whole"
            self._names[id(target)] = name = self._free_name(last)
            self._waiting.append((name, target, scopes))
        return DEFINED + self._names[id(target)]

    def _free_name(self, name: str) -> str:
        base = re.sub(r"[^a-zA-Z0-9._-]", "_", name)
        name, number = base, 1
        while name in self._names.values():
            number += 1
            name = f"{base}{number}"
        return name


def _segments(reference: Any) -> list[str] | None:
    """Split a JSON pointer in a fragment (https://www.rfc-editor.org/rfc/rfc6901)."""
    if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
        return None
    segments = unquote(reference[1:]).split("/")[1:]
    return [segment.replace("~1", "/").replace("~0", "~") for segment in segments]


def _resolve(scope: Any, segments: list[str]) -> Any:
    for segment in segments:
        if isinstance(scope, list) and segment.isdecimal() and int(segment) < len(scope):
            scope = scope[int(segment)]
        else:
            scope = scope.get(segment) if isinstance(scope, Mapping) else None
    return scope


def _as_json(value: Any) -> Any:
    """Return `value` as JSON represents it, or `_INVALID`."""
    try:
        return json.loads(json.dumps(value, allow_nan=False, default=_by_orjson))
    except Exception:  # a user's class may raise anything
        return _INVALID


def _by_orjson(value: Any) -> Any:
    return orjson.loads(orjson.dumps(value))


def _is_circular(schema: Schema, definitions: Mapping[str, Schema]) -> bool:
    """Whether a schema refers to itself, directly or by way of others, and so means nothing."""
    seen: set[str] = set()
    while (reference := schema.get("$ref")) is not None:
        if reference in seen:
            return True
        seen.add(reference)
        schema = definitions[referenced_name(schema)]
    return False
