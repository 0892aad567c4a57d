"""The page on which a table's routes are tried, and what it has to know of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..events import LangChainEvent
from ..openapi.schemas import configurable_of, input_of
from ..routes import StreamRoute

ROOT = "/playground"
SAME = (
    *("config", "configure", "configurable", "stream", "limits", "errors", "authorize"),
    *("input", "filter", "resume", "inline_parser", "debug"),
)
"""The options that a trace has of its route."""


def traces(routes: Sequence[StreamRoute]) -> list[StreamRoute]:
    """Routes that tell of each step of what `routes` run, for the page to show.

    A route whose own frames tell of its steps, or whose clients need endpoints of their own, has
    none. A trace takes what its route takes, and is filtered as that is.
    """
    return [trace for n, route in enumerate(routes) if (trace := _trace(n, route)) is not None]


def described(routes: Iterable[StreamRoute], *, title: str) -> dict[str, Any]:
    """The table as the page reads it."""
    return {"title": title, "routes": [_told(n, route) for n, route in enumerate(routes)]}


def _told(n: int, route: StreamRoute) -> dict[str, Any]:
    names = list(route.runnables)
    trace = _trace(n, route)
    return {
        "path": route.path,
        "format": route.format,
        "methods": [method for method, endpoint in route.endpoints if not endpoint],
        "models": names,
        "inputs": {name: input_of(route, name) for name in names},
        "configurable": configurable_of(route),
        "resumable": route.kept is not None,
        "converses": route.format_class.converses,
        "answer": list(route.answer),
        "trace": trace.path if trace else None,
    }


def _trace(n: int, route: StreamRoute) -> StreamRoute | None:
    kind = route.format_class
    if kind.endpoints or LangChainEvent in kind.wants:
        return None
    given = {name: getattr(route, name) for name in SAME if route.gives(name)}
    path = f"{ROOT}/trace/{n}{route.path}"
    return StreamRoute(path, route.runnable, format="events", **given)
