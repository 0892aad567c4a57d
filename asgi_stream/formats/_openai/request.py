"""The request of OpenAI's Chat Completions, besides its messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import InvalidRequest, NotFound
from ...errors.text import listed, one_line
from ...events import RunError
from .._content import refused, text_of

OWNER = "asgi_stream"


def model_object(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": OWNER}


def model_name(name: Any, models: Sequence[str]) -> str:
    """Return the name of the model that a client asks for.

    Raises:
        NotFound: The route has no such model.
    """
    if name not in models:
        raise NotFound(
            f"Unknown model {one_line(repr(name), 200)}; available: {listed(list(models))}.",
            code="model_not_found",
        )
    return str(name)


def parameters(body: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """Return the ``configurable`` keys that a request has as parameters.

    ``model`` is none of them: it names one of the route's Runnables. None is a parameter's default.
    """
    return {key: body[key] for key in keys if key != "model" and body.get(key) is not None}


def tools_and_options(body: Any) -> tuple[list[Any], dict[str, Any]]:
    """Return the ``tools`` and the ``stream_options`` of a request.

    Raises:
        InvalidInput: The body is no object, or they are not of these types.
    """
    if not isinstance(body, dict):
        raise refused("body", "expected an object")
    tools, options = body.get("tools") or [], body.get("stream_options") or {}
    if not isinstance(tools, list):
        raise refused("tools", "expected a list")
    if not isinstance(options, dict):
        raise refused("stream_options", "expected an object")
    return tools, options


def switch(body: Mapping[str, Any], key: str) -> bool:
    """Return the value of a field that is true or false, false by default.

    Raises:
        InvalidInput: It is something else.
    """
    value = body.get(key)
    if not isinstance(value, bool | None):
        raise refused(key, "expected true or false")
    return bool(value)


def check_form(body: Mapping[str, Any]) -> None:
    """Check that a request does not ask for a form of answer that this server does not have.

    Raises:
        InvalidRequest: It does.
    """
    for key, accepted in (
        ("n", (None, 1)),
        ("logprobs", (None, False)),
        ("modalities", (None, ["text"])),
    ):
        if body.get(key) not in accepted:
            problem = f"this server does not offer {body[key]!r}"
            raise InvalidRequest(f"{key}: {problem}.", fields={key: problem})


def response_format_of(value: Any, path: str = "response_format") -> Mapping[str, Any] | None:
    """Return the form of the answer's text; None: there are no restrictions.

    Args:
        value: The form.
        path: Where it is in the request.

    Raises:
        InvalidInput: It is not a response format.
    """
    match value:
        case None | {"type": "text"}:
            return None
        case {"type": "json_object"}:
            return {"type": "json_object"}
        case {"type": "json_schema", "json_schema": {"name": str(), **about} as schema} if (
            isinstance(about.get("schema", {}), dict)
        ):
            return {"type": "json_schema", "json_schema": schema}
    raise refused(path, "expected text, json_object, or json_schema with its schema")


def check_tool(tool: Any, n: int) -> None:
    """Check the request's tool number `n`.

    Raises:
        InvalidInput: It is not a function tool.
    """
    function = tool.get("function") if isinstance(tool, dict) else None
    if not isinstance(function, dict):
        raise refused(f"tools.{n}", 'expected {"type": "function", "function": {...}}')
    text_of(f"tools.{n}.function.name", function.get("name"))


def offered_tools(tools: list[Any], choice: Any) -> Sequence[Any] | None:
    """Return the client's tools that the model may call; None if the request has none."""
    return () if choice == "none" else tools or None


def tool_choice_of(value: Any) -> str | None:
    """Return the ``tool_choice`` for LangChain's ``bind_tools``; None: the model decides."""
    match value:
        case {"function": {"name": str(name)}}:
            return name
        case "required":
            return "any"
    return None


def error_document(error: RunError) -> dict[str, Any]:
    """Return the JSON of an error, in the response to a request and in a stream of chunks."""
    kind = "server_error" if error.status >= 500 else "invalid_request_error"
    param = next(iter(error.fields), None)
    content = {"message": error.message, "type": kind, "param": param, "code": error.code}
    return {"error": {**content, "id": error.id}}
