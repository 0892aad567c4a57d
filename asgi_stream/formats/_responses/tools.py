"""The tools of a request to OpenAI's Responses that the client executes itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import InvalidRequest
from .._content import refused
from .._openai.messages import arguments_of

ADDED = "additional_tools"
"""The type of an item of the input that brings tools, as the Codex CLI sends for some models."""
SERVER_LABEL = "asgi_stream"
"""The MCP server by which, to clients, the run's own tools are executed."""

FUNCTION_KEYS = ("description", "parameters", "strict")
INPUT = {
    "type": "object",
    "properties": {"input": {"type": "string", "description": "The text, as it is."}},
    "required": ["input"],
    "additionalProperties": False,
}
"""The parameters of a custom tool, whose input is free text, as those of a function."""


@dataclass(frozen=True, slots=True)
class ClientTool:
    """A tool that the client executes.

    Attributes:
        function: The tool as Chat Completions has it.
        name: Its name in the request. That of a tool in a namespace is not unique, so the model
            knows it by the namespace too.
        namespace: Its namespace.
        custom: Whether its input is free text.
    """

    function: dict[str, Any]
    name: str
    namespace: str | None
    custom: bool

    def item(self, call_id: str) -> tuple[str, dict[str, Any]]:
        """Return what the id of a call's item begins with, and the item as it begins."""
        about: dict[str, Any] = {"call_id": call_id, "name": self.name}
        if self.namespace is not None:
            about["namespace"] = self.namespace
        if self.custom:
            return "ctc", {"type": "custom_tool_call", **about, "input": ""}
        call = {"type": "function_call", **about, "arguments": "", "status": "in_progress"}
        return "fc", call


def client_tools(body: Mapping[str, Any], dropped: set[str]) -> dict[str, ClientTool]:
    """Return the tools that the client executes, by the names by which the model knows them.

    Args:
        body: A request. Items of its input can add tools to its ``tools``.
        dropped: Gets the tools that OpenAI's own server executes, as messages of the log name
            them. An agent offers them beside its own and works without. If the request has no
            others, they are what it is about, and it is refused.

    Raises:
        StreamError: They are no such tools.
    """
    offered: dict[str, ClientTool] = {}
    hosted: list[tuple[str, str]] = []
    for path, tools in _lists_in(body):
        if not isinstance(tools or [], list):
            raise refused(path, "expected a list")
        for n, tool in enumerate(tools or []):
            offered |= _tools_in(f"{path}.{n}", tool, None, hosted)
    if hosted and not offered:
        path, kind = hosted[0]
        problem = f"this server does not offer the tool {kind[:100]!r}"
        raise InvalidRequest(f"{path}: {problem}.", fields={path: problem})
    dropped.update(f"the tool {kind[:100]!r}" for _, kind in hosted)
    return offered


def _lists_in(body: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield each list of tools in a request, with its path."""
    yield "tools", body.get("tools")
    items = body.get("input")
    for n, item in enumerate(items if isinstance(items, list) else []):
        if isinstance(item, dict) and item.get("type") == ADDED:
            yield f"input.{n}.tools", item.get("tools")


def _tools_in(
    path: str, tool: Any, namespace: str | None, hosted: list[tuple[str, str]]
) -> Iterator[tuple[str, ClientTool]]:
    match tool:
        case {"type": "function", "name": str(name)}:
            about = {key: tool[key] for key in FUNCTION_KEYS if tool.get(key) is not None}
            yield _named(name, namespace, about, custom=False)
        case {"type": "custom", "name": str(name)}:
            about = {"description": _custom_description(tool), "parameters": INPUT}
            yield _named(name, namespace, about, custom=True)
        case {"type": "namespace", "name": str(name), "tools": list(tools)} if namespace is None:
            for n, each in enumerate(tools):
                yield from _tools_in(f"{path}.tools.{n}", each, name, hosted)
        case {"type": "mcp", "server_label": label} if label == SERVER_LABEL:
            pass  # the run's own tools, as a client says that approves their calls
        case {"type": str(kind)} if kind not in ("function", "custom", "namespace"):
            hosted.append((path, kind))
        case _:
            raise refused(path, 'expected {"type": "function", "name": ...}')


def _named(
    name: str, namespace: str | None, about: dict[str, Any], *, custom: bool
) -> tuple[str, ClientTool]:
    unique = model_tool_name(name, namespace)
    function = {"type": "function", "function": {"name": unique, **about}}
    return unique, ClientTool(function, name, namespace, custom)


def _custom_description(tool: dict[str, Any]) -> str:
    """Return the description of a custom tool, with the grammar of its input."""
    description = str(tool.get("description") or "")
    match tool.get("format"):
        case {"type": "grammar", "syntax": str(syntax), "definition": str(definition)}:
            return f"{description}\n\nThe input follows this {syntax} grammar:\n{definition}"
    return description


def model_tool_name(name: str, namespace: Any) -> str:
    """Return the name by which the model knows a tool."""
    return f"{namespace}__{name}" if isinstance(namespace, str) else name


def custom_input(arguments: str) -> str:
    """Return the input of a custom tool, given the arguments with which the model has called it.

    Those of a call that the model has not finished may end within the input.
    """
    for end in ("", '"}'):
        match arguments_of(arguments + end):
            case {"input": str(text)}:
                return text
    return arguments  # the model may have written the text itself
