"""JSON Schemas of threads, and what each operation on them takes and returns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..formats import Format

Schema = Any

_TIME = {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}
_CHECKPOINT = {"anyOf": [{"type": "object"}, {"type": "null"}]}
_INTERRUPTS = {"type": "array", "items": {"$ref": "#/$defs/Interrupt"}}
_COUNT = {"type": "integer", "minimum": 1, "maximum": 1000, "default": 10}

THREAD_ID: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": 1000,
    "description": "The thread; by default a new one.",
}

CHECKPOINT_ID: Schema = {
    "type": "string",
    "description": "The checkpoint of the thread to go on from; by default the newest.",
}

DEFINITIONS: Mapping[str, Schema] = {
    "Thread": {
        "type": "object",
        "required": ["thread_id", "created_at", "updated_at", "status", "metadata"],
        "properties": {
            "thread_id": {"type": "string"},
            "created_at": _TIME,
            "updated_at": _TIME,
            "status": {"enum": ["idle", "busy", "interrupted", "error"]},
            "metadata": {"type": "object"},
            "run_id": {
                "type": ["string", "null"],
                "description": "The run in progress on the thread, or the newest that waits.",
            },
            "interrupts": _INTERRUPTS,
        },
    },
    "ThreadState": {
        "type": "object",
        "description": "The state of a thread at a checkpoint, as LangGraph's API has it.",
        "required": ["values", "next", "tasks", "metadata", "checkpoint", "interrupts"],
        "properties": {
            "values": {},
            "next": {"type": "array", "items": {"type": "string"}},
            "tasks": {"type": "array", "items": {"type": "object"}},
            "metadata": {"type": "object"},
            "created_at": _TIME,
            "checkpoint": _CHECKPOINT,
            "parent_checkpoint": _CHECKPOINT,
            "interrupts": _INTERRUPTS,
        },
    },
    "Resume": {
        "type": "object",
        "description": "An answer to the interrupt at which the thread waits.",
        "required": ["resume"],
        "properties": {"resume": {"description": "The answer, or answers by interrupts' ids."}},
        "additionalProperties": False,
    },
}

SUMMARIES: Mapping[str, str] = {
    "list": "The caller's threads.",
    "count": "How many threads the caller has.",
    "create": "Create a thread.",
    "show": "A thread.",
    "change": "Change a thread's metadata.",
    "copy": "Copy a thread with its states.",
    "prune": "Delete threads, or all their states but the newest.",
    "delete": "Delete a thread with its state.",
    "state": "The state of a thread.",
    "update": "Write to the state of a thread.",
    "history": "The states of a thread, newest first.",
    "messages": "The messages of a thread.",
}
"""The operations of `Format.threads`, besides ``run``."""

_QUERIES: Mapping[str, Mapping[str, Schema]] = {
    "list": {"limit": _COUNT, "offset": {"type": "integer", "minimum": 0, "maximum": 1000}},
    "history": {"limit": _COUNT, "before": {"type": "string", "description": "A checkpoint's id."}},
}

_DOCUMENTS: Mapping[str, Schema] = {
    "show": {"$ref": "#/$defs/Thread"},
    "state": {"$ref": "#/$defs/ThreadState"},
    "list": ("threads", {"$ref": "#/$defs/Thread"}),
    "history": ("states", {"$ref": "#/$defs/ThreadState"}),
    "messages": {
        "type": "object",
        "required": ["messages", "run_id"],
        "properties": {
            "messages": {"type": "array", "items": {"type": "object"}},
            "run_id": {
                "type": ["string", "null"],
                "description": "The run that has written the newest of them.",
            },
        },
    },
}


def query_of(format: type[Format], operation: str) -> Iterator[dict[str, Any]]:
    """Yield the query parameters of an operation; none if the format parses its own."""
    if format.thread_query is Format.thread_query:
        for name, schema in _QUERIES.get(operation, {}).items():
            yield {"name": name, "in": "query", "schema": schema}


def document_of(format: type[Format], operation: str) -> Schema:
    """Return the schema of the response to an operation; ``{}`` if the format has its own."""
    if format.thread_document is not Format.thread_document:
        return {}
    match _DOCUMENTS.get(operation, {}):
        case (str(name), items):
            array = {"type": "array", "items": items}
            return {"type": "object", "required": [name], "properties": {name: array}}
        case schema:
            return schema
