"""From a request to a run that can begin: what the client asks for, as its route allows it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from .._importer import kind_of
from .._langchain.client_tools import Equipped, equipped
from .._langchain.graphs import merged_context
from .._langchain.plan import RunnablePlan, plan_of
from .._langchain.run_request import RunRequest
from .._langchain.runnable_schema import schema_of
from .._langchain.runnables import many, with_response_format
from .._langchain.served_runnable import ServedRunnable
from .._langchain.system_messages import without_system
from .._langchain.tasks import RunTasks
from .._logs import logger
from .._routing.bound import BoundRoute
from ..errors import InvalidInput, RunTimeout
from ..errors.text import listed
from ..filters import EventFilter
from ..formats import Document, Format, RunSpec
from ..formats._content import check_count
from ..requests import StreamRequest
from .accept import accept_of, wants_json
from .parse import parse
from .run_input import new_state, run_input
from .turn import THREAD_ID, turn_of

if TYPE_CHECKING:
    from ..telemetry import Telemetry


async def prepare(
    route: BoundRoute,
    endpoint: str,
    request: StreamRequest,
    tasks: RunTasks,
    telemetry: Telemetry | None = None,
) -> RunRequest | Document:
    """Return the run that a request asks for, or a document that needs no run.

    Args:
        route: The route.
        endpoint: The endpoint of the route that was requested.
        request: The request.
        tasks: Keeps tasks alive that hold resources until the run has ended.
        telemetry: Records the run.

    Raises:
        StreamError: The request is not valid for this route.
        ClientDisconnect: The client left.
    """
    format, spec, configurable, client_filter = await parse(route, endpoint, request)
    if isinstance(spec, Document) and spec.schema is None:
        return spec
    if not isinstance(spec, Document):
        spec = replace(spec, owner=request.owner, body=request.data)
        request.call = spec = _permitted(route, spec)
    with ExitStack() as held:
        try:
            async with asyncio.timeout(route.limits.run):
                model = getattr(spec, "model", None)
                served = route.served(await route.resolve(request, model, held, tasks))
                if isinstance(spec, Document):
                    return _schema_document(served, str(spec.schema))
                run = await _run(route, served, request, format, spec, configurable, held, tasks)
        except TimeoutError:
            raise RunTimeout from None
        filters = (route.filter, client_filter, spec.filter)
        own = tuple(each for each in filters if each is not None)
        return replace(run, filters=own, telemetry=telemetry, held=held.pop_all())


async def _run(
    route: BoundRoute,
    served: ServedRunnable,
    request: StreamRequest,
    format: Format,
    spec: RunSpec,
    configurable: Mapping[str, str],
    held: ExitStack,
    tasks: RunTasks,
) -> RunRequest:
    config, kwargs = await _config(route, served, request, spec, configurable)
    equipment = _equip(route, served, spec)

    async def make_input(spec: RunSpec, values: Any = None) -> Any:
        state = new_state(served, spec.state, equipment.state, values)
        return await run_input(route, served, spec, state)

    run_id, policy, turn, input = uuid4(), route.thread_policy, None, None
    if policy is None:
        input = await make_input(spec)
    else:
        configurable = config.get("configurable") or {}
        about = policy, served, request, spec, run_id
        turn = turn_of(route, *about, configurable, make_input, held, tasks)
        await turn.begin()
    as_json = wants_json(accept_of(request), format.media_type)
    run = RunRequest(
        plan=_plan(route, served, equipment, spec),
        input=input,
        turn=turn,
        run_id=run_id,
        format=format,
        spec=spec,
        config=config,
        astream_kwargs=kwargs,
        filter=route.filter or EventFilter(),
        client_tools=equipment.names,
        gathered=as_json if spec.gathered is None else spec.gathered,
    )
    return run if turn is None or turn.start is None else run.started(turn.start)


def _schema_document(served: ServedRunnable, part: str) -> Document:
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
    configurable = served.configurable.check(from_query) | _allowed(route, spec.configurable)
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
    equipment = equipped(served, spec)
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
        runnable = with_response_format(runnable, spec.response_format)
    if spec.many:
        runnable = many(runnable, route.limits.batch_concurrency, spec.max_concurrency)
    return served.plan if runnable is served.runnable else plan_of(runnable)


def _permitted(route: BoundRoute, spec: RunSpec) -> RunSpec:
    """Return what reaches the Runnable of a request; the log says once what does not."""
    for kind in sorted(spec.dropped):
        if route.is_first(kind):
            logger.warning("route %s: dropped %s sent by clients", route.path, kind)
    if route.takes_system_messages(spec):
        return spec
    value = spec.input
    permitted = replace(
        spec,
        messages=None if spec.messages is None else without_system(spec.messages),
        state=without_system(spec.state),
        input=[without_system(each) for each in value] if spec.many else without_system(value),
    )
    if permitted != spec and route.is_first("system messages"):
        logger.warning(
            "route %s: dropped system messages sent by clients;"
            " system_messages=True on the route accepts them",
            route.path,
        )
    return permitted


def _allowed(route: BoundRoute, configurable: Mapping[str, Any]) -> dict[str, Any]:
    for key in configurable:
        if key not in route.configurable:
            raise InvalidInput.at(f"configurable.{key}", "this route does not accept it")
    return dict(configurable)
