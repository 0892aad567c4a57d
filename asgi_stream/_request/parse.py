"""Parses a request as its route's format does."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from .._routing.bound import BoundRoute
from ..events import LangChainEvent
from ..filters import EventFilter
from ..formats import STORED_THREAD, Document, Format, FormatRequest, RunSpec
from ..requests import StreamRequest
from ..threads import THREAD_ID
from .body import read_body
from .query import read_query
from .turn import CHECKPOINT_ID, named_thread


class Parsed(NamedTuple):
    """A parsed request.

    Attributes:
        format: The format's instance for the run.
        spec: What the client asks for.
        configurable: The ``configurable`` keys of the query.
        filter: The filter of the query, if it has one.
    """

    format: Format
    spec: RunSpec | Document
    configurable: dict[str, str]
    filter: EventFilter | None


async def parse(route: BoundRoute, endpoint: str, request: StreamRequest) -> Parsed:
    """Read and parse a request, once.

    Args:
        route: The route.
        endpoint: The endpoint of the route that was requested.
        request: The request.

    Raises:
        StreamError: The request is not valid in the route's format.
        ClientDisconnect: The client left.
    """
    if request.parsed is None:
        request.parsed = await _parse(route, endpoint, request)
    parsed: Parsed = request.parsed
    return parsed


async def spec_of(route: BoundRoute, endpoint: str, request: StreamRequest) -> RunSpec | None:
    """Return what the client asks for; None if that is no run."""
    spec = (await parse(route, endpoint, request)).spec
    return None if isinstance(spec, Document) else spec


def format_request(
    route: BoundRoute,
    endpoint: str,
    body: Any,
    params: Mapping[str, Any],
    headers: Mapping[str, str] = MappingProxyType({}),
    thread: str | None = None,
) -> FormatRequest:
    """Return a request to a route as its format gets it."""
    policy = route.thread_policy
    return FormatRequest(
        endpoint=endpoint,
        body=body,
        params=params,
        models=tuple(route.runnables),
        configurable=route.configurable,
        threads=policy is not None,
        resumable=route.resume_policy is not None,
        sdk_version=route.sdk_version,
        user_messages_only=policy is not None and policy.user_messages_only,
        headers=headers,
        thread=thread,
    )


async def _parse(route: BoundRoute, endpoint: str, request: StreamRequest) -> Parsed:
    threads = route.thread_policy is not None
    of_thread = (THREAD_ID, CHECKPOINT_ID) if threads else ()
    configurable, client_filter, query_input = read_query(
        request,
        route.limits,
        configurable={*route.configurable, *of_thread},
        narrows=LangChainEvent in route.format_class.wants,
    )
    request.data = query_input if request.method == "GET" else await read_body(request)
    request.format = format = route.format_class()
    params = request.path_params
    thread = params.get(STORED_THREAD) or (configurable.get(THREAD_ID) if threads else None)
    about = endpoint, request.data, params, request.headers, thread
    spec = format.parse(format_request(route, *about))
    if threads and not isinstance(spec, Document):
        query = {key: configurable.pop(key) for key in of_thread if key in configurable}
        spec = named_thread(request, spec, query)
    return Parsed(format, spec, configurable, client_filter)
