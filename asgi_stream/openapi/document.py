"""The OpenAPI document of a route table (https://spec.openapis.org/oas/v3.1.1)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from .._routing.bound import BoundRoute
from .._routing.table import Table
from ..routes import StreamRoute
from .components import Components
from .operations import Operation
from .path_parameters import path_parameter
from .schemas import Schema, input_of, output_of

__all__ = ["add_to_openapi", "document"]

VERSION = "3.1.1"
TITLE = "asgi_stream"


def document(routes: Iterable[StreamRoute | BoundRoute], *, title: str = TITLE) -> dict[str, Any]:
    """Return the OpenAPI document of a route table.

    Args:
        routes: The routes.
        title: The title of the document.

    Returns:
        The document: ``paths`` with the endpoints of each route, the frames of its format and the
        errors it may respond with, and ``components``.

    Example:
        >>> document([StreamRoute("/chat", chain)])["paths"].keys()
        dict_keys(['/chat'])
    """
    components = Components()
    return {
        "openapi": VERSION,
        "info": {"title": title, "version": "1"},
        "servers": [{"url": "."}],
        "paths": _paths(_bound(routes), "", components),
        "components": {"schemas": components.schemas},
    }


def add_to_openapi(app: Any) -> None:
    """Add the routes of every `StreamApp` mounted in a FastAPI app to that app's own document.

    Args:
        app: The ``FastAPI`` instance. Call this after mounting.

    Example:
        >>> app = FastAPI()
        >>> app.mount("/ai", StreamApp(routes=[StreamRoute("/chat", chain)]))
        >>> add_to_openapi(app)
    """
    own: Callable[[], dict[str, Any]] = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema:
            cached: dict[str, Any] = app.openapi_schema
            return cached
        result = own()
        schemas = result.setdefault("components", {}).setdefault("schemas", {})
        components = Components(taken=schemas)
        for prefix, routes in _mounted(app.routes, ""):
            result["paths"] = {**_paths(routes, prefix, components), **result.get("paths", {})}
        schemas |= components.schemas
        app.openapi_schema = result
        return result

    app.openapi = openapi


def _bound(routes: Iterable[StreamRoute | BoundRoute]) -> list[BoundRoute]:
    return [
        route if isinstance(route, BoundRoute) else Table([route], {}).routes[0] for route in routes
    ]


def _paths(routes: Iterable[BoundRoute], prefix: str, components: Components) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    ids: Counter[str] = Counter()
    for route in routes:
        schemas = _route_schemas(route)
        for method, endpoint in route.endpoints:
            full = prefix + route.path.rstrip("/") + endpoint
            path = path_parameter.sub(r"{\1}", full) or "/"
            operations = paths.setdefault(path, {})
            if method.lower() in operations:
                continue  # two paths that differ only in a convertor: the first wins
            name = re.sub(r"\W+", "_", f"{method} {path}").strip("_").lower()
            ids[name] += 1
            number = f"_{ids[name]}" if ids[name] > 1 else ""
            operation = Operation(route, method, endpoint, schemas, components).describe()
            operations[method.lower()] = {"operationId": name + number, **operation}
    return paths


def _route_schemas(route: BoundRoute) -> dict[str, Schema]:
    """Return what a format's schemas may refer to as the route's own."""
    names = list(route.runnables)
    inputs = [input_of(route, name) for name in names]
    outputs = [output_of(route, name) for name in names]
    return {
        "Input": inputs[0] if len(inputs) == 1 else {"anyOf": inputs},
        "Output": outputs[0] if len(outputs) == 1 else {"anyOf": outputs},
        "Model": {"enum": names},
    }


def _mounted(routes: Iterable[Any], prefix: str) -> Iterator[tuple[str, Sequence[BoundRoute]]]:
    """Find the tables of the apps that are mounted, at any depth, and their paths."""
    for route in routes:
        path = prefix + getattr(route, "path", "")
        table = getattr(getattr(route, "app", None), "table", None)
        if isinstance(table, tuple) and all(isinstance(bound, BoundRoute) for bound in table):
            yield path, table
        else:
            yield from _mounted(getattr(route, "routes", None) or (), path)
