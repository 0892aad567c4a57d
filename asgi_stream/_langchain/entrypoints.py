"""What the threads of LangGraph's entrypoints have saved. LangGraph is not imported."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from langchain_core.messages import BaseMessage

from .callbacks.graph_messages import messages_in

SAVED = ("__previous__", "__end__")
"""The channels of what an entrypoint has saved for its next call, and of what it has returned."""

POSITION = ("thread_id", "checkpoint_id", "checkpoint_ns")


async def saved_messages(
    graphs: Callable[[], Iterable[Any]], configurable: Mapping[str, Any]
) -> list[BaseMessage]:
    """Return the messages that entrypoints have from earlier runs of their thread.

    A node of another graph takes what it has of its thread as its input. An entrypoint gets it as
    ``previous``, of which there is no callback, and may return it again.

    Args:
        graphs: Returns the graphs in what runs.
        configurable: The run's ``configurable``, which may have a thread.
    """
    messages: list[BaseMessage] = []
    for graph in graphs():
        if SAVED[0] not in graph.channels or not graph.checkpointer:
            continue
        known = {**(graph.config or {}).get("configurable", {}), **configurable}
        position = {key: known[key] for key in POSITION if key in known}
        if "thread_id" in position:
            saved = await graph.checkpointer.aget_tuple({"configurable": position})
            values = saved.checkpoint["channel_values"] if saved else {}
            messages += messages_in([values.get(channel) for channel in SAVED])
    return messages
