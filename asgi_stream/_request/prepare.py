"""From a request to a run that can begin: what the client asks for, as its route allows it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from .._importer import kind_of
from .._langchain.client_tools import Equipped, equipped
from .._langchain.conversation import Ambiguous
from .._langchain.graphs import merged_context
from .._langchain.run_request import RunRequest
from .._langchain.runnable_input import RunnableInput
from .._langchain.runnable_schema import schema_of
from .._langchain.runnables import many, with_response_format
from .._langchain.system_messages import has_system_message, without_system
from .._langchain.tasks import RunTasks
from .._logs import logger
from .._routing.bound import BoundRoute
from .._routing.hooks import call_hook
from ..errors import InvalidInput, RunTimeout, listed
from ..events import LangChainEvent
from ..filters import EventFilter
from ..formats import Document, Format, FormatRequest, RunSpec
from ..formats._content import check_count, check_files, check_inline, refused
from ..requests import StreamRequest
from .accept import accept_of, wants_json
from .body import read_body
from .query import Query, read_query

if TYPE_CHECKING:
    from ..telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class Prepared:
    """A run that can begin.

    Attributes:
        runnable: What to run.
        request: With what.
        format: The format's instance for this run.
        filters: An event reaches the client if all of them admit it.
        gathered: Answer with one JSON document instead of frames.
        call: What the client has asked for.
        body: In these words.
        telemetry: Where the run is told of, besides the log.
        held: What to close when the run has ended, or if it never begins.
    """

    runnable: Any
    request: RunRequest
    format: Format
    filters: tuple[EventFilter, ...]
    gathered: bool
    call: RunSpec = field(default_factory=RunSpec)
    body: Any = None
    telemetry: Telemetry | None = None
    held: ExitStack = field(default_factory=ExitStack)


async def prepare(
    route: BoundRoute,
    endpoint: str,
    request: StreamRequest,
    tasks: RunTasks,
    telemetry: Telemetry | None = None,
) -> Prepared | Document:
    """Read what the client asks for.

    Args:
        route: What it asks.
        endpoint: Where below the route.
        request: The request.
        tasks: Keeps the tasks alive that hold what is open until the run has ended.
        telemetry: For the run.

    Raises:
        StreamError: It is not what the route takes.
        ClientDisconnect: The client left.
    """
    limits = route.limits
    query = read_query(
        request,
        limits,
        configurable=route.configurable,
        narrows=LangChainEvent in route.format_class.wants,
    )
    body = query.input if request.method == "GET" else await read_body(request)
    format = route.format_class()
    call = format.parse(
        FormatRequest(
            endpoint=endpoint,
            body=body,
            params=request.path_params,
            models=tuple(route.runnables),
            configurable=route.configurable,
        )
    )
    if isinstance(call, Document) and call.schema is None:
        return call
    request.data = body
    if not isinstance(call, Document):
        request.call = call = _heard(route, call)
    with ExitStack() as held:
        try:
            async with asyncio.timeout(limits.run):
                model = getattr(call, "model", None)
                runnable = await route.resolve(request, model, held, tasks)
                if isinstance(call, Document):
                    if call.schema == "input":
                        return Document(route.input_of(runnable).schema.json_schema())
                    return Document(schema_of(runnable, str(call.schema)))
                prepared = await _prepared(route, request, format, query, call, runnable)
        except TimeoutError:
            raise RunTimeout from None
        return replace(prepared, body=body, telemetry=telemetry, held=held.pop_all())


async def _prepared(
    route: BoundRoute,
    request: StreamRequest,
    format: Format,
    query: Query,
    call: RunSpec,
    runnable: Any,
) -> Prepared:
    limits, takes = route.limits, route.input_of(runnable)
    configurable = takes.configurable.check(query.configurable)
    configurable |= _allowed(route, call.configurable)
    if call.thread is not None and "thread_id" in route.configurable:
        configurable.setdefault("thread_id", call.thread)
    config, context = await route.config_for(request, configurable)
    stream = {**route.astream_kwargs, **call.stream}
    if context is not None and not takes.takes_context:
        raise TypeError(
            f"configure of route {route.path!r} returned a context,"
            f" and {kind_of(runnable)} takes none"
        )
    # What the server sets is over what the client may set.
    of_route = route.astream_kwargs.get("context")
    context = merged_context(call.stream.get("context"), of_route, context)
    if context is not None:
        stream["context"] = context
    check_count("tools", call.tools or (), "tools", limits.tools)
    with_tools = equipped(runnable, takes, call)
    _log_dropped_tools(route, with_tools, call)
    asked = RunRequest(
        config=config,
        input=await _input(route, takes, call, with_tools.state),
        stream=stream,
        filter=route.filter or EventFilter(),
        client_tools=with_tools.names,
    )
    runnable = with_tools.runnable
    if call.response_format is not None:
        runnable = with_response_format(runnable, call.response_format)
    gathered = call.gathered
    return Prepared(
        many(runnable, limits.batch_concurrency, call.max_concurrency) if call.many else runnable,
        asked,
        format,
        tuple(each for each in (route.filter, query.filter, call.filter) if each is not None),
        wants_json(accept_of(request), format.media_type) if gathered is None else gathered,
        call,
    )


def _heard(route: BoundRoute, call: RunSpec) -> RunSpec:
    """What of a call reaches the route; the log says once what does not."""
    for kind in sorted(call.dropped):
        if route.is_first(kind):
            logger.warning("route %s: %s of its clients are left out", route.path, kind)
    if route.takes_system_messages(call):
        return call
    given = call.input
    heard = replace(
        call,
        messages=None if call.messages is None else without_system(call.messages),
        state=without_system(call.state),
        input=[without_system(each) for each in given] if call.many else without_system(given),
    )
    if heard != call and route.is_first("system messages"):
        logger.warning(
            "route %s: system messages of its clients are left out;"
            " system_messages=True on the route takes them",
            route.path,
        )
    return heard


async def _input(
    route: BoundRoute, takes: RunnableInput, call: RunSpec, state: Mapping[str, Any]
) -> Any:
    schema, limits = takes.schema, route.limits
    given = call.input
    if call.messages is not None:
        check_count("messages", call.messages, "messages", limits.messages)
        check_files("messages", (each.get("content") for each in call.messages), limits.files)
        check_inline(call.messages, limits.inline)
        conversation = takes.conversation
        if isinstance(conversation, Ambiguous):
            raise InvalidInput("This route takes no conversation.")
        if route.conversation is not None:
            return await call_hook(conversation.input_for, call.messages, state, call)
        given = conversation.input_for(call.messages, state, call)
    if not call.many:
        return _checked(route, call, schema.check(given, limits))
    check_count("inputs", given, "batch", limits.batch)
    checked = []
    for each in given:
        checked.append(_checked(route, call, schema.check(each, limits)))
        await asyncio.sleep(0)
    return checked


def _log_dropped_tools(route: BoundRoute, equipment: Equipped, call: RunSpec) -> None:
    if equipment.dropped and route.is_first(f"tools {call.model or ''}"):
        logger.warning(
            "route %s: %s cannot take the tools of its clients (%s) and runs without them; a chat"
            " model can, and a graph whose input has the field tools, copilotkit or ag-ui",
            route.path,
            equipment.runnable.get_name(),
            listed(sorted(equipment.dropped)),
        )


def _checked(route: BoundRoute, call: RunSpec, made: Any) -> Any:
    if not route.takes_system_messages(call) and has_system_message(made):
        raise refused("input", "this route takes no system messages")
    return made


def _allowed(route: BoundRoute, given: Mapping[str, Any]) -> dict[str, Any]:
    for key in given:
        if key not in route.configurable:
            what = "this route does not take it"
            raise InvalidInput(f"configurable.{key}: {what}", fields={f"configurable.{key}": what})
    return dict(given)
