"""The messages that a thread has from before a run. LangGraph is not imported."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage

from .callbacks.graph_messages import messages_in, resumes
from .graphs import nodes_of
from .run_request import RunRequest
from .threads.graph_thread import POSITION
from .threads.task_results import RETURNED

SAVED = ("__previous__", "__end__")
"""The channels of what an entrypoint has saved for its next call, and of what it has returned."""

RUN = "lc_run-"
"""What LangChain's ids of models' messages begin with, if the provider has none."""

PLACE = ("thread_id", "checkpoint_id", "checkpoint_ns")


async def earlier_messages(request: RunRequest) -> list[BaseMessage]:
    """Return the messages that the thread of a run has, which the run may return again.

    A node of a graph takes what it has of its thread as its input. But an entrypoint gets it as
    ``previous``, of which there is no callback; a task that has finished before its node stopped
    does not run again; and if there is nothing to do, no node runs.

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
        position = {key: known[key] for key in PLACE if key in known}
        if "thread_id" in position:
            saved = await graph.checkpointer.aget_tuple({"configurable": position})
            values = saved.checkpoint["channel_values"] if saved else {}
            messages += messages_in([values.get(channel) for channel in SAVED])
    if request.turn is not None and resumes(request.input):
        graph = request.turn.thread.graph
        snapshot = await graph.aget_state({"configurable": configurable}, subgraphs=True)
        messages += [each async for each in _returned(graph.checkpointer, snapshot)]
    return messages


async def _returned(saver: Any, snapshot: Any) -> AsyncIterator[BaseMessage]:
    """Yield the messages that finished tasks have returned in the nodes that go on."""
    for position in _positions(snapshot):
        saved = await saver.aget_tuple({"configurable": position})
        for _, channel, value in (saved and saved.pending_writes) or ():
            for message in messages_in(value) if channel == RETURNED else ():
                if not isinstance(message, AIMessage) or _is_model_s(message):
                    yield message


def _is_model_s(message: AIMessage) -> bool:
    """Return whether a model has made a message, which was sent then; not so the code of a task."""
    return str(message.id).startswith(RUN) or bool(message.response_metadata)


def _positions(snapshot: Any) -> Iterator[dict[str, Any]]:
    """Yield where a graph has stopped, and its subgraphs; what a failed node has sent is lost."""
    configurable = snapshot.config["configurable"]
    if any(task.error for task in snapshot.tasks):
        return
    yield {key: configurable[key] for key in ("thread_id", *POSITION) if key in configurable}
    around = configurable.get("checkpoint_ns") or ""
    for task in snapshot.tasks:
        if hasattr(task.state, "values"):
            yield from _positions(task.state)
        else:  # its code may call a graph, with a thread of its own or without
            path = [*filter(None, around.split("|")), f"{task.name}:{task.id}"]
            for parts in (path, nodes_of(path)):
                place = {"checkpoint_ns": "|".join(parts)}
                yield {"thread_id": configurable["thread_id"], **place}
