"""The page for trying a table's routes, and what it needs to know about them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from .._routing.bound import BoundRoute
from ..events import LangChainEvent
from ..openapi.schemas import configurable_of, input_of
from ..routes import OPTIONS, StreamRoute

__all__ = ["ROOT", "described", "traces"]

ROOT = "/playground"

WORD = re.compile(r"[\w.:-]+", re.ASCII)


def traces(routes: Sequence[BoundRoute]) -> list[StreamRoute]:
    """Return routes that stream each step of what `routes` run, for the page to show.

    A trace takes the input that its route takes, and has its filter; of a route with threads, it
    has the same threads. Without threads, a route whose own frames show its steps, or whose clients
    need endpoints of their own, has none.
    """
    return [trace for n, route in enumerate(routes) for trace in _traces(n, route).values()]


def described(routes: Iterable[BoundRoute], *, title: str) -> dict[str, Any]:
    """Return the table as the page reads it."""
    return {"title": title, "routes": [_described(n, route) for n, route in enumerate(routes)]}


def _described(n: int, route: BoundRoute) -> dict[str, Any]:
    names = list(route.runnables)
    return {
        "path": route.path,
        "format": route.format,
        "methods": [method for method, endpoint in route.endpoints if not endpoint],
        "models": names,
        "inputs": {name: input_of(route, name) for name in names},
        "configurable": configurable_of(route),
        "resumable": route.resume_policy is not None,
        "converses": route.format_class.converses,
        "threads": route.thread_policy is not None,
        "answer": list(route.answer),
        "traces": {name: trace.path for name, trace in _traces(n, route).items()},
    }


def _traces(n: int, route: BoundRoute) -> dict[str, StreamRoute]:
    """Return the traces of a route by the names of its Runnables."""
    kind, policy = route.format_class, route.thread_policy
    if policy is None and (kind.endpoints or LangChainEvent in kind.wants):
        return {}
    options = {name: value for name, value in route.options.items() if not OPTIONS[name].of_format}
    options[StreamRoute.format.name] = "events"
    if policy is not None:
        options[StreamRoute.threads.name] = policy.shared(route.path)
    return {
        name: StreamRoute(_path(n, m, route, name), runnable, options=options)
        for m, (name, runnable) in enumerate(route.runnables.items())
    }


def _path(n: int, m: int, route: BoundRoute, name: str) -> str:
    path = f"{ROOT}/trace/{n}{route.path}"
    if len(route.runnables) == 1:
        return path
    # The last part is the name of the trace's Runnable, which its threads are marked with.
    return f"{path.rstrip('/')}/{name if WORD.fullmatch(name) else m}"
