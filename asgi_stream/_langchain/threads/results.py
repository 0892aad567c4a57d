"""Tool calls of a conversation that have no result, and results for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ToolCall, ToolMessage

from ..messages import INTERRUPTED, UNFINISHED


def open_calls(known: Sequence[BaseMessage]) -> list[ToolCall]:
    """Return the tool calls at the end of a thread that have no result."""
    answered: set[str] = set()
    for message in reversed(known):
        if isinstance(message, ToolMessage):
            answered.add(message.tool_call_id)
        elif isinstance(message, AIMessage):
            return [call for call in message.tool_calls if call["id"] not in answered]
        else:
            break
    return []


def closing(
    known: Sequence[BaseMessage],
    new: Sequence[Any],
    later: Sequence[BaseMessage] = (),
    *,
    failed: bool = False,
) -> list[dict[str, Any]]:
    """Return results for the open calls of a thread that `new` messages do not answer.

    Without them model providers refuse the conversation.

    Args:
        known: The messages of the thread.
        new: Those that are added to it.
        later: Those that are replaced, which may have results of tools that have run.
        failed: Whether the last run on the thread has failed.
    """
    answered = {call_id(each) for each in new}
    fields = {"id", "content", "status", "additional_kwargs"}
    results = {
        each.tool_call_id: each.model_dump(include=fields)
        for each in later
        if isinstance(each, ToolMessage)
    }
    none = {"content": UNFINISHED if failed else INTERRUPTED, "status": "error"}
    return [
        {
            "role": "tool",
            "tool_call_id": call["id"],
            "name": call["name"],
            **results.get(str(call["id"]), none),
        }
        for call in open_calls(known)
        if call["id"] not in answered
    ]


def call_id(message: Any) -> Any:
    """Return the id of the call that a message answers, if it does."""
    if isinstance(message, Mapping):
        return message.get("tool_call_id")
    return getattr(message, "tool_call_id", None)
