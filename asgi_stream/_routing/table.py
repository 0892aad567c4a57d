"""Which route serves a request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from starlette.routing import compile_path
from starlette.types import Scope

from ..errors import MethodNotAllowed, NotFound, TableError
from ..routes import StreamRoute
from ..stores import EventStore

Found = tuple[StreamRoute, str]

TITLE = "asgi_stream"
"""What an app is called that says nothing else."""


class Table:
    """Routes by path and method, the first that fits.

    Args:
        routes: The routes.
        defaults: Options for those that do not give them themselves.
        title: The app's, which its keys on a Redis are named after.

    Raises:
        TableError: Two routes claim one path and method, or something else is not a route.
    """

    def __init__(
        self, routes: Iterable[StreamRoute], defaults: Mapping[str, Any], title: str = TITLE
    ) -> None:
        self._paths: list[tuple[re.Pattern[str], Any, dict[str, Found]]] = []
        self._by_pattern: dict[str, dict[str, Found]] = {}
        self.routes: list[StreamRoute] = []
        self.stores: list[EventStore] = []
        prefix, opened = TITLE if title == TITLE else f"{TITLE}:{title}", dict[str, EventStore]()
        for given in routes:
            if not isinstance(given, StreamRoute):
                raise TableError(f"expected a StreamRoute in the table, not {given!r}")
            route = given.with_defaults(defaults)
            if route.kept is not None:
                route = route.keeping(route.kept.within(prefix, opened))
            self.routes.append(route)
        self.add(self.routes)

    def add(self, routes: Iterable[StreamRoute], *, first: bool = False) -> None:
        """Serve these too, `first` in front of all that are there.

        Raises:
            TableError: Two routes claim one path and method.
        """
        by_pattern, problems = self._by_pattern, []
        for route in routes:
            if route.kept and route.kept.opened not in self.stores:
                self.stores.append(route.kept.opened)
            for method, endpoint in route.endpoints:
                path = route.path.rstrip("/") + endpoint
                pattern, _, convertors = compile_path(path or "/")
                if pattern.pattern not in by_pattern:
                    by_pattern[pattern.pattern] = {}
                    at = 0 if first else len(self._paths)
                    self._paths.insert(at, (pattern, convertors, by_pattern[pattern.pattern]))
                methods = by_pattern[pattern.pattern]
                if method in methods:
                    problems.append(
                        f"route {route.path!r}: a route for {method} at {path!r} is there already"
                    )
                methods[method] = route, endpoint
                if method == "GET" and (method, endpoint) not in route.format_class.runs:
                    methods["HEAD"] = route, endpoint
        if problems:
            raise TableError(*problems)

    def find(self, scope: Scope) -> Found:
        """The route for an HTTP scope, and which of its endpoints that is.

        The parameters in its path go into ``scope["path_params"]``.

        A trailing slash makes no difference, and nothing is ever redirected: under Litestar a
        mounted app cannot know the path that its client sees.

        Raises:
            NotFound: No route has this path.
            MethodNotAllowed: None at this path has this method; ``Allow`` says which have.
        """
        path = own_path(scope)
        allowed: set[str] = set()
        for pattern, convertors, methods in self._paths:
            match = pattern.fullmatch(path)
            if match is None:
                continue
            found = methods.get(scope["method"])
            if found is not None:
                try:
                    parts = match.groupdict().items()
                    given = {name: convertors[name].convert(part) for name, part in parts}
                except ValueError:  # a number with more digits than Python reads
                    continue
                scope["path_params"] = {**scope.get("path_params", {}), **given}
                return found
            allowed |= methods.keys()
        if allowed:
            raise MethodNotAllowed.of(scope["method"], sorted(allowed | {"OPTIONS"}))
        raise NotFound


def own_path(scope: Scope) -> str:
    """The path below where the app is mounted, which some hosts leave in front of it."""
    return split_path(scope)[1]


def split_path(scope: Scope) -> tuple[str, str]:
    """Where the app is mounted, as far as the host says so in the path, and the path below that."""
    path: str = scope["path"]
    root = scope.get("root_path", "").rstrip("/")
    if not root or not (path == root or path.startswith(root + "/")):
        root = ""
    return root, path[len(root) :].rstrip("/") or "/"
