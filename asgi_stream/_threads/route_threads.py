"""The threads of a route for one request, each through the graph that it is a thread of."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from .._langchain.tasks import RunTasks
from .._request.thread_graph import thread_graph
from .._request.turn import checked_id
from .._routing.bound import BoundRoute
from ..errors import ThreadNotFound
from ..formats import ThreadQuery
from ..requests import StreamRequest
from ..threads import Threads
from .graph_threads import GraphThreads


class RouteThreads:
    """The caller's threads.

    Args:
        route: The route.
        policy: How its threads are kept.
        request: The request.
        held: Closes what the route's functions have opened.
        tasks: Keeps tasks alive that wait for that.
    """

    def __init__(
        self,
        route: BoundRoute,
        policy: Threads,
        request: StreamRequest,
        held: ExitStack,
        tasks: RunTasks,
    ) -> None:
        self._route, self._policy, self._request = route, policy, request
        self._held, self._tasks = held, tasks
        self._by_graph: dict[str | None, GraphThreads] = {}

    async def of_graph(self, name: Any) -> GraphThreads:
        """Return the threads of a graph; of the first if there is none of that name."""
        route, request = self._route, self._request
        name = name if len(route.runnables) > 1 and name in route.runnables else None
        threads = self._by_graph.get(name)
        if threads is None:
            runnable = await route.resolve(request, name, self._held, self._tasks)
            served = route.served(runnable)
            about = self._policy, request.owner, served, route.claims(name, request.owner)
            threads = GraphThreads(route, *about)
            self._by_graph[name] = threads
        return threads

    async def of_thread(self, thread_id: str) -> GraphThreads:
        """Return the threads of the graph of a thread, as far as it is known."""
        about = self._route, self._request, thread_id, self._held, self._tasks
        return await self.of_graph(await thread_graph(*about))


async def prune(callers: RouteThreads, query: ThreadQuery) -> int:
    """Delete threads, or what is not their newest state; return how many the caller has of them."""
    pruned = 0
    for thread_id in dict.fromkeys(query.ids or ()):
        threads = await callers.of_thread(checked_id(thread_id))
        try:
            if query.keep_latest:
                await threads.keep_latest(thread_id)
            else:
                await threads.delete(thread_id)
        except ThreadNotFound:
            continue
        pruned += 1
    return pruned
