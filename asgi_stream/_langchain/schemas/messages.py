"""JSON Schemas of Runnables, with LangChain's messages as what a client may send for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .keywords import mapped, referenced_name, within

Schema = Any

MESSAGES = "langchain-messages"
"""The ``format`` keyword of a list of messages."""

_MESSAGE = {"$ref": "#/$defs/LangChainMessage"}
_MESSAGE_CLASSES = {
    kind + chunk
    for kind in ("AI", "Chat", "Function", "Human", "System", "Tool", "Remove", "Base")
    for chunk in ("Message", "MessageChunk")
}
_ROLES = ["human", "user", "ai", "assistant", "system", "developer", "tool"]
_TEXT = {"type": "string"}
_CONTENT = {"anyOf": [_TEXT, {"type": "array", "items": {"anyOf": [_TEXT, {"type": "object"}]}}]}
_FIELDS = {"id": _TEXT, "name": _TEXT, "tool_call_id": _TEXT, "tool_calls": {"type": "array"}}
_WORDS = {**_TEXT, "description": "The text of a human message."}
_BY_ROLE = {
    "type": "object",
    "required": ["role", "content"],
    "properties": {"role": {"enum": _ROLES}, "content": _CONTENT, **_FIELDS},
}

DEFINITIONS: Mapping[str, Schema] = {
    "LangChainMessages": {"type": "array", "format": MESSAGES, "items": _MESSAGE},
    "LangChainMessage": {
        "description": "A message in any form that LangChain accepts.",
        "anyOf": [
            _BY_ROLE,
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
            _WORDS,
        ],
    },
}
"""What a client may send for messages."""

_MESSAGES = {"type": "array", "items": _MESSAGE}

WRITTEN: Mapping[str, Schema] = {
    "LangChainMessages": _MESSAGES,
    "LangChainMessage": {
        "anyOf": [
            _WORDS,
            _BY_ROLE,
        ]
    },
}
"""The simplest of these forms, for a model that writes messages."""

RECEIVED: Mapping[str, Schema] = {
    "LangChainMessages": _MESSAGES,
    "LangChainMessage": {
        "description": "A message of LangChain's.",
        "type": "object",
        "required": ["type", "content"],
        "properties": {"type": _TEXT, "content": _CONTENT},
    },
}
"""What a client receives for messages."""


def with_plain_messages(schema: Schema, definitions: Mapping[str, Schema] = DEFINITIONS) -> Schema:
    """Return `schema` with LangChain's messages replaced by one of the forms above."""
    own: Mapping[str, Schema] = schema.get("$defs", {})
    # A user's class may have the same name.
    messages = {
        name
        for name in _MESSAGE_CLASSES & own.keys()
        if "additional_kwargs" in own[name].get("properties", {})
    }

    def plain(value: Schema) -> Schema:
        if referenced_name(value) in messages:
            return _MESSAGE
        result = mapped(value, plain)
        for union in {"anyOf", "oneOf"} & result.keys():
            # Clients do not send prompt values, which only exist in Python.
            arms = [arm for arm in result.pop(union) if "PromptValue" not in referenced_name(arm)]
            same = all(arm == _MESSAGE for arm in arms)
            result |= _MESSAGE if same else {union: arms}
        if result.get("items") == _MESSAGE:
            titles = {key: result[key] for key in ("title", "description") if key in result}
            return {"$ref": "#/$defs/LangChainMessages", **titles}
        return result

    body, known = plain(schema), dict(definitions)
    known |= {name: plain(value) for name, value in body.pop("$defs", {}).items()}
    used = definitions_in(body, known)
    return {**body, "$defs": used} if used else body


def references_in(schema: Schema) -> Iterator[str]:
    """Yield the names of the definitions that a schema refers to."""
    if name := referenced_name(schema):
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
