"""The route table: finds the route that serves a request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from starlette.routing import compile_path
from starlette.types import Scope

from .._options import renamed, unknown
from ..errors import MethodNotAllowed, NotFound, NotOffered, StreamError, TableError
from ..routes import OPTIONS, RENAMED, AppOnlyOptions, StreamRoute
from ..stores import EventStore, ThreadStore
from .bound import BoundRoute
from .claim_places import ClaimPlaces
from .validation import RouteValidation

Match = tuple[BoundRoute, str]

SLASH = "\udc2f"
"""Stands for a slash within a segment of a path; no decoded path has it."""

TITLE = "asgi_stream"
"""The title of an app that sets none."""


class Table:
    """Routes by path and method; the first that matches serves a request.

    Args:
        routes: The routes.
        defaults: Options for those that do not set them themselves.
        title: The app's title, which the keys on a Redis begin with.

    Attributes:
        routes: The routes with their defaults.
        stores: The stores of their runs and threads.

    Raises:
        TableError: Everything that is wrong with the routes and the defaults.
    """

    def __init__(
        self,
        routes: Iterable[StreamRoute | BoundRoute],
        defaults: Mapping[str, Any],
        title: str = TITLE,
    ) -> None:
        defaults = renamed(defaults, RENAMED)
        self._paths: list[tuple[re.Pattern[str], Any, dict[str, Match]]] = []
        self._ids: list[tuple[re.Pattern[str], Any, dict[str, Match]]] = []
        """The endpoints whose path begins with an id, directly below the path of their route."""
        self._refused: list[tuple[re.Pattern[str], str, str]] = []
        """Paths and methods of what no route serves, and why."""
        self._by_pattern: dict[str, dict[str, Match]] = {}
        self._prefix = TITLE if title == TITLE else f"{TITLE}:{title}"
        self._opened: dict[str, EventStore] = {}
        self._opened_threads: dict[str, ThreadStore] = {}
        self.stores: list[EventStore | ThreadStore] = []
        self._places = ClaimPlaces()
        if problems := unknown(defaults, (*AppOnlyOptions.__annotations__, *OPTIONS)):
            raise TableError(*problems)
        self.routes = self.add(routes, defaults)

    def add(
        self,
        routes: Iterable[StreamRoute | BoundRoute],
        defaults: Mapping[str, Any],
        *,
        first: bool = False,
    ) -> list[BoundRoute]:
        """Bind `routes` to `defaults` and serve them too, `first` before all others.

        Raises:
            TableError: Everything that is wrong with them.
        """
        problems: list[str] = []
        cause: BaseException | None = None
        added: list[BoundRoute] = []
        for route in routes:
            if isinstance(route, BoundRoute):
                route = route.route
            if not isinstance(route, StreamRoute):
                problems.append(f"expected a StreamRoute in the table, not {route!r}")
                continue
            whole = route.with_defaults(defaults)
            validation = RouteValidation(whole, route)
            problems += validation.problems
            cause = cause or validation.cause
            if not validation.problems:
                bound = self._bound(whole, validation)
                problems += self._register(bound, first)
                added.append(bound)
        if problems:
            raise TableError(*problems) from cause
        return added

    def _bound(self, route: StreamRoute, validation: RouteValidation) -> BoundRoute:
        policy, threads = validation.resume_policy, validation.thread_policy
        if policy is not None:
            policy = policy.within(self._prefix, self._opened)
        if threads is not None:
            threads = threads.within(self._prefix, self._opened_threads)
        for each in (policy, threads):
            if each is not None and each.opened not in self.stores:
                self.stores.append(each.opened)
        return BoundRoute(route, validation, policy, threads, self._places)

    def _register(self, route: BoundRoute, first: bool) -> Iterator[str]:
        """Serve the endpoints of `route`; yield a sentence for each that another route serves."""
        for method, endpoint in route.endpoints:
            path = route.path.rstrip("/") + endpoint
            pattern, _, convertors = compile_path(path or "/")
            if pattern.pattern not in self._by_pattern:
                self._by_pattern[pattern.pattern] = {}
                paths = self._ids if endpoint.startswith("/{") else self._paths
                at = 0 if first else len(paths)
                paths.insert(at, (pattern, convertors, self._by_pattern[pattern.pattern]))
            methods = self._by_pattern[pattern.pattern]
            if method in methods:
                yield f"route {route.path!r}: another route serves {method} at {path!r}"
            methods[method] = route, endpoint
            kind = route.format_class
            if method == "GET" and (method, endpoint) not in {**kind.runs, **kind.threads}:
                methods["HEAD"] = route, endpoint
        for (method, endpoint), why in route.not_offered.items():
            pattern, *_ = compile_path(route.path.rstrip("/") + endpoint)
            self._refused.append((pattern, method, why))

    def find(self, scope: Scope, *, ids: bool = False) -> Match:
        """Return the route that serves an HTTP scope, and which of its endpoints.

        Args:
            scope: The scope.
            ids: Whether to look among the endpoints whose path begins with an id, which could be
                that of anything else: look there last.

        Sets ``scope["path_params"]``. A trailing slash makes no difference, and nothing is ever
        redirected: under Litestar a mounted app cannot know the path that its client sees.

        Raises:
            NotFound: No route has this path.
            NotOffered: No route has it, and a route says why.
            MethodNotAllowed: No route with this path has this method; ``Allow`` lists those that
                are served.
        """
        root, path = split_path(scope)
        path = _with_marks(scope, root, path)
        allowed: set[str] = set()
        for pattern, convertors, methods in self._ids if ids else self._paths:
            match = pattern.fullmatch(path)
            if match is None:
                continue
            served = methods.get(scope["method"])
            if served is not None:
                try:
                    parts = match.groupdict().items()
                    params = {name: convertors[name].convert(part) for name, part in parts}
                except ValueError:  # a number with more digits than Python reads
                    continue
                if SLASH in path:
                    params = {name: _without_marks(each) for name, each in params.items()}
                    # What is a segment here remains one for all that reads the path.
                    scope["path"] = root + path.replace(SLASH, "%2F")
                scope["path_params"] = {**scope.get("path_params", {}), **params}
                return served
            allowed |= methods.keys()
        raise self._error(scope["method"], path, allowed)

    def _error(self, method: str, path: str, allowed: set[str]) -> StreamError:
        """Return the error for a request that no route serves."""
        for pattern, refused, why in self._refused:
            if refused == method and pattern.fullmatch(path):
                return NotOffered(why)
        return MethodNotAllowed.of(method, sorted(allowed | {"OPTIONS"})) if allowed else NotFound()


def _with_marks(scope: Scope, root: str, path: str) -> str:
    """Return `path` with `SLASH` in place of each slash that is within a segment, as ``%2F``.

    Servers decode the path before they pass it on, so that such a slash looks like any other.
    """
    raw = (scope.get("raw_path") or b"").decode("latin-1")
    if "%2f" not in raw.lower():
        return path
    marked = "/".join(unquote(each).replace("/", SLASH) for each in raw.split("/"))
    own = scope["path"][len(root) :]
    for each in (marked, f"{marked}/"):  # Litestar appends one
        if each.replace(SLASH, "/").endswith(own):
            return each[len(each) - len(own) :].rstrip("/")
    return path  # another app has changed it


def _without_marks(value: Any) -> Any:
    return value.replace(SLASH, "/") if isinstance(value, str) else value


def own_path(scope: Scope) -> str:
    """Return the path below the app's mount point, which some hosts leave in the path."""
    return split_path(scope)[1]


def split_path(scope: Scope) -> tuple[str, str]:
    """Return the app's mount point, if the host leaves it in the path, and the path below it."""
    path: str = scope["path"]
    root = scope.get("root_path", "").rstrip("/")
    if not root or not (path == root or path.startswith(root + "/")):
        root = ""
    return root, path[len(root) :].rstrip("/") or "/"
