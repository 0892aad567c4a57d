"""The input of a graph on a thread that earlier runs have left in some state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.messages import RemoveMessage

from ...formats import INSTRUCTIONS
from .graph_thread import GraphThread
from .new_messages import message_id, with_messages
from .open_calls import with_results
from .state_messages import messages_of


async def thread_input(
    thread: GraphThread, input: Any, snapshot: Any, *, failed: bool = False
) -> Any:
    """Return a graph's input that goes on with its thread.

    Tool calls that the thread has left open get results. Instructions for one run take the place
    of those of the run before.

    Args:
        thread: The thread.
        input: The input.
        snapshot: The state of the thread that the run starts from.
        failed: Whether the last run on the thread has failed.
    """
    from langgraph.graph.message import REMOVE_ALL_MESSAGES, add_messages

    input = await with_results(thread, input, snapshot, failed=failed)
    messages = input.get("messages") if isinstance(input, Mapping) else None
    channel = thread.graph.channels.get("messages")
    if not isinstance(messages, list) or getattr(channel, "operator", None) is not add_messages:
        return input  # others may not know how a message is removed
    known = messages_of(snapshot.values)
    old = [each for each in known if each.id == INSTRUCTIONS]
    new = [each for each in messages if message_id(each) == INSTRUCTIONS]
    if old and not new:
        return with_messages(input, [RemoveMessage(id=INSTRUCTIONS)])
    if new and known and not old:
        # LangGraph adds messages at the end only.
        rest = [each for each in messages if message_id(each) != INSTRUCTIONS]
        return {**input, "messages": [RemoveMessage(REMOVE_ALL_MESSAGES), *new, *known, *rest]}
    return input  # LangGraph replaces a message by one with the same id
