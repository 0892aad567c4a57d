"""The endpoints of threads: list, show, create, change and delete them, read and write states."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, cast

from starlette.responses import Response

from .._delivery.response import json_response, no_content
from .._langchain.tasks import RunTasks
from .._langchain.threads.graph_thread import NO_CHECKPOINT, GraphThread
from .._lifecycle.gate import gather_bounded
from .._request.body import read_body
from .._request.query import read_query
from .._request.thread_graph import GRAPH
from .._request.turn import checked_id
from .._routing.bound import BoundRoute
from ..errors import NotFound
from ..formats import STORED_THREAD, FormatRequest, ThreadQuery, ThreadView
from ..requests import StreamRequest
from ..stores import ThreadRecord
from ..threads import Threads
from .graph_threads import GraphThreads
from .route_threads import RouteThreads, prune


async def thread_response(
    route: BoundRoute,
    endpoint: str,
    operation: str,
    request: StreamRequest,
    tasks: RunTasks,
) -> Response:
    """Return the response to a request about threads.

    Args:
        route: The route.
        endpoint: The endpoint that was requested.
        operation: What to do, one of the operations of `Format.threads`.
        request: The request.
        tasks: Keeps tasks alive that hold resources until the response is made.

    Raises:
        StreamError: The caller has no such thread, or the request is not valid.
    """
    format = route.format_class()
    policy = cast(Threads, route.thread_policy)
    query = format.thread_query(operation, await _read(route, policy, endpoint, request))
    thread_id = request.path_params.get(STORED_THREAD)
    if thread_id is not None:
        checked_id(thread_id)
    with ExitStack() as held:
        callers = RouteThreads(route, policy, request, held, tasks)
        if thread_id is None:
            result, headers = await _many(callers, operation, query)
        else:
            threads = await callers.of_thread(thread_id)
            result, headers = await _one(threads, operation, thread_id, query), {}
    if result is None:
        return no_content()
    return json_response(format.thread_document(operation, result), headers=headers)


async def _read(
    route: BoundRoute, policy: Threads, endpoint: str, request: StreamRequest
) -> FormatRequest:
    """Read the body of a request, or its query if it has none, as its format parses it."""
    if request.method in ("POST", "PATCH") and not endpoint.endswith("/copy"):
        body = await read_body(request)
    else:
        # What runs take from the query means nothing here, but clients may send it always.
        keys = route.configurable
        _, _, body = read_query(request, route.limits, configurable=keys, narrows=False)
    request.data = body
    return FormatRequest(
        endpoint=endpoint,
        body=body,
        params=request.path_params,
        models=tuple(route.runnables),
        configurable=route.configurable,
        threads=True,
        sdk_version=route.sdk_version,
        user_messages_only=policy.user_messages_only,
    )


async def _many(
    callers: RouteThreads, operation: str, query: ThreadQuery
) -> tuple[Any, dict[str, str]]:
    """Return the result of an operation on no thread in particular, and response headers."""
    if operation == "prune":
        return await prune(callers, query), {}
    threads = await callers.of_graph(None)
    match operation:
        case "create":
            return ThreadView(await threads.create(query)), {}
        case "count":
            return len(await threads.list(query)), {}
        case "list":
            records = await threads.list(query)
            last = query.offset + query.limit
            more = {"X-Pagination-Next": str(last)} if last < len(records) else {}
            return await _views(callers, records[query.offset : last], query), more
    raise NotFound


async def _one(threads: GraphThreads, operation: str, thread_id: str, query: ThreadQuery) -> Any:
    """Return the result of an operation on a thread; None if it has none."""
    public = threads.public(thread_id)
    match operation:
        case "show":
            return await threads.view(*await threads.find(thread_id), query)
        case "change":
            return ThreadView(await threads.change(thread_id, query.metadata))
        case "copy":
            copied = await threads.copy(thread_id)
            return await threads.view(*await threads.find(copied), query)
        case "delete":
            return await threads.delete(thread_id)
        case "update":
            return await threads.update(thread_id, query)
        case "state" | "messages":
            _, snapshot = await threads.find(thread_id)
            if query.checkpoint or query.subgraphs:
                snapshot = await threads.thread(thread_id).state(
                    query.checkpoint, subgraphs=query.subgraphs
                )
                if query.checkpoint and snapshot.created_at is None:
                    raise NotFound(NO_CHECKPOINT)
            return public.of(snapshot)
        case "history":
            await threads.find(thread_id)
            return [public.of(each) for each in await _history(threads.thread(thread_id), query)]
    raise NotFound


async def _history(thread: GraphThread, query: ThreadQuery) -> list[Any]:
    """Return the snapshots of a thread, or of a graph in it."""
    about: dict[str, Any] = {
        "checkpoint": query.checkpoint,
        "before": query.before,
        "metadata": query.metadata,
    }
    try:
        states = [each async for each in thread.history(limit=query.limit, **about)]
    except ValueError as error:  # of LangGraphs that know none but a graph's own subgraphs
        raise NotFound(NO_CHECKPOINT) from error
    if not states:
        thread.configurable(query.checkpoint)  # refuses a namespace that no graph has
    return states


async def _views(
    callers: RouteThreads, records: Sequence[ThreadRecord], query: ThreadQuery
) -> list[ThreadView]:
    if not (query.with_state or query.with_messages):
        return [ThreadView(each) for each in records]

    async def view(record: ThreadRecord) -> ThreadView:
        threads = await callers.of_graph(record.metadata.get(GRAPH))
        snapshot = await threads.thread(record.thread_id).state()
        return await threads.view(record, snapshot, query)

    return await gather_bounded(view, records)
