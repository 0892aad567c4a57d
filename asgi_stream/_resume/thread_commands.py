"""Commands that start runs, answered at once; their events are read from their thread."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import cast

from starlette.responses import Response

from .._delivery.response import OF_CALLER, json_response
from .._headers import RUN_ID
from .._langchain.tasks import RunTasks
from .._request.parse import parse
from .._request.thread_graph import thread_graph
from .._routing.bound import BoundRoute
from ..errors import StreamError
from ..formats import Document, RunSpec
from ..formats._langgraph.commands import command_error, command_result
from ..formats._langgraph.envelopes import sequence_number
from ..formats._langgraph.run import metadata_of
from ..requests import StreamRequest


async def command_response(
    route: BoundRoute,
    endpoint: str,
    request: StreamRequest,
    tasks: RunTasks,
    start: Callable[[], Awaitable[object]],
) -> Response:
    """Return the response to a command; a command that is refused is answered with status 200.

    Args:
        route: The route.
        endpoint: The endpoint that was requested.
        request: The request.
        tasks: Keeps tasks alive that close what the route's functions have opened.
        start: Starts the run that the request asks for, and returns its record.

    Raises:
        StreamError: The caller or the server is the reason, not the command.
    """
    through = sequence_number()
    try:
        parsed = await parse(route, endpoint, request)
        if isinstance(parsed.spec, Document):
            return json_response(parsed.spec.body)
        request.parsed = parsed._replace(spec=await _of_thread(route, request, parsed.spec, tasks))
        started = await start()
    except StreamError as error:
        if error.status >= 500 or error.status in OF_CALLER:
            raise
        return json_response(command_error(request.data, error))
    run_id = cast(Response, started).headers[RUN_ID]
    headers = {RUN_ID: run_id}
    return json_response(command_result(request.data, run_id, through), headers=headers)


async def _of_thread(
    route: BoundRoute, request: StreamRequest, spec: RunSpec, tasks: RunTasks
) -> RunSpec:
    """Return the run with the graph of its thread, which answers do not name."""
    if not spec.answers:
        return spec
    with ExitStack() as held:
        graph = await thread_graph(route, request, str(spec.thread), held, tasks)
    if graph is None:
        return spec
    return replace(spec, model=graph, metadata={**spec.metadata, **metadata_of(graph)})
