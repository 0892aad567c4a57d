"""The request of the Vercel AI SDK: a chat as a list of ``UIMessage``, as neutral messages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..errors import InvalidInput
from ..serialize import to_json
from ._content import Block, media_block, refused, simplest, text_block, text_of

ANSWERED = {"output-available": "success", "output-error": "error", "output-denied": "error"}
UNANSWERED = ("input-streaming", "input-available", "approval-requested", "approval-responded")
FOR_MODELS = ("text", "file", "step-start")
NOT_FOR_MODELS = ("reasoning", "source-url", "source-document")
"""Parts that a message may have and that models do not get."""

Part = dict[str, Any]


def conversation_of(body: dict[str, Any], dropped: set[str]) -> tuple[list[Any], list[Part] | None]:
    """Return the messages of a chat or a prompt, and the parts of the message to be continued.

    An answer continues the last message if that is an assistant's: its id must not change then.

    Raises:
        InvalidInput: The body has neither. The error names the invalid field.
    """
    if isinstance(body.get("prompt"), str) and "messages" not in body:
        return [{"role": "user", "content": body["prompt"]}], None
    history: Any = body.get("messages")
    messages = conversation(history, dropped)
    continues = bool(history) and history[-1].get("role") == "assistant"
    return messages, history[-1]["parts"] if continues else None


def conversation(messages: Any, dropped: set[str]) -> list[Any]:
    """Return the ``UIMessage`` list of a chat as neutral messages.

    Args:
        messages: The list.
        dropped: Gets the kinds of parts that are left out.

    Raises:
        InvalidInput: It is not such a list. The error names the invalid field.
    """
    if not isinstance(messages, list):
        raise refused("messages", "expected a list of UIMessage")
    neutral: list[Any] = []
    for n, message in enumerate(messages):
        path = f"messages.{n}"
        parts = message.get("parts") if isinstance(message, dict) else None
        if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
            raise refused(path, 'expected a UIMessage, {"role": ..., "parts": [...]}')
        match message.get("role"):
            case "system" | "user" as role:
                blocks = _blocks(f"{path}.parts", parts)
                neutral.append({"role": role, "content": simplest(blocks)})
            case "assistant" as role:
                neutral += _assistant_messages(f"{path}.parts", parts, dropped)
            case _:
                raise refused(f"{path}.role", 'expected "system", "user" or "assistant"')
        dropped |= {_dropped_kind(role, part) for part in parts} - {""}
    return neutral


def _blocks(path: str, parts: list[Part]) -> list[Block]:
    blocks = []
    for n, part in enumerate(parts):
        match part.get("type"):
            case "text":
                blocks.append(text_block(f"{path}.{n}.text", part.get("text")))
            case "file":
                media_type = text_of(f"{path}.{n}.mediaType", part.get("mediaType"))
                url, name = part.get("url"), part.get("filename")
                blocks.append(media_block(f"{path}.{n}.url", media_type, url, name))
    return blocks


def _assistant_messages(path: str, parts: list[Part], dropped: set[str]) -> Iterator[Any]:
    """Yield the messages of an assistant's: each step's text and calls, then the results."""
    steps: list[list[Part]] = [[]]
    for part in parts:
        if part.get("type") == "step-start":
            steps.append([])
        elif part.get("type") != "file" or _is_reachable(part):
            steps[-1].append(part)
        else:
            dropped.add("unreachable files")
    for step in steps:
        tools = [part for part in step if _is_tool(part) and part.get("state") in list(ANSWERED)]
        blocks = _blocks(path, step)
        calls = [
            {"id": part.get("toolCallId"), "name": _tool_name(part), "args": _arguments(part)}
            for part in tools
        ]
        if blocks or calls:
            content = simplest(blocks)
            yield {"role": "assistant", "content": content} | (
                {"tool_calls": calls} if calls else {}
            )
        for part in tools:
            yield {
                "role": "tool",
                "tool_call_id": part.get("toolCallId"),
                "content": _result(part),
                "status": ANSWERED[part["state"]],
            }


def _dropped_kind(role: str, part: Part) -> str:
    """Return what the log calls a part that models do not get; ``""`` for all others."""
    type_, state = part.get("type"), part.get("state")
    if _is_tool(part):
        if role == "assistant" and state in list(ANSWERED):
            return ""
        return f"tool calls in state {state}" if state in UNANSWERED else "unknown parts"
    if type_ in FOR_MODELS:
        return ""
    if str(type_).startswith("data-"):
        return "data parts"
    return f"{type_} parts" if type_ in NOT_FOR_MODELS else "unknown parts"


def _is_tool(part: Part) -> bool:
    type_ = str(part.get("type"))
    return type_.startswith("tool-") or type_ == "dynamic-tool"


def _is_reachable(file: Part) -> bool:
    """Return whether a file's URL is accepted; that of a model's own file may not be public."""
    try:
        _blocks("", [file])
    except InvalidInput:
        return False
    return True


def _tool_name(part: Part) -> str:
    return str(part.get("toolName") or str(part.get("type")).removeprefix("tool-"))


def _arguments(part: Part) -> Any:
    arguments = part.get("input")
    return arguments if isinstance(arguments, dict) else {}


def _result(part: Part) -> str:
    if part["state"] == "output-denied":
        return "The user denied this tool call."
    output = part.get("output") if part["state"] == "output-available" else part.get("errorText")
    return output if isinstance(output, str) else to_json(output).decode()
