"""The graph of a thread, on a route with several graphs."""

from __future__ import annotations

from contextlib import ExitStack, aclosing
from typing import Any, cast

from .._langchain.tasks import RunTasks
from .._langchain.threads.graph_thread import GraphThread
from .._routing.bound import BoundRoute
from ..requests import StreamRequest
from ..threads import Threads, thread_scope
from .turn import graph_thread

GRAPH = "graph_id"
"""The key of a record's metadata, and of a checkpoint's, that names the graph of a thread."""

LOOK_BACK = 8
"""How many checkpoints are looked at: one that a client has written names no graph."""


async def thread_graph(
    route: BoundRoute, request: StreamRequest, thread_id: str, held: ExitStack, tasks: RunTasks
) -> str | None:
    """Return the name of the graph of a thread; None if it is the only one, or not known.

    Args:
        route: The route.
        request: The request.
        thread_id: The client's id of the thread.
        held: Closes what the route's functions have opened.
        tasks: Keeps tasks alive that wait for that.
    """
    if len(route.runnables) == 1:
        return None
    store = cast(Threads, route.thread_policy).opened
    record = await store.find(thread_scope(route.thread_path, request.owner), thread_id)
    name = record.metadata.get(GRAPH) if record else None
    savers: list[Any] = []
    for graph in route.runnables:
        if name is not None:
            break
        # The record is gone, and has perhaps been made anew.
        served = route.served(await route.resolve(request, graph, held, tasks))
        thread = graph_thread(route, served, thread_id, request.owner)
        saver = thread.graph.checkpointer
        if not any(saver is each for each in savers):
            savers.append(saver)
            name = await _named(thread)
    return name if name in route.runnables else None


async def _named(thread: GraphThread) -> str | None:
    """Return the name of the graph that the newest checkpoints of a thread have."""
    config = {"configurable": thread.configurable()}
    checkpoints = thread.graph.checkpointer.alist(config, limit=LOOK_BACK)
    async with aclosing(checkpoints) as newest:
        names = [(each.metadata or {}).get(GRAPH) async for each in newest]
    return next(filter(None, names), None)
