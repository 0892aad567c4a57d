"""Checks that a route permits what a client asks for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from .._langchain.system_messages import without_system
from .._logs import logger
from .._routing.bound import BoundRoute
from ..formats import RunSpec, StoredRun
from ..requests import StreamRequest
from .parse import Parsed

Recaller = Callable[[Sequence[str]], Awaitable[Mapping[str, StoredRun]]]
"""Returns those of these runs that the caller has."""


async def apply_permissions(
    route: BoundRoute, request: StreamRequest, parsed: Parsed, recall: Recaller | None
) -> Parsed:
    """Return what a client asks for, with what it repeats of earlier runs, as the route permits."""
    spec: Any = parsed.spec
    if spec.recall is not None and recall is not None:
        spec = spec.recall.complete(spec, await recall(spec.recall.run_ids))
    request.call = spec = _permitted(route, request, spec)
    return parsed._replace(spec=spec)


def _permitted(route: BoundRoute, request: StreamRequest, spec: RunSpec) -> RunSpec:
    """Return what reaches the Runnable of a request; the log says once what does not."""
    spec = replace(spec, owner=request.owner, body=request.data)
    for kind in sorted(spec.dropped):
        if route.is_first(kind):
            logger.warning("route %s: dropped %s sent by clients", route.path, kind)
    if route.takes_system_messages(spec):
        return spec
    value = spec.input
    allowed = replace(
        spec,
        messages=None if spec.messages is None else without_system(spec.messages),
        state=without_system(spec.state),
        input=[without_system(each) for each in value] if spec.many else without_system(value),
    )
    if allowed != spec and route.is_first("system messages"):
        logger.warning(
            "route %s: dropped system messages sent by clients;"
            " system_messages=True on the route accepts them",
            route.path,
        )
    return allowed
