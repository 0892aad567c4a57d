"""The components of an OpenAPI document: schemas that others refer to by name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

from .._langchain.schemas.keywords import mapped, referenced_name
from .._langchain.schemas.messages import definitions_in
from .schemas import DEFINITIONS, Schema

GLOBAL = "#/components/schemas/"


class Components:
    """Collects components, and gives a name to each.

    Attributes:
        schemas: The components by name.

    Args:
        taken: Names that must not be used.
    """

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self.schemas: dict[str, Schema] = {}
        self._taken = frozenset(taken)
        self._contents: dict[str, str] = {}
        """The components as text, with all that they refer to."""

    def add(self, schema: Schema, definitions: Mapping[str, Schema]) -> Schema:
        """Return `schema` with its references to definitions replaced by ones to components.

        Args:
            schema: The schema. Its own ``$defs`` take precedence over `definitions`.
            definitions: The definitions it may refer to, besides those that all schemas share.
        """
        known = {**DEFINITIONS, **definitions, **schema.get("$defs", {})}
        names: dict[str, str] = {}
        waiting: list[str] = []

        def moved(value: Schema) -> Schema:
            result = mapped(value, moved)
            result.pop("$defs", None)
            name = referenced_name(value)
            if name in known:  # and does not refer to a component already
                if name not in names:
                    names[name] = self._name(name, known)
                    waiting.append(name)
                result["$ref"] = GLOBAL + names[name]
            return result

        body = moved(schema)
        # Not recursive: a chain of definitions may be longer than Python's stack.
        while waiting:
            name = waiting.pop()
            self.schemas[names[name]] = moved(known[name])
        return body

    def _name(self, name: str, known: Mapping[str, Schema]) -> str:
        """Return a name for a definition, which only an equal one has already."""
        # Two equal definitions differ if those that they refer to do.
        contents = json.dumps([known[name], definitions_in(known[name], known)], sort_keys=True)
        base = re.sub(r"[^a-zA-Z0-9._-]", "_", name)
        number, free = 1, base
        while free in self._taken or self._contents.get(free, contents) != contents:
            number += 1
            free = f"{base}{number}"
        self._contents[free] = contents
        return free
