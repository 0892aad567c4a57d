"""The pages of an app besides its routes: health, documents, the playground, ``/client.js``."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from heapq import nlargest
from pathlib import Path

from starlette.responses import Response
from starlette.types import Scope

from ._delivery.response import NOT_STORED, json_response
from ._routing.bound import BoundRoute
from ._routing.hosts import AllowedHosts
from ._routing.table import Table, own_path, split_path
from .errors import MethodNotAllowed, NotFound, StreamError, TableError
from .errors.text import MOST_LISTED, PATH_CHARACTERS, listed, one_line
from .openapi.document import document
from .playground import ROOT, described
from .stores import EventStore, ThreadStore

FILES = Path(__file__).parent / "playground"
CLIENT_JS = Path(__file__).parent / "client" / "stream.js"
KINDS = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}

SAFE = {
    **NOT_STORED,
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:;"
        " media-src data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
"""Headers of the playground: no inline code, nothing from other origins."""

CACHED = {"Cache-Control": "public, max-age=3600", "X-Content-Type-Options": "nosniff"}
"""Headers of ``/client.js``."""

STORE_SECONDS = 2.0
"""How long a store may take to answer ``/ready``."""

CONVERTOR = re.compile(r":\w+}")
"""The convertor of a path parameter, which is Starlette's syntax and no part of the path."""

Page = Callable[[], Awaitable[Response]]


class Pages:
    """Serves GET requests for paths where the table has no route.

    Args:
        table: The app's table.
        routes: The routes that are documented; not the playground's own.
        title: The app's title.
        health: Serve ``/health`` and ``/ready``.
        openapi: Serve ``/openapi.json``.
        playground: Serve ``/playground``.
        client_js: Serve ``/client.js``.
        allowed_hosts: The hosts that the playground is served for; None is any.
        draining: Returns whether new runs are refused.

    Raises:
        TableError: A route has the path of the playground or of ``/client.js``, or a host is not a
            host name.
    """

    def __init__(
        self,
        table: Table,
        routes: Sequence[BoundRoute],
        *,
        title: str,
        health: bool,
        openapi: bool,
        playground: bool,
        client_js: bool,
        allowed_hosts: Collection[str] | None,
        draining: Callable[[], bool],
    ) -> None:
        self._table, self._routes, self._title = table, routes, title
        self._draining = draining
        hosts = None if allowed_hosts is None else AllowedHosts(allowed_hosts)
        self._hosts = hosts if playground else None
        self._paths = _paths_of(routes)
        self._pages: dict[str, Page] = {}
        if health:
            self._pages |= {"/health": self._health, "/ready": self._ready}
        if openapi:
            self._pages["/openapi.json"] = self._openapi
        if playground:
            self._add_playground()
        if client_js:
            self._require_free("client_js", "/client.js")
            self._pages["/client.js"] = _file(CLIENT_JS, CACHED)

    def find(self, scope: Scope) -> Page | None:
        """Return what is served at the scope's path, if anything.

        Raises:
            MethodNotAllowed: The request's method is not GET.
        """
        page = self._pages.get(own_path(scope))
        if page is not None and scope["method"] not in ("GET", "HEAD"):
            raise MethodNotAllowed.of(scope["method"], ["GET", "HEAD", "OPTIONS"])
        return page

    def not_found(self, scope: Scope) -> NotFound:
        """Return the error for a path that nothing serves.

        It names the routes with the most similar paths, if the app publishes its routes at all, in
        its OpenAPI document.
        """
        if "/openapi.json" not in self._pages or not self._paths:
            return NotFound()
        root, path = split_path(scope)
        wanted = path[:PATH_CHARACTERS]
        near = nlargest(MOST_LISTED, self._paths, lambda known: _likeness(known, wanted))
        similar = listed([f"{', '.join(self._paths[known])} {root}{known}" for known in near])
        return NotFound(
            f"There is no route at {one_line(root + path, PATH_CHARACTERS)}."
            f" Similar routes: {similar}. All routes are in {root}/openapi.json."
        )

    def allow_host(self, scope: Scope) -> bool:
        """Return whether the scope's path may be served for its host (``allowed_hosts``)."""
        if self._hosts is None or not f"{own_path(scope)}/".startswith(f"{ROOT}/"):
            return True
        return self._hosts.allow(scope)

    def _add_playground(self) -> None:
        self._require_free("playground", ROOT)
        self._pages[ROOT] = _file(FILES / "page.html", SAFE)
        self._pages[f"{ROOT}/table.json"] = self._described
        for file in (*FILES.iterdir(), CLIENT_JS):
            if file.suffix in KINDS:
                self._pages[f"{ROOT}/{file.name}"] = _file(file, SAFE)
        # The page uses relative URLs, and its own URL may end with a slash.
        self._pages |= {
            f"{ROOT}{path}": page for path, page in self._pages.items() if path.startswith(ROOT)
        }

    def _require_free(self, option: str, path: str) -> None:
        with suppress(StreamError):
            self._table.find({"path": path, "method": "GET"})
            raise TableError(f"{option}: the table already has a route at {path!r}")

    async def _health(self) -> Response:
        return _state("draining", 503) if self._draining() else _state("ok", 200)

    async def _ready(self) -> Response:
        if not self._draining() and not all(
            [await _is_available(each) for each in self._table.stores]
        ):
            return _state("no store", 503)
        return await self._health()

    async def _openapi(self) -> Response:
        # In a thread, because pydantic takes its time.
        return json_response(await asyncio.to_thread(lambda: self._document))

    @cached_property
    def _document(self) -> Mapping[str, object]:
        return document(self._routes, title=self._title)

    async def _described(self) -> Response:
        return json_response(await asyncio.to_thread(lambda: self._description))

    @cached_property
    def _description(self) -> Mapping[str, object]:
        return described(self._routes, title=self._title)


def _paths_of(routes: Sequence[BoundRoute]) -> dict[str, list[str]]:
    """Return the paths that start runs, with their methods."""
    paths: dict[str, list[str]] = {}
    for route in routes:
        threads = route.format_class.threads
        for method, endpoint in route.endpoints:
            starts = threads.get((method, endpoint), "run") == "run"
            if starts and (method, endpoint) not in route.format_class.runs:
                path = CONVERTOR.sub("}", route.path.rstrip("/") + endpoint) or "/"
                paths.setdefault(path, []).append(method)
    return paths


def _likeness(path: str, other: str) -> int:
    """Return how many characters two paths share at their starts and ends."""
    one, two = path.lower(), other.lower()
    return _shared_prefix(one, two) + _shared_prefix(one[::-1], two[::-1])


def _shared_prefix(one: str, two: str) -> int:
    pairs = enumerate(zip(one, two, strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(one), len(two)))


def _file(path: Path, headers: Mapping[str, str]) -> Page:
    async def page() -> Response:
        body = await asyncio.to_thread(path.read_bytes)
        return Response(body, 200, headers, media_type=KINDS[path.suffix])

    return page


def _state(state: str, status: int) -> Response:
    return json_response({"status": state}, status)


async def _is_available(store: EventStore | ThreadStore) -> bool:
    """Return whether runs can be written to a store."""
    try:
        async with asyncio.timeout(STORE_SECONDS):
            await store.check()
    except Exception:  # whatever a store of one's own may raise
        return False
    return True
