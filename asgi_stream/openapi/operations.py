"""One operation of an OpenAPI document: its parameters, its body and its responses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .. import _headers
from .._langchain.schemas.keywords import mapped, referenced_name
from .._routing.bound import BoundRoute
from ..errors.mapping import statuses
from ..events import LangChainEvent, RunError
from ..filters import WORDS
from ..formats import STORED_THREAD
from .components import Components
from .path_parameters import in_path
from .schemas import Schema, configurable_of, of_endpoint, of_format
from .thread_schemas import CHECKPOINT_ID, THREAD_ID, document_of, query_of
from .thread_schemas import SUMMARIES as THREAD_SUMMARIES

JSON = "application/json"
INPUT = {"$ref": "#/$defs/Input"}
INPUT_OR_ANSWER = {"anyOf": [INPUT, {"$ref": "#/$defs/Resume"}]}

DOCUMENTED = ("retrieve", "cancel", "delete")
"""The operations on runs whose responses are never empty."""

RUN_SUMMARIES = {
    "list": "The caller's own runs, newest first.",
    "show": "A run's frames after `Last-Event-ID`, or its state as JSON.",
    "state": "A run's state.",
    "join": "A run's frames.",
    "stop": "Stop a run, whichever worker runs it.",
    "result": "What a run results in, once it has ended.",
    "delete": "Delete a run that has ended. What it has written to its thread stays.",
    "retrieve": "What a run has resulted in, or its frames.",
    "cancel": "Stop a run, whichever worker runs it.",
}


class Operation:
    """One endpoint of one route.

    Args:
        route: The route.
        method: The HTTP method.
        endpoint: The path of the endpoint, after that of the route.
        route_schemas: What ``Input``, ``Output`` and ``Model`` mean for the route.
        components: Where schemas that are referred to are added.
    """

    def __init__(
        self,
        route: BoundRoute,
        method: str,
        endpoint: str,
        route_schemas: Mapping[str, Schema],
        components: Components,
    ) -> None:
        self._route, self._method, self._endpoint = route, method, endpoint
        self._route_schemas, self._components = route_schemas, components
        self._format = of_format(route.format_class)
        kind, about = route.format_class, (method, endpoint)
        runs = kind.runs if route.resume_policy else {}
        self._of_thread_runs = kind.thread_runs.get(about)
        started = self._of_thread_runs in ("start", "command", "events")
        self._run_action = runs.get(about) or (None if started else self._of_thread_runs)
        threads = kind.threads if route.thread_policy else {}
        operation = threads.get(about, "run")
        self._thread_action = None if operation == "run" else operation
        wire = of_endpoint(route.format_class, method, endpoint)
        self._body, self._document = wire.get("body"), wire.get("document")
        self._accepted: str | None = wire.get("accepted")
        self._query: Mapping[str, Schema] = wire.get("query", {})
        self._streams = wire.get("streams", self._document is None or self._body is not None)
        self._frame = wire.get("frame", self._format.get("frame"))
        self._definitions = {**route_schemas, **self._format.get("$defs", {})}

    def describe(self) -> dict[str, Any]:
        """Return the operation object, without its id."""
        operation: dict[str, Any] = {"tags": [self._route.path], "summary": self._summary()}
        path = self._route.path + self._endpoint
        uuids = self._route.format_class.run_resource.uuids
        if parameters := [*in_path(path, uuids=uuids), *self._in_query(), *self._in_headers()]:
            operation["parameters"] = parameters
        bodiless = self._run_action or self._thread_action == "copy"
        if self._method in ("POST", "PATCH") and not bodiless:
            body = self._schema(self._body or self._default_body())
            operation["requestBody"] = {"required": True, "content": {JSON: {"schema": body}}}
        operation["responses"] = self._responses()
        return operation

    def _summary(self) -> str:
        if self._thread_action:
            return THREAD_SUMMARIES[self._thread_action]
        if self._run_action:
            return RUN_SUMMARIES[self._run_action]
        return f"{next(iter(self._route.runnables))} ({self._route.format})"

    def _default_body(self) -> Schema:
        if self._thread_action:
            return {"type": "object"}
        return INPUT_OR_ANSWER if self._route.thread_policy else INPUT

    def _schema(self, schema: Schema) -> Schema:
        return self._components.add(self._inlined(schema), self._definitions)

    def _inlined(self, schema: Schema) -> Schema:
        """Inline the route's own schemas, because components are shared by all routes."""
        name = referenced_name(schema)
        if name in self._route_schemas:
            return self._components.add(self._route_schemas[name], {})
        return mapped(schema, self._inlined)

    # Parameters.

    def _in_query(self) -> Iterator[dict[str, Any]]:
        for name, schema in self._query.items():
            yield {"name": name, "in": "query", "schema": schema}
        if self._thread_action:
            yield from query_of(self._route.format_class, self._thread_action)
            return
        if self._run_action or self._document:
            return
        schemas = configurable_of(self._route)
        if self._route.thread_policy:
            schemas["checkpoint_id"] = CHECKPOINT_ID
            if STORED_THREAD not in self._endpoint:
                schemas["thread_id"] = THREAD_ID
        if LangChainEvent in self._route.format_class.wants:
            schemas |= {word: {"type": "string"} for word in WORDS}
        if self._method == "GET":
            whole = self._schema(INPUT)
            if "input" not in schemas:
                yield {"name": "input", "in": "query", "content": {JSON: {"schema": whole}}}
            fields = {key: field for key, field in _properties(whole).items() if "type" in field}
            schemas = fields | schemas
        for name, schema in schemas.items():
            yield {"name": name, "in": "query", "schema": self._schema(schema)}

    def _in_headers(self) -> Iterator[dict[str, Any]]:
        if self._route.resume_policy and not self._document and not self._thread_action:
            text = {"schema": {"type": "string"}}
            if self._method == "GET":
                yield {"name": "Last-Event-ID", "in": "header", **text}
            elif not self._run_action:
                yield {"name": "Idempotency-Key", "in": "header", **text}

    # Responses.

    def _responses(self) -> dict[str, Any]:
        responses = {"200": self._success()}
        if "delete" in (self._thread_action, self._run_action) and not self._document:
            responses = {"204": {"description": "It is deleted."}}
        elif self._run_action == "stop":
            responses["202"] = responses["200"]
        responses |= {"202": {"description": self._accepted}} if self._accepted else {}
        read = self._method == "GET" or self._run_action
        if read and not self._thread_action and self._run_action not in DOCUMENTED:
            responses.setdefault("204", {"description": "There is nothing more to read."})
        _, media_type = self._route.format_class.refusal(RunError("run_failed", "x", "x"))
        schema = self._schema(self._format.get("error", {"$ref": "#/$defs/Error"}))
        content = {media_type: {"schema": schema}}
        for status, codes in sorted(self._error_codes().items()):
            names = ", ".join(f"`{code}`" for code in sorted(codes))
            responses[str(status)] = {"description": f"Error {names}.", "content": content}
        return responses

    def _error_codes(self) -> dict[int, set[str]]:
        codes = {status: {kind.code for kind in kinds} for status, kinds in statuses().items()}
        for error in self._route.errors.values():
            codes.setdefault(error.status, set()).add(error.code)
        return codes

    def _success(self) -> dict[str, Any]:
        if self._thread_action:
            return self._thread_response(self._thread_action)
        run = self._format.get("run", {"$ref": "#/$defs/Run"})
        if self._of_thread_runs in ("list", "result"):
            return _response("The result.", {JSON: {"schema": {}}})
        if self._run_action == "list":
            runs = {"type": "object", "properties": {"runs": {"type": "array", "items": run}}}
            return _response("The runs.", {JSON: {"schema": self._schema(runs)}})
        if self._run_action in ("state", "stop") or self._of_thread_runs == "start":
            return _response("The run.", {JSON: {"schema": self._schema(run)}})
        content: dict[str, Any] = {}
        if self._streams:
            content[self._route.format_class.media_type] = {"schema": self._stream()}
        if self._run_action == "show":
            content[JSON] = {"schema": self._schema(run)}
        elif self._document is not None:
            content[JSON] = {"schema": self._schema(self._document)}
        elif "output" in self._format:
            content[JSON] = {"schema": self._schema(self._native_document())}
        response = _response(str(self._format.get("frames", "The answer.")), content)
        if self._streams:
            response["headers"] = self._response_headers()
        return response

    def _thread_response(self, operation: str) -> dict[str, Any]:
        schema = self._document or document_of(self._route.format_class, operation)
        response = _response("The result.", {JSON: {"schema": self._schema(schema)}})
        if operation == "list":
            next_page = {"X-Pagination-Next": "The offset of the next page, if there is one."}
            response["headers"] = _described(next_page)
        return response

    def _response_headers(self) -> dict[str, Any]:
        headers = {_headers.RUN_ID: "The run's id."}
        if self._route.resume_policy:
            headers[_headers.LOCATION] = "The run's URL, relative to the request."
        if self._route.thread_policy:
            headers[_headers.THREAD_ID] = "The thread's id, percent-encoded."
        return _described(headers)

    def _stream(self) -> Schema:
        schema: Schema = {"type": "string"}
        if self._frame is not None:
            schema["contentMediaType"] = JSON
            schema["contentSchema"] = self._schema(self._frame)
            schema["description"] = "A stream of frames. The schema is that of one frame's data."
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


def _properties(schema: Schema) -> dict[str, Schema]:
    """Return the properties of an input that have query parameters of their own."""
    properties = schema.get("properties", {})
    return {name: field for name, field in properties.items() if name != "input"}


def _described(descriptions: Mapping[str, str]) -> dict[str, Any]:
    return {
        name: {"description": description, "schema": {"type": "string"}}
        for name, description in descriptions.items()
    }


def _response(description: str, content: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": dict(content)}
