"""What the threads of graphs have from before a run. LangGraph is not imported."""

from __future__ import annotations

from langchain_core.messages import BaseMessage

from .callbacks.graph_messages import messages_in
from .run_request import RunRequest

SAVED = ("__previous__", "__end__")
"""The channels of what an entrypoint has saved for its next call, and of what it has returned."""

POSITION = ("thread_id", "checkpoint_id", "checkpoint_ns")


async def earlier_messages(request: RunRequest) -> list[BaseMessage]:
    """Return the messages that the thread of a run has, which the run may return again.

    A node of a graph takes what it has of its thread as its input. But an entrypoint gets it as
    ``previous``, of which there is no callback; and if there is nothing to do, no node runs.

    Args:
        request: The run. It has a turn on a thread, or ``configurable`` keys may name one.
    """
    start = None if request.turn is None else request.turn.start
    messages = [] if start is None else [*messages_in(start.values)]
    configurable = request.config.get("configurable") or {}
    for graph in request.plan.current_graphs():
        if SAVED[0] not in graph.channels or not graph.checkpointer:
            continue
        known = {**(graph.config or {}).get("configurable", {}), **configurable}
        position = {key: known[key] for key in POSITION if key in known}
        if "thread_id" in position:
            saved = await graph.checkpointer.aget_tuple({"configurable": position})
            values = saved.checkpoint["channel_values"] if saved else {}
            messages += messages_in([values.get(channel) for channel in SAVED])
    return messages
