"""The Runnables of a route as tools."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

from .._langchain.tasks import RunTasks
from .._langchain.tool_schema import tool_of
from .._routing.bound import BoundRoute
from ..formats import Tool
from ..requests import StreamRequest


async def route_tools(
    route: BoundRoute, request: StreamRequest, held: ExitStack, tasks: RunTasks
) -> list[Tool]:
    """Return the Runnables of a route, as they are for a request.

    Args:
        route: The route.
        request: What the route's functions are called with.
        held: Closed afterwards; this closes what they have opened.
        tasks: Keeps the tasks alive that wait for that.
    """
    tools = []
    for name, source in route.runnables.items():
        runnable = await route.resolve(request, name, held, tasks)
        # In a thread, because pydantic takes its time: for an agent 50 ms.
        tools.append(await asyncio.to_thread(tool_of, name, source, route.served(runnable)))
    return tools
