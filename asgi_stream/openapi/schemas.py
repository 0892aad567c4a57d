"""JSON Schemas of a route's input and output (https://json-schema.org, draft 2020-12).

A Runnable's schemas are LangChain's, except that messages are shown as what a client may send for
them. A format's schemas are in a JSON file beside its module, such as ``my_format.json``::

    {"frame": ...,      # the data of one frame
     "frames": "...",   # one sentence that describes the stream
     "output": ...,     # the output in a JSON response; without it there is no such response
     "error": ...,      # the body of an error response
     "run": ...,        # a stored run
     "endpoints": {"POST /path": {"body": ..., "query": ..., "document": ..., "streams": true,
                                  "accepted": "..."}},  # of what has no more than status 202
     "$defs": {...}}

In it ``#/$defs/Input``, ``Output`` and ``Model`` are those of the route; the `DEFINITIONS` below
can be referred to as well.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._langchain.runnables import is_runnable
from .._langchain.schemas.messages import DEFINITIONS as MESSAGE_DEFINITIONS
from .._langchain.schemas.messages import RECEIVED, with_plain_messages
from .._langchain.schemas.output import output_schema_of
from .._langchain.schemas.runnable import schema_of_declared
from ..formats import STORED_THREAD, Format
from .thread_schemas import DEFINITIONS as THREAD_DEFINITIONS

if TYPE_CHECKING:
    from .._routing.bound import BoundRoute

Schema = Any

KEYS = {"frame", "frames", "output", "error", "run", "endpoints", "$defs"}

_TIME = {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}
DEFINITIONS: Mapping[str, Schema] = {
    **MESSAGE_DEFINITIONS,
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
    if not is_runnable(runnable):
        return {}
    return with_plain_messages(output_schema_of(route.served(runnable).runnable), RECEIVED)


def configurable_of(route: BoundRoute) -> dict[str, Schema]:
    """Return the schemas of the ``configurable`` keys that a client may set, by name."""
    [first, *_] = route.runnables.values()
    known: dict[str, Schema] = {}
    if is_runnable(first):
        known = route.served(first).configurable.json_schemas()  # type: ignore[arg-type]
    return {name: known.get(name, {"type": "string"}) for name in route.configurable}
