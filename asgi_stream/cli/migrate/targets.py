"""The apps that LangServe calls belong to, and the prefixes of their routes."""

from __future__ import annotations

import ast
from collections.abc import Set
from dataclasses import dataclass, replace

from .source import LOGIN, LangServeSource, Scope, ServedCall


@dataclass(frozen=True, slots=True)
class Target:
    """Where the routes of a call are mounted.

    Attributes:
        app: The app, as in the source.
        prefix: The paths of the routers in between, from the outermost.
        created: Whether the app, or the router, is created where the call is.
        is_router: Whether it is a router of which the app cannot be read.
        dependencies: The options of the app and its routers that may refuse a request.
        is_known: Whether these are all.
    """

    app: str
    prefix: tuple[ast.expr, ...] = ()
    created: bool = False
    is_router: bool = False
    dependencies: tuple[ast.expr, ...] = ()
    is_known: bool = True


def target_of(source: LangServeSource, call: ServedCall) -> Target:
    """Return where the routes of a call are mounted."""
    return _target(source, call.place.scope, ast.unparse(call.app), set())


def _target(source: LangServeSource, scope: Scope, app: str, visited: Set[str]) -> Target:
    created = source.creation(scope, app)
    kind = None if created is None else source.fastapi.get(ast.unparse(created.func))
    if created is None or kind not in ("FastAPI", "APIRouter"):
        return Target(app, is_known=False)
    options = _keywords(created)
    own = Target(
        app,
        _of(options, "prefix"),
        kind == "APIRouter" or (scope, app) in source.created,
        kind == "APIRouter",
        _of(options, *LOGIN),
        kind == "FastAPI",
    )
    return own if own.is_known else _included(source, scope, own, {*visited, app})


def _included(source: LangServeSource, scope: Scope, router: Target, visited: Set[str]) -> Target:
    """Return the app that includes a router, or the router if that cannot be read."""
    include = source.include(scope, router.app)
    if include is None or (parent := ast.unparse(include.func.value)) in visited:  # type: ignore[attr-defined]
        return router
    target = _target(source, scope, parent, visited)
    if not target.created:
        return router
    options = _keywords(include)
    return replace(
        target,
        prefix=(*target.prefix, *_of(options, "prefix"), *router.prefix),
        dependencies=(*target.dependencies, *_of(options, *LOGIN), *router.dependencies),
    )


def _keywords(call: ast.Call) -> dict[str, ast.expr]:
    return {each.arg: each.value for each in call.keywords if each.arg}


def _of(options: dict[str, ast.expr], *names: str) -> tuple[ast.expr, ...]:
    return tuple(options[name] for name in names if name in options)
