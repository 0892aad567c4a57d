"""The body of a request with messages of the user, made from the schema in the OpenAPI document."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import uuid4

Schema = Mapping[str, Any]

CONVERSATION = "LangChainMessages"
MESSAGES: Mapping[str, Callable[[str], Any]] = {
    "LangChainMessage": lambda text: ["human", text],
    "OpenAIMessage": lambda text: {"role": "user", "content": text},
    "AGUIMessage": lambda text: {"id": str(uuid4()), "role": "user", "content": text},
    "UIMessage": lambda text: {
        "id": str(uuid4()),
        "role": "user",
        "parts": [{"type": "text", "text": text}],
    },
}
"""A message of the user, by the name of its schema."""
IDS = {"threadId", "runId", "id"}
"""Members of a body that are ids, not text of the user."""
NESTING = 6
"""How deeply messages are searched for in a schema."""


class NoMessageInput(ValueError):
    """Messages alone are no input: why."""


def run_operation(document: Mapping[str, Any], path: str) -> tuple[str, Schema] | None:
    """Return where runs of a route start, with the schema of the body; None if nowhere.

    Args:
        document: The OpenAPI document.
        path: A path in it, or that of a route whose endpoints are below it.
    """
    operations = [
        (known, operation["post"])
        for known, operation in document.get("paths", {}).items()
        if "requestBody" in operation.get("post", {})
    ]
    for known, operation in operations:
        template = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(known.rstrip("/")))
        match = re.fullmatch(rf"({template})/?", path)
        if match:
            return path, _body_schema(operation)
    below = f"{path.rstrip('/')}/"
    for known, operation in operations:
        content = operation.get("responses", {}).get("200", {}).get("content", {})
        if known.startswith(below) and "text/event-stream" in content and "{" not in known:
            return known, _body_schema(operation)
    return None


def _body_schema(operation: Mapping[str, Any]) -> Schema:
    schema: Schema = operation["requestBody"]["content"]["application/json"]["schema"]
    return schema


def body_with(
    texts: Sequence[str], schema: Schema, definitions: Mapping[str, Schema], thread_id: str | None
) -> Any:
    """Return a body with messages of the user.

    Args:
        texts: The messages.
        schema: The schema of the body.
        definitions: Those that it refers to.
        thread_id: The thread, where the body has its id.

    Raises:
        NoMessageInput: The schema requires something else.
    """
    return _Body(definitions, thread_id).filled(schema, texts)


class _Body:
    def __init__(self, definitions: Mapping[str, Schema], thread_id: str | None) -> None:
        self._definitions, self._thread_id = definitions, thread_id

    def filled(self, schema: Schema, texts: Sequence[str]) -> Any:
        if _name(schema) == CONVERSATION:
            return [MESSAGES["LangChainMessage"](text) for text in texts]
        match self._resolved(schema):
            case {"type": "array", "items": items} if _name(items) in MESSAGES:
                return [MESSAGES[_name(items)](text) for text in texts]
            case {"anyOf": [*choices]}:
                return self._first(choices, texts)
            case {"type": "string", **rest} if "enum" not in rest:
                if len(texts) > 1:
                    raise NoMessageInput("it takes one text, so one message")
                return texts[0]
            case {"type": "object", "properties": dict(properties), **rest}:
                return self._object(properties, rest.get("required", ()), texts)
        raise NoMessageInput("it is not a text, a conversation or an object that has one")

    def _first(self, choices: Sequence[Schema], texts: Sequence[str]) -> Any:
        reasons = []
        for choice in sorted(choices, key=self._has_messages, reverse=True):
            try:
                return self.filled(choice, texts)
            except NoMessageInput as reason:
                reasons.append(reason)
        raise reasons[0]

    def _object(
        self, properties: Mapping[str, Schema], required: Sequence[str], texts: Sequence[str]
    ) -> dict[str, Any]:
        lists = [name for name in properties if self._has_messages(properties[name])]
        lists.sort(key=lambda name: name != "messages")
        fields = [name for name in required if name not in IDS and name not in lists]
        strings = [name for name in fields if self._is_text(properties.get(name, {}))]
        if not (lists or fields) and len(properties) == 1:
            strings = [name for name in properties if self._is_text(properties[name])]
        body: dict[str, Any] = {}
        if lists and len(strings) < 2:
            earlier = len(texts) - len(strings)
            body[lists[0]] = self.filled(properties[lists[0]], texts[:earlier])
            body |= dict.fromkeys(strings, texts[-1])
        elif len(strings) == 1:
            body[strings[0]] = self.filled(properties[strings[0]], texts)
        elif "input" in properties:
            body["input"] = self.filled(properties["input"], texts)
        if not body:
            names = ", ".join(required or properties) or "any fields"
            raise NoMessageInput(f"it is an object with {names}")
        for name in required:
            if name not in body:
                body[name] = self._incidental(name, properties.get(name, {}))
        return body | self._optional(properties, body)

    def _incidental(self, name: str, schema: Schema) -> Any:
        """Return the value of a member that is not the user's."""
        match self._resolved(schema):
            case {"enum": [first, *_]}:
                return first
            case {"type": "string"} if name in IDS:
                return self._thread_id if name == "threadId" and self._thread_id else str(uuid4())
            case {"default": default}:
                return default
        raise NoMessageInput(f"it requires {name} too")

    def _optional(
        self, properties: Mapping[str, Schema], body: Mapping[str, Any]
    ) -> dict[str, Any]:
        more: dict[str, Any] = {}
        if properties.get("stream") == {"type": "boolean"}:
            more["stream"] = True
        if self._thread_id and "id" in properties and "messages" in body:
            more["id"] = self._thread_id
        return more

    def _has_messages(self, schema: Schema, depth: int = NESTING) -> bool:
        if _name(schema) == CONVERSATION:
            return True
        match self._resolved(schema) if depth else {}:
            case {"type": "array", "items": items}:
                return _name(items) in MESSAGES
            case {"anyOf": [*choices]}:
                return any(self._has_messages(each, depth - 1) for each in choices)
            case {"properties": dict(properties)}:
                return any(self._has_messages(each, depth - 1) for each in properties.values())
        return False

    def _is_text(self, schema: Schema) -> bool:
        resolved = self._resolved(schema)
        return resolved.get("type") == "string" and "enum" not in resolved

    def _resolved(self, schema: Schema) -> Schema:
        return self._definitions.get(_name(schema), {}) if "$ref" in schema else schema


def _name(schema: Schema) -> str:
    """Return the name of the definition that a schema refers to."""
    return str(schema.get("$ref", "")).rpartition("/")[2]
