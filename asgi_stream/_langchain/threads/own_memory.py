"""Agents in a graph that have memory of their own: compiled with ``checkpointer=True``.

They go on where they were, whatever the input of the graph is. Those that a tool calls are not
known to the graph, and not found here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..graphs import graph_of
from .graph_thread import GraphThread
from .open_calls import with_results
from .state_messages import messages_field
from .stops import START

Position = Mapping[str, Any] | None


async def prepare_agents(
    thread: GraphThread, position: Position, input: Any, run_id: str, *, failed: bool
) -> tuple[Any, Position]:
    """Bring agents with own memory to where a run begins, and return its input and position.

    Args:
        thread: The thread.
        position: Where the run begins; None is the newest state.
        input: The input, or a command.
        run_id: The run.
        failed: Whether the last run on the thread has failed.
    """
    agents = _agents(thread.graph) if isinstance(input, Mapping) else []
    if not agents:
        return input, position
    config = {"configurable": {**thread.configurable(position), "run_id": run_id}}
    if position is not None:
        return await _forked(thread, position, input, config)
    for path in agents:
        snapshot = await thread.state({"checkpoint_ns": path})
        if field := messages_field(snapshot.values):
            update = await with_results(thread, {field: []}, snapshot, failed=failed)
            if update[field]:
                config["configurable"]["checkpoint_ns"] = path
                await thread.graph.aupdate_state(config, update, START)
    return input, position


async def _forked(
    thread: GraphThread, position: Position, input: Any, config: Any
) -> tuple[Any, Position]:
    """Return the input and the position of a run that begins at an earlier checkpoint.

    The agents go on from their newest state if LangGraph gets an input there, and from that of the
    checkpoint if it gets none. So the input is written as an update, by which LangGraph would pass
    a breakpoint of the first node; then it is left as it is.
    """
    if thread.stops_before:
        return input, position
    return None, (await thread.graph.aupdate_state(config, input, START))["configurable"]


def _agents(graph: Any) -> list[str]:
    """Return the paths of the subgraphs that have memory of their own."""
    subgraphs = ((path, graph_of(each)) for path, each in graph.get_subgraphs(recurse=True))
    return [path for path, each in subgraphs if each is not None and each.checkpointer is True]
