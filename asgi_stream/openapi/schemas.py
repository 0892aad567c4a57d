"""JSON Schemas of a route's input and output (https://json-schema.org, draft 2020-12).

A Runnable's schemas are LangChain's, except that messages are shown as what a client may send for
them. A format's schemas are in a JSON file beside its module, such as ``my_format.json``::

    {"frame": ...,      # the data of one frame
     "frames": "...",   # one sentence that describes the stream
     "output": ...,     # the output in a JSON response; without it there is no such response
     "error": ...,      # the body of an error response
     "run": ...,        # a stored run
     "endpoints": {"POST /path": {"body": ..., "document": ..., "streams": true}},
     "$defs": {...}}

In it ``#/$defs/Input``, ``Output`` and ``Model`` are those of the route; the `DEFINITIONS` below
can be referred to as well.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._langchain.runnable_schema import schema_of, schema_of_declared
from .._langchain.runnables import is_runnable
from .._langchain.schema_keywords import mapped, within
from ..formats import STORED_THREAD, Format
from .thread_schemas import DEFINITIONS as THREAD_DEFINITIONS

if TYPE_CHECKING:
    from .._routing.bound import BoundRoute

Schema = Any

KEYS = {"frame", "frames", "output", "error", "run", "endpoints", "$defs"}

MESSAGES = "langchain-messages"
"""The ``format`` keyword of a list of messages."""

_MESSAGE = {"$ref": "#/$defs/LangChainMessage"}
_MESSAGE_CLASSES = {
    kind + chunk
    for kind in ("AI", "Chat", "Function", "Human", "System", "Tool", "Remove", "Base")
    for chunk in ("Message", "MessageChunk")
}
_TIME = {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}
_ROLES = ["human", "user", "ai", "assistant", "system", "developer", "tool"]
_TEXT = {"type": "string"}
_CONTENT = {"anyOf": [_TEXT, {"type": "array", "items": {"anyOf": [_TEXT, {"type": "object"}]}}]}
_FIELDS = {"id": _TEXT, "name": _TEXT, "tool_call_id": _TEXT, "tool_calls": {"type": "array"}}

DEFINITIONS: Mapping[str, Schema] = {
    "LangChainMessages": {"type": "array", "format": MESSAGES, "items": _MESSAGE},
    "LangChainMessage": {
        "description": "A message in any form that LangChain accepts.",
        "anyOf": [
            {
                "type": "object",
                "required": ["role", "content"],
                "properties": {"role": {"enum": _ROLES}, "content": _CONTENT, **_FIELDS},
            },
            {
                "type": "object",
                "required": ["type", "content"],
                "properties": {
                    "type": {"enum": ["human", "ai", "system", "tool"]},
                    "content": _CONTENT,
                    **_FIELDS,
                },
            },
            {
                "type": "array",
                "prefixItems": [{"enum": _ROLES}, _CONTENT],
                "minItems": 2,
                "maxItems": 2,
            },
            {"type": "string", "description": "The text of a human message."},
        ],
    },
    "Error": {
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["code", "message", "id"],
                "properties": {
                    "code": {"type": "string"},
                    "message": {"type": "string", "description": "Safe to show to users."},
                    "id": {"type": "string", "description": "Also in the server's log."},
                    "fields": {"type": "object", "additionalProperties": {"type": "string"}},
                    "detail": {"type": "string", "description": "With `debug=True` only."},
                },
            }
        },
    },
    "Interrupt": {
        "type": "object",
        "required": ["id", "value"],
        "properties": {"id": {"type": "string"}, "value": {}},
    },
    "Interrupted": {
        "type": "object",
        "required": ["interrupted"],
        "properties": {"interrupted": {"type": "array", "items": {"$ref": "#/$defs/Interrupt"}}},
    },
    "Gap": {
        "type": "object",
        "description": "Frames that are no longer kept.",
        "required": ["gap"],
        "properties": {
            "gap": {
                "type": "object",
                "required": ["first", "last"],
                "properties": {"first": {"type": "integer"}, "last": {"type": "integer"}},
            }
        },
    },
    "Run": {
        "type": "object",
        "description": "A stored run.",
        "required": ["run_id", "state", "created_at", "frames", "bytes"],
        "properties": {
            "run_id": {"type": "string", "format": "uuid"},
            "state": {"enum": ["pending", "running", "done", "interrupted", "failed", "cancelled"]},
            "created_at": _TIME,
            "started_at": _TIME,
            "ended_at": _TIME,
            "frames": {"type": "integer"},
            "bytes": {"type": "integer"},
            "code": {"type": "string", "description": "The code of the error that ended the run."},
        },
    },
    **THREAD_DEFINITIONS,
}


@cache
def of_format(format: type[Format]) -> Mapping[str, Any]:
    """Return the content of a format's schema file; empty if it has none."""
    file = getattr(sys.modules[format.__module__], "__file__", None)
    path = Path(file or "unknown").with_suffix(".json")
    try:
        wire: Any = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    except ValueError:
        wire = {}
    # An unrelated file may have that name.
    return wire if isinstance(wire, dict) and wire.keys() <= KEYS else {}


THREAD = f"/threads/{{{STORED_THREAD}}}"
"""What is in front of the endpoints for the runs of a thread."""


def of_endpoint(format: type[Format], method: str, endpoint: str) -> Mapping[str, Any]:
    """Return what a format's schema file has for an endpoint; empty if nothing.

    An endpoint that the file does not have is looked up without the thread in front of it, and then
    by its last segment.
    """
    endpoints: Mapping[str, Any] = of_format(format).get("endpoints", {})
    exact = endpoints.get(f"{method} {endpoint}")
    below = endpoints.get(f"{method} {endpoint.removeprefix(THREAD)}")
    return exact or below or endpoints.get(f"{method} /{endpoint.rpartition('/')[2]}") or {}


def input_of(route: BoundRoute, name: str) -> Schema:
    """Return the input schema of a Runnable of the route; ``{}`` if it depends on the request."""
    runnable: Any = route.runnables[name]
    if is_runnable(runnable):
        return with_plain_messages(route.served(runnable).schema.json_schema())
    return {} if route.input is None else with_plain_messages(schema_of_declared(route.input))


def output_of(route: BoundRoute, name: str) -> Schema:
    """Return the output schema of a Runnable of the route; ``{}`` if it is unknown."""
    runnable: Any = route.runnables[name]
    # LangChain's own schema of a message has 20 kB.
    return with_plain_messages(schema_of(runnable, "output")) if is_runnable(runnable) else {}


def configurable_of(route: BoundRoute) -> dict[str, Schema]:
    """Return the schemas of the ``configurable`` keys that a client may set, by name."""
    [first, *_] = route.runnables.values()
    known: dict[str, Schema] = {}
    if is_runnable(first):
        known = route.served(first).configurable.json_schemas()  # type: ignore[arg-type]
    return {name: known.get(name, {"type": "string"}) for name in route.configurable}


def with_plain_messages(schema: Schema) -> Schema:
    """Return `schema` with LangChain's messages replaced by what a client sends for them."""
    definitions: Mapping[str, Schema] = schema.get("$defs", {})
    # A user's class may have the same name.
    messages = {
        name
        for name in _MESSAGE_CLASSES & definitions.keys()
        if "additional_kwargs" in definitions[name].get("properties", {})
    }

    def plain(value: Schema) -> Schema:
        if _name_in(value) in messages:
            return _MESSAGE
        result = mapped(value, plain)
        for union in {"anyOf", "oneOf"} & result.keys():
            # Clients do not send prompt values, which only exist in Python.
            arms = [arm for arm in result.pop(union) if "PromptValue" not in _name_in(arm)]
            same = all(arm == _MESSAGE for arm in arms)
            result |= _MESSAGE if same else {union: arms}
        if result.get("items") == _MESSAGE:
            titles = {key: result[key] for key in ("title", "description") if key in result}
            return {"$ref": "#/$defs/LangChainMessages", **titles}
        return result

    body, known = plain(schema), dict(DEFINITIONS)
    known |= {name: plain(value) for name, value in body.pop("$defs", {}).items()}
    used = definitions_in(body, known)
    return {**body, "$defs": used} if used else body


def references_in(schema: Schema) -> Iterator[str]:
    """Yield the names of the definitions that a schema refers to."""
    if name := _name_in(schema):
        yield name
    for subschema in within(schema):
        yield from references_in(subschema)


def definitions_in(body: Schema, known: Mapping[str, Schema]) -> dict[str, Schema]:
    """Return the `known` definitions that `body` refers to, directly or through others."""
    used: dict[str, Schema] = {}
    waiting = list(references_in(body))
    while waiting:
        name = waiting.pop()
        if name not in used and name in known:
            used[name] = known[name]
            waiting += references_in(known[name])
    return used


def _name_in(schema: Schema) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]
