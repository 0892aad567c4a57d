"""The page for trying a table's routes, and what it needs to know about them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .._routing.bound import BoundRoute
from ..events import LangChainEvent
from ..openapi.schemas import configurable_of, input_of
from ..routes import OPTIONS, StreamRoute

__all__ = ["ROOT", "described", "traces"]

ROOT = "/playground"


def traces(routes: Sequence[BoundRoute]) -> list[StreamRoute]:
    """Return routes that stream each step of what `routes` run, for the page to show.

    A route whose own frames show its steps, or whose clients need endpoints of their own, has none.
    A trace takes the input that its route takes, and has its filter.
    """
    return [trace for n, route in enumerate(routes) if (trace := _trace(n, route)) is not None]


def described(routes: Iterable[BoundRoute], *, title: str) -> dict[str, Any]:
    """Return the table as the page reads it."""
    return {"title": title, "routes": [_described(n, route) for n, route in enumerate(routes)]}


def _described(n: int, route: BoundRoute) -> dict[str, Any]:
    names = list(route.runnables)
    trace = _trace(n, route)
    return {
        "path": route.path,
        "format": route.format,
        "methods": [method for method, endpoint in route.endpoints if not endpoint],
        "models": names,
        "inputs": {name: input_of(route, name) for name in names},
        "configurable": configurable_of(route),
        "resumable": route.resume_policy is not None,
        "converses": route.format_class.converses,
        "answer": list(route.answer),
        "trace": trace.path if trace else None,
    }


def _trace(n: int, route: BoundRoute) -> StreamRoute | None:
    kind = route.format_class
    if kind.endpoints or LangChainEvent in kind.wants:
        return None
    options = {name: value for name, value in route.options.items() if not OPTIONS[name].of_format}
    path = f"{ROOT}/trace/{n}{route.path}"
    options[StreamRoute.format.name] = "events"
    return StreamRoute(path, route.route.runnable, options=options)
