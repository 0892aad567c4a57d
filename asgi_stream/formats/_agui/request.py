"""The request of AG-UI: its messages and tools in neutral terms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._content import (
    Block,
    inline_block,
    media_block,
    neutral_message,
    refused,
    text_block,
    text_of,
)
from .._openai.messages import tool_calls, with_results_in_order
from .._spec import FormatRequest, RunSpec
from .interrupts import answers_in


def read_input(request: FormatRequest) -> tuple[RunSpec, dict[str, str]]:
    """Return the run of a ``RunAgentInput``, and the client's ids ``threadId`` and ``runId``.

    Raises:
        InvalidInput: The body is no such input. The error names the invalid field.
    """
    body = request.body
    if not isinstance(body, dict):
        raise refused("body", "expected a RunAgentInput")
    ids = {name: text_of(name, body.get(name)) for name in ("threadId", "runId")}
    answers = answers_in(body)
    if answers and not request.threads:
        raise refused("resume", "this server keeps no threads, so there is nothing to resume")
    tools = body.get("tools") or []
    if not isinstance(tools, list):
        raise refused("tools", "expected a list")
    for n, tool in enumerate(tools):
        _check_name(n, tool)
    context, dropped = body.get("context"), set[str]()
    if not isinstance(context, list | None):
        raise refused("context", "expected a list")
    props, state = body.get("forwardedProps"), body.get("state")
    props = props if isinstance(props, dict) else {}
    spec = RunSpec(
        messages=conversation(body.get("messages"), dropped),
        context=context,
        dropped=dropped,
        state=state if isinstance(state, dict) else {},
        tools=[{"type": "function", "function": _function(tool)} for tool in tools],
        configurable={key: props[key] for key in request.configurable if key in props},
        gathered=False,
        thread=ids["threadId"] or None,
        answers=answers,
        catches_up=True,
        revises=None,  # nothing marks an edited message
    )
    return spec, ids


def conversation(messages: Any, dropped: set[str]) -> list[Any]:
    """Return AG-UI's messages as neutral ones.

    Args:
        messages: A list of them.
        dropped: Gets the kinds of messages that are left out.

    Raises:
        InvalidInput: They are not such messages. The error names the invalid field.
    """
    if not isinstance(messages, list):
        raise refused("messages", "expected a list of messages")
    neutral = []
    for n, message in enumerate(messages):
        path = f"messages.{n}"
        role = message.get("role") if isinstance(message, dict) else None
        match role:
            case "activity" | "reasoning":
                dropped.add(f"messages of the role {role}")
            case "developer" | "system" | "user" | "assistant" | "tool":
                neutral.append(_message(path, role, message))
            case _:
                raise refused(f"{path}.role", "expected a role of AG-UI's messages")
    return with_results_in_order(neutral)


def _message(path: str, role: str, message: Mapping[str, Any]) -> dict[str, Any]:
    neutral = neutral_message(path, message, _block)
    if isinstance(message.get("id"), str):
        neutral["id"] = message["id"]
    if role == "tool":
        neutral["tool_call_id"] = text_of(f"{path}.toolCallId", message.get("toolCallId"))
        neutral["status"] = "error" if message.get("error") else "success"
    if calls := message.get("toolCalls"):
        neutral["tool_calls"] = tool_calls(f"{path}.toolCalls", calls)
    return neutral


def _block(path: str, part: Any) -> Block:
    match part:
        case {"type": "text", "text": text}:
            return text_block(f"{path}.text", text)
        case {
            "type": "image" | "audio" | "video" | "document" as kind,
            "source": {"type": "data" | "url" as how, "value": value, **about},
        }:
            media_type = about.get("mimeType") or ("" if kind == "document" else f"{kind}/*")
            field = f"{path}.source.value"
            if how == "data":
                return inline_block(field, text_of(f"{path}.source.mimeType", media_type), value)
            return media_block(field, text_of(f"{path}.source.mimeType", media_type), value)
    raise refused(path, "expected text, or image, audio, video or document with data or a URL")


def _check_name(n: int, tool: Any) -> None:
    text_of(f"tools.{n}.name", tool.get("name") if isinstance(tool, dict) else None)


def _function(tool: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": tool["name"],
        "description": str(tool.get("description") or ""),
        "parameters": tool.get("parameters") or {"type": "object", "properties": {}},
    }
