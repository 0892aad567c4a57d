"""JSON Schemas of what a route takes and sends (https://json-schema.org, draft 2020-12).

A Runnable's schema is its own, as LangChain makes it, save that a list of messages is what a client
may send for one. A format's schemas are data beside its module: ``my_format.json``, of this form::

    {"frame": ...,      # the data of one frame
     "frames": "...",   # a sentence on a whole stream
     "output": ...,     # in a JSON answer; without it there is none
     "error": ...,      # the body of an answer that is an error from its start
     "run": ...,        # what is told of a stored run
     "endpoints": {"POST /path": {"body": ..., "document": ..., "streams": true}},
     "$defs": {...}}

in which ``#/$defs/Input``, ``Output`` and ``Model`` are the route's, and the others here too.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._langchain.json_schema import mapped, within
from .._langchain.runnable_schema import schema_of, schema_of_declared
from .._langchain.runnables import is_runnable
from ..formats import Format

if TYPE_CHECKING:
    from .._routing.bound import BoundRoute

Schema = Any

KEYS = {"frame", "frames", "output", "error", "run", "endpoints", "$defs"}

MESSAGES = "langchain-messages"
"""The ``format`` of a list of messages."""

_MESSAGE = {"$ref": "#/$defs/LangChainMessage"}
_MESSAGE_CLASSES = {
    kind + chunk
    for kind in ("AI", "Chat", "Function", "Human", "System", "Tool", "Remove", "Base")
    for chunk in ("Message", "MessageChunk")
}
_WHEN = {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}
_ROLES = ["human", "user", "ai", "assistant", "system", "developer", "tool"]
_TEXT = {"type": "string"}
_CONTENT = {"anyOf": [_TEXT, {"type": "array", "items": {"anyOf": [_TEXT, {"type": "object"}]}}]}
_ABOUT = {"id": _TEXT, "name": _TEXT, "tool_call_id": _TEXT, "tool_calls": {"type": "array"}}

DEFINITIONS: Mapping[str, Schema] = {
    "LangChainMessages": {"type": "array", "format": MESSAGES, "items": _MESSAGE},
    "LangChainMessage": {
        "description": "A message, in any of the ways that LangChain reads.",
        "anyOf": [
            {
                "type": "object",
                "required": ["role", "content"],
                "properties": {"role": {"enum": _ROLES}, "content": _CONTENT, **_ABOUT},
            },
            {
                "type": "object",
                "required": ["type", "content"],
                "properties": {
                    "type": {"enum": ["human", "ai", "system", "tool"]},
                    "content": _CONTENT,
                    **_ABOUT,
                },
            },
            {
                "type": "array",
                "prefixItems": [{"enum": _ROLES}, _CONTENT],
                "minItems": 2,
                "maxItems": 2,
            },
            {"type": "string", "description": "What a person says."},
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
                    "message": {"type": "string", "description": "Safe to show to anyone."},
                    "id": {"type": "string", "description": "Found in the server's log too."},
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
            "state": {"enum": ["pending", "running", "done", "failed", "cancelled"]},
            "created_at": _WHEN,
            "started_at": _WHEN,
            "ended_at": _WHEN,
            "frames": {"type": "integer"},
            "bytes": {"type": "integer"},
            "code": {"type": "string", "description": "Of the error that it ended with."},
        },
    },
}


@cache
def of_format(format: type[Format]) -> Mapping[str, Any]:
    """What a format says of its wire; nothing for one without such a file."""
    file = getattr(sys.modules[format.__module__], "__file__", None)
    path = Path(file or "unknown").with_suffix(".json")
    try:
        found: Any = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    except ValueError:
        found = {}
    # Another file may have that name.
    return found if isinstance(found, dict) and found.keys() <= KEYS else {}


def of_endpoint(format: type[Format], method: str, endpoint: str) -> Mapping[str, Any]:
    """What a format says of one of its endpoints."""
    known: Mapping[str, Any] = of_format(format).get("endpoints", {})
    exact = known.get(f"{method} {endpoint}")
    return exact or known.get(f"{method} /{endpoint.rpartition('/')[2]}") or {}


def input_of(route: BoundRoute, name: str) -> Schema:
    """What the Runnable of that name takes; ``{}`` if only a request can tell."""
    found: Any = route.runnables[name]
    if is_runnable(found):
        return with_plain_messages(route.input_of(found).schema.json_schema())
    return {} if route.input is None else with_plain_messages(schema_of_declared(route.input))


def output_of(route: BoundRoute, name: str) -> Schema:
    """What the Runnable of that name returns; ``{}`` if that is not known."""
    found: Any = route.runnables[name]
    # What is sent are whole messages, of which a schema of LangChain's is 20 kB.
    return with_plain_messages(schema_of(found, "output")) if is_runnable(found) else {}


def configurable_of(route: BoundRoute) -> dict[str, Schema]:
    """The ``configurable`` keys that a client may set."""
    [first, *_] = route.runnables.values()
    known: dict[str, Schema] = {}
    if is_runnable(first):
        known = route.input_of(first).configurable.json_schemas()  # type: ignore[arg-type]
    return {name: known.get(name, {"type": "string"}) for name in route.configurable}


def with_plain_messages(schema: Schema) -> Schema:
    """`schema` with LangChain's messages as what is sent for them."""

    definitions: Mapping[str, Schema] = schema.get("$defs", {})
    # A user's class may have such a name too.
    messages = {
        name
        for name in _MESSAGE_CLASSES & definitions.keys()
        if "additional_kwargs" in definitions[name].get("properties", {})
    }

    def plain(value: Schema) -> Schema:
        if _name_in(value) in messages:
            return _MESSAGE
        found = mapped(value, plain)
        for union in {"anyOf", "oneOf"} & found.keys():
            # What LangChain makes of a prompt is not what anyone sends.
            arms = [arm for arm in found.pop(union) if "PromptValue" not in _name_in(arm)]
            same = all(arm == _MESSAGE for arm in arms)
            found |= _MESSAGE if same else {union: arms}
        if found.get("items") == _MESSAGE:
            named = {key: found[key] for key in ("title", "description") if key in found}
            return {"$ref": "#/$defs/LangChainMessages", **named}
        return found

    body, known = plain(schema), dict(DEFINITIONS)
    known |= {name: plain(each) for name, each in body.pop("$defs", {}).items()}
    used = definitions_in(body, known)
    return {**body, "$defs": used} if used else body


def references_in(schema: Schema) -> Iterator[str]:
    """The names of the definitions that a schema refers to."""
    if name := _name_in(schema):
        yield name
    for each in within(schema):
        yield from references_in(each)


def definitions_in(body: Schema, known: Mapping[str, Schema]) -> dict[str, Schema]:
    """Those of the `known` definitions that `body` refers to, and these to each other."""
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
