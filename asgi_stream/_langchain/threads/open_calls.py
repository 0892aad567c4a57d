"""Results for the tool calls that a thread has left open, when a new input begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import BaseMessage, RemoveMessage, ToolMessage

from .graph_thread import GraphThread, position_of
from .new_messages import with_messages
from .results import call_id, closing, open_calls
from .state_messages import messages_field, messages_of


async def with_results(
    thread: GraphThread, input: Any, snapshot: Any, *, failed: bool = False
) -> Any:
    """Return a graph's input with results for the tool calls that its thread has left open.

    Args:
        thread: The thread.
        input: The input.
        snapshot: The state of the thread that the run starts from.
        failed: Whether the last run on the thread has failed.
    """
    field = messages_field(snapshot.values)
    messages = input.get(field) if isinstance(input, Mapping) else None
    if not isinstance(messages, list) or any(isinstance(m, RemoveMessage) for m in messages):
        return input
    known = messages_of(snapshot.values)
    answered = {call_id(each) for each in messages}
    finished = [
        each for each in await _finished(thread, snapshot, known) if call_id(each) not in answered
    ]
    closed = closing(known, messages, failed=failed)
    return with_messages(input, [*finished, *closed], field)


async def _finished(
    thread: GraphThread, snapshot: Any, known: Sequence[BaseMessage]
) -> list[ToolMessage]:
    """Return the results of tools that had finished when the others of their step were stopped.

    LangGraph shows them in the state, but stores them beside it, and a new input discards them.
    """
    if not snapshot.next or not known or not isinstance(known[-1], ToolMessage):
        return []
    stored = await thread.state(position_of(snapshot))
    waiting = {call["id"] for call in open_calls(messages_of(stored.values))}
    return [
        each for each in known if isinstance(each, ToolMessage) and each.tool_call_id in waiting
    ]
