"""Inputs that a thread has from its earlier runs, to begin with the same ones again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import BaseMessage, HumanMessage

from .graph_thread import GraphThread
from .new_messages import Addition
from .state_messages import messages_field, messages_of
from .stops import START


async def before_message(thread: GraphThread, snapshot: Any, message_id: str) -> Any:
    """Return the newest snapshot before a message was added, going back from a snapshot.

    The copies of a checkpoint that LangGraph goes on from are passed over: to agents with memory of
    their own they are newer than what came after it.

    Returns:
        LangGraph's ``StateSnapshot``. None if the message was there from the start.
    """
    async for each in thread.lineage(snapshot):
        is_copy = each.next == (START,) and (each.metadata or {}).get("source") == "fork"
        if not is_copy and all(known.id != message_id for known in messages_of(each.values)):
            return each
    return None


def input_after(snapshot: Any) -> Mapping[str, Any]:
    """Return the input with which a run went on from a snapshot; empty if there is none."""
    results = (each.result for each in snapshot.tasks if each.name == START)
    input = next(results, None)
    return input if isinstance(input, Mapping) else {}


def repeated_input(addition: Addition, snapshot: Any, input: Any) -> Sequence[BaseMessage] | None:
    """Return the messages of the input that a run after a snapshot had, if it is wanted again.

    LangGraph then goes on from there without an input. The graph may have changed the message that
    the client sends back, and agents in it with memory of their own take an input as a new one.

    Args:
        addition: What the request adds to the thread.
        snapshot: The state of the thread from which the run begins.
        input: The input that the request makes.

    Returns:
        The messages; None if the input is another one.
    """
    had = input_after(snapshot)
    messages = messages_of(had)
    last = next((each.id for each in reversed(messages) if isinstance(each, HumanMessage)), None)
    if not addition.again or len(addition.messages) != 1 or last != addition.before:
        return None
    others = {**input} if isinstance(input, Mapping) else {}
    others.pop(messages_field(had), None)
    is_same = all(name in had and had[name] == value for name, value in others.items())
    return messages if is_same else None
