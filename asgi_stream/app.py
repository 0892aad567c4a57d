"""StreamApp and StreamMiddleware: ASGI in, one streamed answer out."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp, Receive, Scope, Send
from typing_extensions import Unpack

from ._config.loader import read_table
from ._http.handler import RequestHandler
from ._lifecycle.loops import Loops
from ._pages import Page, Pages
from ._routing.hosts import LOOPBACK, AllowedHosts
from ._routing.table import TITLE, Match, Table
from .errors import ForeignHost, MethodNotAllowed, NotFound, NotOffered, StreamError, TableError
from .playground import traces
from .routes import AppOptions, RouteOptions, StreamRoute

if TYPE_CHECKING:
    from .telemetry import Telemetry

__all__ = ["StreamApp", "StreamMiddleware"]


class StreamApp:
    """An ASGI app that serves a table of routes. Mount it in any ASGI app; it needs no lifespan.

    Args:
        routes: The table. The first route that matches a request serves it.
        title: The title of the OpenAPI document and of the playground. Keys on a Redis begin with
            ``asgi_stream:TITLE``, unless a store's URL or `RedisStore` has a ``prefix``.
        openapi: Serve the OpenAPI document of the table at ``/openapi.json``.
        health: Serve ``/health`` and ``/ready``: 200, or 503 once new runs are refused; ``/ready``
            also while a store of runs does not respond.
        playground: Serve a page at ``/playground`` on which to try the routes. Anyone who can
            open it sees what the routes take, and each step of the runs that it starts.
        client_js: Serve a reader of the streams in JavaScript, an ES module, at ``/client.js``.
        allowed_hosts: The ``Host`` headers for which the playground is served, such as
            ``"localhost"`` or ``"*.example.com"``. ``None`` is any host. Also the hosts whose pages
            may call routes with ``format="mcp"``; there, ``None`` is the loopback names only.
        telemetry: Record a span and metrics for each run with OpenTelemetry
            (`asgi_stream.telemetry`). Needs the extra ``otel``.
        signals: On SIGTERM or SIGINT, end every stream with a terminal frame before the server's
            own handler runs. Installed at the first request that is served in the main thread.
        **defaults: Options of `StreamRoute`, for the routes that do not set them themselves.

    Attributes:
        table: The routes with the app's defaults.

    Raises:
        TableError: The table cannot work. The message names each route and what was expected.

    Example:
        >>> app = StreamApp([StreamRoute("/chat", chain), StreamRoute("/bots", graph)])
        >>> [route.path for route in app.table]
        ['/chat', '/bots']
    """

    def __init__(
        self,
        routes: Iterable[StreamRoute],
        *,
        title: str = TITLE,
        openapi: bool = True,
        health: bool = True,
        playground: bool = False,
        client_js: bool = False,
        allowed_hosts: Collection[str] | None = None,
        telemetry: bool = False,
        signals: bool = True,
        **defaults: Unpack[RouteOptions],
    ) -> None:
        self._table = Table(routes, defaults, title)
        self.table = tuple(self._table.routes)
        if playground:
            self._table.add(traces(self.table), {}, first=True)
        grace = max((route.limits.grace for route in self.table), default=0.0)
        self._loops = Loops(grace, signals=signals)
        self._pages = Pages(
            self._table,
            self.table,
            title=title,
            openapi=openapi,
            health=health,
            playground=playground,
            client_js=client_js,
            allowed_hosts=allowed_hosts,
            draining=lambda: self._loops.refusing,
        )
        pages_of = AllowedHosts(LOOPBACK if allowed_hosts is None else allowed_hosts)
        self._handler = RequestHandler(self._loops, _telemetry() if telemetry else None, pages_of)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "http":
                await self.respond(self.match(scope), scope, receive, send)
            case "lifespan":
                await self._lifespan(receive, send)
            case "websocket":
                await send({"type": "websocket.close", "code": 1000, "reason": ""})

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str], **options: Unpack[AppOptions]) -> StreamApp:
        """Return an app with the table of a TOML file.

        Args:
            path: ``asgi_stream.toml``, or a ``pyproject.toml`` with ``[tool.asgi-stream]``.
            **options: As for the class; they override what the file has in ``[app]``.

        Raises:
            OSError: The file cannot be read.
            TableError: The table cannot work. Each of the error's `problems` names the file, the
                key, and what was expected there.
        """
        file = read_table(path, options)
        return cls(file.routes, **{**file.app, **options})

    def drain(self) -> None:
        """Refuse new runs from now on; runs that have begun may finish.

        ``/health`` and ``/ready`` return 503 from now on, so load balancers stop routing here.
        """
        self._loops.draining = True

    @asynccontextmanager
    async def lifespan(self, app: Any = None) -> AsyncIterator[None]:
        """A lifespan for the app that this one is mounted in: ``Starlette(lifespan=...)``.

        Optional. With it, the server's shutdown waits for the runs to end, a little longer than
        ``limits.grace``.
        """
        self._loops.current.open()
        try:
            yield
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """End every stream on this event loop with a terminal frame, and wait for their runs.

        A run that ignores its cancellation is waited for a little longer than ``limits.grace``.
        """
        active = self._loops.current
        active.close()
        await active.ended(self._loops.clean_up_seconds)
        await asyncio.gather(*(store.aclose() for store in self._table.stores))

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        async with self.lifespan():
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    def serves(self, scope: Scope) -> bool:
        """Return whether a route or a page serves this HTTP scope's path and method."""
        return not isinstance(self.match(scope), StreamError)

    def match(self, scope: Scope) -> Match | Page | StreamError:
        """Return what serves an HTTP request; an error if nothing does."""
        try:
            return self._table.find(scope)
        except (MethodNotAllowed, NotFound) as error:
            try:
                return self._pages.find(scope) or self._table.find(scope, ids=True)
            except NotFound:
                return error
            except MethodNotAllowed as other:
                return other

    async def respond(
        self, match: Match | Page | StreamError, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Answer an HTTP request with its `match`."""
        if not self._pages.allow_host(scope):
            match = ForeignHost()
        elif isinstance(match, NotFound) and not isinstance(match, NotOffered):
            match = self._pages.not_found(scope)
        await self._handler.handle(match, scope, receive, send)


class StreamMiddleware:
    """ASGI middleware that serves a table of routes; all other requests go to the app behind it.

    Args:
        app: The app behind.
        routes: The table, as for `StreamApp`.
        **options: As for `StreamApp`, except that `openapi` and `health` are off by default: those
            paths belong to the app behind.

    Raises:
        TableError: The table cannot work. The message names each route and what was expected.

    Example:
        >>> app = StreamMiddleware(Starlette(), [StreamRoute("/chat", chain)])
    """

    def __init__(
        self, app: ASGIApp, routes: Iterable[StreamRoute], **options: Unpack[AppOptions]
    ) -> None:
        self._app = app
        options.setdefault("openapi", False)
        options.setdefault("health", False)
        self._streams = StreamApp(routes, **options)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            match = self._streams.match(scope)
            if not isinstance(match, StreamError):
                return await self._streams.respond(match, scope, receive, send)
        return await self._app(scope, receive, send)


def _telemetry() -> Telemetry:
    try:
        from .telemetry import Telemetry
    except ImportError as error:
        raise TableError(str(error)) from error
    return Telemetry()
