"""Which app a LangServe call's routes belong to, and with which prefix."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from .source import LangServeSource, Place, ServedCall


@dataclass(frozen=True, slots=True)
class Target:
    """Where the routes of a call are mounted.

    Attributes:
        app: The app, as in the source.
        prefix: The paths of the routers in between, from the outermost.
        created: Whether the app, or the router, is created where the call is.
        is_router: Whether it is a router that nothing here includes in an app.
        dependencies: FastAPI's dependencies of the app and its routers.
    """

    app: str
    prefix: tuple[ast.expr, ...]
    created: bool
    is_router: bool
    dependencies: tuple[ast.expr, ...]


def target_of(source: LangServeSource, call: ServedCall) -> Target:
    """Return where the routes of a call are mounted."""
    app = ast.unparse(call.app)
    prefix: tuple[ast.expr, ...] = ()
    dependencies: tuple[ast.expr, ...] = ()
    visited: set[str] = set()
    while True:
        visited.add(app)
        created = source.created.get((call.place.scope, app))
        kind = "" if created is None else ast.unparse(created.func).rpartition(".")[2]
        # An app of the module may be used in a function.
        known = created or source.created.get((source.tree, app))
        options = {} if known is None else _keywords(known)
        dependencies += _of(options, "dependencies")
        if kind != "APIRouter":
            return Target(app, prefix, kind == "FastAPI", False, dependencies)
        prefix = (*_of(options, "prefix"), *prefix)
        include = _include(source, call.place, app)
        if include is None or (parent := ast.unparse(include.func.value)) in visited:  # type: ignore[attr-defined]
            return Target(app, prefix, True, True, dependencies)
        options = _keywords(include)
        prefix = (*_of(options, "prefix"), *prefix)
        dependencies += _of(options, "dependencies")
        app = parent


def _include(source: LangServeSource, place: Place, router: str) -> ast.Call | None:
    """Return the call that includes a router, in the same scope."""
    for other, call in source.includes:
        if other.scope is place.scope and call.args and ast.unparse(call.args[0]) == router:
            return call
    return None


def _keywords(call: ast.Call) -> dict[str, ast.expr]:
    return {each.arg: each.value for each in call.keywords if each.arg}


def _of(options: dict[str, ast.expr], name: str) -> tuple[ast.expr, ...]:
    return (options[name],) if name in options else ()
