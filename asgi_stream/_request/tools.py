"""The Runnables of a route as tools."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

from starlette.exceptions import HTTPException

from .._langchain.tasks import RunTasks
from .._langchain.tool_schema import tool_of
from .._routing.bound import BoundRoute
from ..errors import StreamError
from ..formats import Tool
from ..requests import StreamRequest


async def route_tools(
    route: BoundRoute, request: StreamRequest, held: ExitStack, tasks: RunTasks
) -> list[Tool]:
    """Return the Runnables of a route, as they are for a request.

    One whose function refuses the request is left out: its caller could not call it.

    Args:
        route: The route.
        request: What the route's functions are called with.
        held: Closed afterwards; this closes what they have opened.
        tasks: Keeps the tasks alive that wait for that.

    Raises:
        StreamError: All functions refuse the request, or one fails.
        HTTPException: The same.
    """
    tools: list[Tool] = []
    refusal: StreamError | HTTPException | None = None
    for name, source in route.runnables.items():
        try:
            runnable = await route.resolve(request, name, held, tasks)
        except (StreamError, HTTPException) as error:
            if status_of(error) >= 500:
                raise
            refusal = error
            continue
        # In a thread, because pydantic takes its time: for an agent 50 ms.
        tools.append(await asyncio.to_thread(tool_of, name, source, route.served(runnable)))
    if refusal is not None and not tools:
        raise refusal
    return tools


def status_of(error: StreamError | HTTPException) -> int:
    """Return the HTTP status of the response for an error."""
    return error.status if isinstance(error, StreamError) else error.status_code
