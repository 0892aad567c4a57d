"""From a request to a run that can begin: what the client asks for, as its route allows it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from .._importer import kind_of
from .._langchain.client_tools import Equipped, with_client_tools
from .._langchain.graph_documents import graph_document
from .._langchain.graphs import merged_context
from .._langchain.plan import RunnablePlan, plan_of
from .._langchain.run_request import RunRequest
from .._langchain.runnables import batched, with_response_format
from .._langchain.schemas.runnable import schema_of
from .._langchain.served_runnable import ServedRunnable
from .._langchain.tasks import RunTasks
from .._limit_checks import check_count
from .._logs import logger
from .._routing.bound import BoundRoute
from ..errors import InvalidInput, RunTimeout
from ..errors.text import listed
from ..filters import EventFilter
from ..formats import Document, Format, RunSpec
from ..requests import StreamRequest
from ..threads import THREAD_ID
from .accept import accept_of, wants_json
from .parse import Parsed, parse
from .permissions import Recaller, apply_permissions
from .run_input import new_state, run_input
from .tools import route_tools
from .turn import turn_of

if TYPE_CHECKING:
    from ..telemetry import Telemetry


async def prepare(
    route: BoundRoute,
    endpoint: str,
    request: StreamRequest,
    tasks: RunTasks,
    count: Callable[[], object] | None = None,
    telemetry: Telemetry | None = None,
    run_id: UUID | None = None,
    recall: Recaller | None = None,
) -> RunRequest | Document:
    """Return the run that a request asks for, or a document that needs no run.

    Args:
        route: The route.
        endpoint: The endpoint of it that was requested.
        request: The request.
        tasks: Keeps tasks alive that hold resources until the run has ended.
        count: Counts the run, or refuses it, before anything is opened for it; None: it is counted.
        telemetry: Records the run.
        run_id: Its id, if another worker has begun it.
        recall: Finds earlier runs of the caller's.

    Raises:
        StreamError: The request is not valid for this route, or there are too many.
        ClientDisconnect: The client left.
    """
    parsed = await parse(route, endpoint, request)
    if isinstance(parsed.spec, RunSpec):
        if count is not None:
            count()
        parsed = await apply_permissions(route, request, parsed, recall)
    with ExitStack() as held:
        try:
            async with asyncio.timeout(route.limits.run):
                run = await _resolved(route, request, parsed, run_id or uuid4(), held, tasks)
        except TimeoutError:
            raise RunTimeout from None
        if isinstance(run, RunRequest):
            run = replace(run, telemetry=telemetry, held=held.pop_all())
        return run


async def _resolved(
    route: BoundRoute,
    request: StreamRequest,
    parsed: Parsed,
    run_id: UUID,
    held: ExitStack,
    tasks: RunTasks,
) -> RunRequest | Document:
    spec = parsed.spec
    if isinstance(spec, Document) and not (spec.schema or spec.graph or spec.tools):
        return spec
    if isinstance(spec, Document) and spec.tools is not None:
        return replace(spec, body=spec.tools(await route_tools(route, request, held, tasks)))
    served = route.served(await route.resolve(request, spec.model, held, tasks))
    if isinstance(spec, Document):
        return await _document(served, spec)
    return await _run(route, served, request, parsed, spec, run_id, held, tasks)


async def _run(
    route: BoundRoute,
    served: ServedRunnable,
    request: StreamRequest,
    parsed: Parsed,
    spec: RunSpec,
    run_id: UUID,
    held: ExitStack,
    tasks: RunTasks,
) -> RunRequest:
    config, kwargs = await _config(route, served, request, spec, parsed.configurable)
    equipment = _equip(route, served, spec)

    async def make_input(spec: RunSpec, changes: Any = None) -> Any:
        state = new_state(served, spec.state, equipment.state, changes)
        return await run_input(route, served, spec, state)

    policy, turn, input = route.thread_policy, None, None
    if policy is None:
        input = await make_input(spec)
    else:
        about = policy, served, request, spec, run_id, config.get("configurable") or {}
        turn = turn_of(route, *about, make_input, held, tasks)
        await turn.begin()
    run = RunRequest(
        plan=_plan(route, served, equipment, spec),
        input=input,
        turn=turn,
        run_id=run_id,
        format=parsed.format,
        spec=spec,
        config=config,
        astream_kwargs=kwargs,
        filter=route.filter or EventFilter(),
        filters=tuple(filter(None, (route.filter, parsed.filter, spec.filter))),
        client_keys=frozenset({*parsed.configurable, *spec.configurable}),
        client_tools=equipment.names,
        gathered=is_gathered(request, parsed.format, spec),
    )
    return run if turn is None or turn.start is None else run.started(turn.start)


def is_gathered(request: StreamRequest, format: Format, spec: RunSpec) -> bool:
    """Return whether the response is one JSON document."""
    if spec.gathered is not None:
        return spec.gathered
    return wants_json(accept_of(request), format.media_type)


def is_stored(request: StreamRequest, format: Format, spec: RunSpec) -> bool:
    """Return whether a resumable route stores the run."""
    return not is_gathered(request, format, spec) if spec.stored is None else spec.stored


async def _document(served: ServedRunnable, document: Document) -> Document:
    """Return what a document has of a Runnable."""
    if document.graph is not None:
        # In a thread, because pydantic takes its time.
        return Document(await asyncio.to_thread(graph_document, served, document.graph))
    part = str(document.schema)
    schema = served.schema.json_schema() if part == "input" else schema_of(served.runnable, part)
    return Document(schema)


async def _config(
    route: BoundRoute,
    served: ServedRunnable,
    request: StreamRequest,
    spec: RunSpec,
    from_query: Mapping[str, str],
) -> tuple[Mapping[str, Any], dict[str, Any]]:
    """Return the config and the keyword arguments of ``astream``."""
    by_client = {**from_query, **_allowed(route, spec.configurable)}
    configurable = served.configurable.check(by_client)
    if spec.thread is not None and THREAD_ID in route.configurable:
        configurable.setdefault(THREAD_ID, spec.thread)
    config, context = await route.config_for(request, configurable)
    if context is not None and not served.takes_context:
        raise TypeError(
            f"configure of route {route.path!r} returned a context,"
            f" and {kind_of(served.runnable)} takes none"
        )
    kwargs = {**route.astream_kwargs, **spec.astream_kwargs}
    # The server's values override the client's.
    of_route = route.astream_kwargs.get("context")
    context = merged_context(spec.astream_kwargs.get("context"), of_route, context)
    if context is not None:
        kwargs["context"] = context
    return config, kwargs


def _equip(route: BoundRoute, served: ServedRunnable, spec: RunSpec) -> Equipped:
    """Return the Runnable with the client's tools; what it cannot take is logged once."""
    check_count("tools", spec.tools or (), "tools", route.limits.tools)
    equipment = with_client_tools(served, spec)
    if equipment.dropped and route.is_first(f"tools {spec.model or ''}"):
        logger.warning(
            "route %s: %s does not support client tools (%s) and runs without them; a chat"
            " model can, and a graph whose input has the field tools, copilotkit or ag-ui",
            route.path,
            served.runnable.get_name(),
            listed(sorted(equipment.dropped)),
        )
    return equipment


def _plan(
    route: BoundRoute, served: ServedRunnable, equipment: Equipped, spec: RunSpec
) -> RunnablePlan:
    runnable = equipment.runnable
    if spec.response_format is not None:
        runnable = with_response_format(runnable, spec.response_format, spec.response_format_path)
    if spec.many:
        runnable = batched(runnable, route.limits.batch_concurrency, spec.max_concurrency)
    return served.plan if runnable is served.runnable else plan_of(runnable)


def _allowed(route: BoundRoute, configurable: Mapping[str, Any]) -> dict[str, Any]:
    for key in configurable:
        if key not in route.configurable:
            raise InvalidInput.at(f"configurable.{key}", "this route does not accept it")
    return dict(configurable)
