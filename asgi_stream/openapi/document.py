"""The OpenAPI document of a route table (https://spec.openapis.org/oas/v3.1.1)."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from .._langchain.json_schema import mapped
from .._routing.bound import BoundRoute
from .._routing.table import Table
from ..errors import statuses
from ..events import LangChainEvent, RunError
from ..filters import WORDS
from ..routes import StreamRoute
from .schemas import (
    DEFINITIONS,
    Schema,
    configurable_of,
    definitions_in,
    input_of,
    of_endpoint,
    of_format,
    output_of,
)

__all__ = ["add_to_openapi", "document"]

VERSION = "3.1.1"
TITLE = "asgi_stream"
JSON = "application/json"

LOCAL = "#/$defs/"

_parameter = re.compile(r"{(\w+)(?::(\w+))?}")
CONVERTORS = {"int": "integer", "float": "number"}
ASKED = {
    "list": "The caller's own runs, the newest first.",
    "show": "A run's frames, after `Last-Event-ID`; its state as JSON.",
    "state": "A run's state.",
    "join": "A run's frames.",
    "stop": "Stop a run, wherever it is.",
}


def document(routes: Iterable[StreamRoute | BoundRoute], *, title: str = TITLE) -> dict[str, Any]:
    """What a table serves, as an OpenAPI document.

    Args:
        routes: The table.
        title: Of the document.

    Returns:
        The document: its ``paths`` with each route's endpoints, the frames of its format and the
        errors that it may answer with, and its ``components``.
    """
    written = _Components({})
    return {
        "openapi": VERSION,
        "info": {"title": title, "version": "1"},
        "servers": [{"url": "."}],
        "paths": _paths(_bound(routes), "", written),
        "components": {"schemas": written.schemas},
    }


def _bound(routes: Iterable[StreamRoute | BoundRoute]) -> list[BoundRoute]:
    return [
        route if isinstance(route, BoundRoute) else Table([route], {}).routes[0] for route in routes
    ]


def add_to_openapi(app: Any) -> None:
    """Let a FastAPI app's own document tell of every `StreamApp` that is mounted in it.

    Args:
        app: The ``FastAPI`` instance. Call this after mounting.
    """
    own: Callable[[], dict[str, Any]] = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema:
            found: dict[str, Any] = app.openapi_schema
            return found
        told = own()
        schemas = told.setdefault("components", {}).setdefault("schemas", {})
        written = _Components(schemas)
        for prefix, routes in _mounted(app.routes, ""):
            told["paths"] = {**_paths(routes, prefix, written), **told.get("paths", {})}
        schemas |= written.schemas
        app.openapi_schema = told
        return told

    app.openapi = openapi


def _paths(routes: Iterable[BoundRoute], prefix: str, written: _Components) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    named: Counter[str] = Counter()
    for route in routes:
        own = _own(route)
        for method, endpoint in route.endpoints:
            path = prefix + route.path.rstrip("/") + endpoint
            shown = _parameter.sub(r"{\1}", path) or "/"
            there = paths.setdefault(shown, {})
            if method.lower() in there:
                continue  # the first of two that differ only in what a parameter may be
            name = re.sub(r"\W+", "_", f"{method} {shown}").strip("_").lower()
            named[name] += 1
            number = f"_{named[name]}" if named[name] > 1 else ""
            operation = _Operation(route, method, endpoint, own, written).described()
            there[method.lower()] = {"operationId": name + number, **operation}
    return paths


def _own(route: BoundRoute) -> dict[str, Schema]:
    """What the schemas of the route's format may refer to as the route's own."""
    names = list(route.runnables)
    inputs = [input_of(route, name) for name in names]
    outputs = [output_of(route, name) for name in names]
    return {
        "Input": inputs[0] if len(inputs) == 1 else {"anyOf": inputs},
        "Output": outputs[0] if len(outputs) == 1 else {"anyOf": outputs},
        "Model": {"enum": names},
    }


def _mounted(routes: Iterable[Any], prefix: str) -> Iterator[tuple[str, Sequence[BoundRoute]]]:
    for each in routes:
        place = prefix + getattr(each, "path", "")
        table = getattr(getattr(each, "app", None), "table", None)
        if isinstance(table, tuple) and all(isinstance(found, BoundRoute) for found in table):
            yield place, table
        else:
            yield from _mounted(getattr(each, "routes", None) or (), place)


class _Components:
    """The schemas that others refer to, each under a name of its own."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = frozenset(taken)
        self._texts: dict[str, str] = {}
        self.schemas: dict[str, Schema] = {}

    def add(self, schema: Schema, definitions: Mapping[str, Schema]) -> Schema:
        """`schema` for use in the document, where it refers to components."""
        known = {**DEFINITIONS, **definitions, **schema.get("$defs", {})}
        names: dict[str, str] = {}
        waiting: list[str] = []

        def moved(value: Schema) -> Schema:
            found = mapped(value, moved)
            found.pop("$defs", None)
            name = str(value.get("$ref", "")).removeprefix(LOCAL)
            if name in known:  # and not a component already
                found["$ref"] = f"#/components/schemas/{place(name)}"
            return found

        def place(name: str) -> str:
            if name not in names:
                # What a definition means is in those that it refers to, too.
                text = json.dumps([known[name], definitions_in(known[name], known)], sort_keys=True)
                base = re.sub(r"[^a-zA-Z0-9._-]", "_", name)
                number, free = 1, base
                while self._means_another(free, text):
                    number += 1
                    free = f"{base}{number}"
                names[name] = free
                self._texts[free] = text
                waiting.append(name)
            return names[name]

        body = moved(schema)
        # Not in depth: a chain of definitions may be longer than Python's stack.
        while waiting:
            name = waiting.pop()
            self.schemas[names[name]] = moved(known[name])
        return body

    def _means_another(self, name: str, text: str) -> bool:
        return name in self._taken or self._texts.get(name, text) != text


class _Operation:
    """One endpoint of one route."""

    def __init__(
        self,
        route: BoundRoute,
        method: str,
        endpoint: str,
        own: Mapping[str, Schema],
        written: _Components,
    ) -> None:
        self._route, self._method, self._endpoint = route, method, endpoint
        self._written = written
        self._format = of_format(route.format_class)
        runs = route.format_class.runs if route.resume_policy else {}
        self._asked = runs.get((method, endpoint))
        told = of_endpoint(route.format_class, method, endpoint)
        self._body, self._document = told.get("body"), told.get("document")
        self._streams = told.get("streams", self._document is None or self._body is not None)
        self._frame = told.get("frame", self._format.get("frame"))
        self._own = own
        self._definitions = {**own, **self._format.get("$defs", {})}

    def described(self) -> dict[str, Any]:
        route, name = self._route, next(iter(self._route.runnables))
        place = f"{route.path}{self._endpoint}"
        told: dict[str, Any] = {
            "tags": [route.path],
            "summary": ASKED[self._asked] if self._asked else f"{name} ({route.format})",
        }
        if parameters := [*self._in_path(place), *self._in_query(), *self._in_headers()]:
            told["parameters"] = parameters
        if self._method == "POST" and not self._asked:
            body = self._schema(self._body or {"$ref": "#/$defs/Input"})
            told["requestBody"] = {"required": True, "content": {JSON: {"schema": body}}}
        told["responses"] = self._responses()
        return told

    def _schema(self, schema: Schema) -> Schema:
        return self._written.add(self._inlined(schema), self._definitions)

    def _inlined(self, schema: Schema) -> Schema:
        """`schema` with what is the route's own in its place, not a component that all share."""
        name = str(schema.get("$ref", "")).removeprefix(LOCAL)
        if name in self._own:
            return self._written.add(self._own[name], {})
        return mapped(schema, self._inlined)

    def _in_path(self, place: str) -> Iterator[dict[str, Any]]:
        for name, convertor in _parameter.findall(place):
            schema: Schema = {"type": CONVERTORS.get(convertor, "string")}
            if convertor == "uuid" or name == "run_id":
                schema["format"] = "uuid"
            yield {"name": name, "in": "path", "required": True, "schema": schema}

    def _in_query(self) -> Iterator[dict[str, Any]]:
        if self._asked or self._document:
            return
        given = configurable_of(self._route)
        if LangChainEvent in self._route.format_class.wants and self._route.format == "events":
            given |= {word: {"type": "string"} for word in WORDS}
        if self._method == "GET":
            schema = self._schema({"$ref": "#/$defs/Input"})
            if "input" not in given:
                yield {"name": "input", "in": "query", "content": {JSON: {"schema": schema}}}
            fields = {"input": {}, **schema.get("properties", {})}
            del fields["input"]  # which is all of it
            given = {key: each for key, each in fields.items() if "type" in each} | given
        for name, schema in given.items():
            yield {"name": name, "in": "query", "schema": self._schema(schema)}

    def _in_headers(self) -> Iterator[dict[str, Any]]:
        if self._route.resume_policy and not self._document:
            text = {"schema": {"type": "string"}}
            if self._method == "GET":
                yield {"name": "Last-Event-ID", "in": "header", **text}
            elif not self._asked:
                yield {"name": "Idempotency-Key", "in": "header", **text}

    def _responses(self) -> dict[str, Any]:
        found = {"200": self._answer()}
        if self._asked == "stop":
            found["202"] = found["200"]
        if self._method == "GET" or self._asked:
            found["204"] = {"description": "There is nothing more to read."}
        _, media_type = self._route.format_class.refusal(RunError("run_failed", "x", "x"))
        shape = self._schema(self._format.get("error", {"$ref": "#/$defs/Error"}))
        content = {media_type: {"schema": shape}}
        codes = {status: {kind.code for kind in kinds} for status, kinds in statuses().items()}
        for told in self._route.errors.values():
            codes.setdefault(told.status, set()).add(told.code)
        for status, known in sorted(codes.items()):
            names = ", ".join(f"`{code}`" for code in sorted(known))
            found[str(status)] = {"description": f"Error {names}.", "content": content}
        return found

    def _answer(self) -> dict[str, Any]:
        run = self._format.get("run", {"$ref": "#/$defs/Run"})
        if self._asked == "list":
            listed = {"type": "object", "properties": {"runs": {"type": "array", "items": run}}}
            return _ok("The runs.", {JSON: {"schema": self._schema(listed)}})
        if self._asked in ("state", "stop"):
            return _ok("The run.", {JSON: {"schema": self._schema(run)}})
        content: dict[str, Any] = {}
        if self._streams:
            content[self._route.format_class.media_type] = {"schema": self._stream()}
        if self._asked == "show":
            content[JSON] = {"schema": self._schema(run)}
        elif self._document is not None:
            content[JSON] = {"schema": self._schema(self._document)}
        elif "output" in self._format:
            content[JSON] = {"schema": self._schema(self._native_document())}
        told = _ok(str(self._format.get("frames", "The answer.")), content)
        headers = {"X-Run-ID": "The run's id."}
        if self._route.resume_policy:
            headers["Content-Location"] = "The run, relative to the request."
        if self._streams:
            told["headers"] = {
                name: {"description": what, "schema": {"type": "string"}}
                for name, what in headers.items()
            }
        return told

    def _stream(self) -> Schema:
        schema: Schema = {"type": "string"}
        if self._frame is not None:
            schema["contentMediaType"] = JSON
            schema["contentSchema"] = self._schema(self._frame)
            schema["description"] = "Frames, of which this is the data of one."
        return schema

    def _native_document(self) -> Schema:
        return {
            "type": "object",
            "required": ["run_id", "output"],
            "properties": {
                "run_id": {"type": "string", "format": "uuid"},
                "output": self._format["output"],
                "interrupted": {"type": "array", "items": {"$ref": "#/$defs/Interrupt"}},
            },
        }


def _ok(description: str, content: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": dict(content)}
