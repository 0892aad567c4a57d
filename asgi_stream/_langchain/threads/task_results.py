"""The results of tasks of LangGraph's functional API, in a graph that waits.

An entrypoint's state is stored at its end. Until then, the results of its finished tasks are
pending writes of its checkpoint, read in langgraph 1.2.24.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from .state_messages import messages_of

RETURNED = "__return__"
"""The channel to which LangGraph writes what a function with ``@task`` returns."""


async def calls_in_results(saver: Any, snapshot: Any) -> list[Sequence[BaseMessage]]:
    """Return the messages with open calls that finished tasks have returned, each by itself.

    Args:
        saver: The checkpointer.
        snapshot: The state of a graph that waits, as LangGraph's ``StateSnapshot``, with those of
            its subgraphs.
    """
    messages: list[BaseMessage] = []
    for each in _stopped(snapshot):
        saved = await saver.aget_tuple(each.config)
        writes = (saved and saved.pending_writes) or ()
        for value in [value for _, channel, value in writes if channel == RETURNED]:
            messages += [value] if isinstance(value, BaseMessage) else messages_of(value)
    answered = {each.tool_call_id for each in messages if isinstance(each, ToolMessage)}
    return [
        [each]
        for each in messages
        if isinstance(each, AIMessage)
        and any(call["id"] not in answered for call in each.tool_calls)
    ]


def _stopped(snapshot: Any) -> Iterator[Any]:
    """Yield a snapshot, and those of the subgraphs that have stopped in its tasks."""
    yield snapshot
    for task in snapshot.tasks:
        if hasattr(task.state, "values"):
            yield from _stopped(task.state)
