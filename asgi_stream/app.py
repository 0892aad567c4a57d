"""StreamApp and StreamMiddleware: ASGI in, one streamed answer out."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Collection, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from typing_extensions import Unpack

from ._config.loader import read_table
from ._delivery.live import LiveStream
from ._delivery.response import headers_only, json_response, refuse, respond
from ._langchain.tasks import RunTasks
from ._lifecycle.active import ActiveRuns
from ._lifecycle.loops import Loops
from ._lifecycle.server_sockets import address_of
from ._pages import Page, Pages
from ._request.body import check_origin
from ._request.disconnect import cancel_if_disconnected
from ._request.prepare import Prepared, prepare
from ._request.query import last_event_id
from ._request.unread_body import RequestBody
from ._resume.endpoints import reconnect_response, stored_run_response
from ._resume.reader import StoredRunReader
from ._resume.service import StoredRuns
from ._resume.urls import client_path, route_path, run_location
from ._routing.bound import BoundRoute
from ._routing.hosts import ForeignHost
from ._routing.table import TITLE, Match, Table
from .errors import MethodNotAllowed, NotFound, ShuttingDown, StreamError, TableError
from .formats import Document
from .limits import Limits
from .playground import traces
from .requests import ClientDisconnect, StreamRequest
from .routes import AppOptions, RouteOptions, StreamRoute

if TYPE_CHECKING:
    from .telemetry import Telemetry

__all__ = ["StreamApp", "StreamMiddleware"]

CLEAN_UP_SECONDS = 1.0
"""How much longer than ``limits.grace`` the end of a run is waited for."""

RECEIVE_SECONDS = Limits().receive
"""How long a body may take to arrive that no route reads."""


class StreamApp:
    """An ASGI app that serves a table of routes. Mount it anywhere; it needs no lifespan.

    Args:
        routes: The table. Of two routes that fit a request's path, the first serves it.
        title: What the OpenAPI document and the playground call the app, and what its keys on a
            Redis are named after, unless a store's address or `RedisStore` says a ``prefix``.
        openapi: Serve an OpenAPI document of the table at ``/openapi.json``.
        health: Serve ``/health`` and ``/ready``: 200, or 503 from the moment on when no new run is
            begun; ``/ready`` also while a store of the runs does not answer.
        playground: Serve a page at ``/playground`` on which the routes can be tried. It tells all
            who see it what the routes take, and of each step of what it runs.
        allowed_hosts: The host names in a request's ``Host`` header for which the playground is
            served, such as ``"localhost"`` or ``"*.example.com"``. ``None`` is any host.
        telemetry: Tell OpenTelemetry of each run, as `asgi_stream.telemetry` says: a span under the
            request's, and metrics. Needs the extra ``otel``.
        signals: When the process gets SIGTERM or SIGINT, end every stream with a terminal frame
            before the server's own handler runs. Installed at the first request, if that is
            served in the main thread.
        **defaults: Options of `StreamRoute`, for those routes that do not set them themselves.

    Raises:
        TableError: The table cannot work. The message names the route and what was expected.
    """

    def __init__(
        self,
        routes: Iterable[StreamRoute],
        *,
        title: str = TITLE,
        openapi: bool = True,
        health: bool = True,
        playground: bool = False,
        allowed_hosts: Collection[str] | None = None,
        telemetry: bool = False,
        signals: bool = True,
        **defaults: Unpack[RouteOptions],
    ) -> None:
        self._table = Table(routes, defaults, title)
        self.table = tuple(self._table.routes)
        """The routes, with the app's defaults."""
        if playground:
            self._table.add(traces(self.table), {}, first=True)
        self._loops = Loops(signals=signals)
        self._pages = Pages(
            self._table,
            self.table,
            title=title,
            openapi=openapi,
            health=health,
            playground=playground,
            allowed_hosts=allowed_hosts,
            draining=lambda: self._loops.refusing,
        )
        self._telemetry = _telemetry() if telemetry else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "http":
                await self._http(self._match(scope), scope, receive, send)
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
        file = read_table(path)
        return cls(file.routes, **{**file.app, **options})

    def drain(self) -> None:
        """Begin no new run from now on; runs that have begun may finish.

        ``/health`` and ``/ready`` answer 503 from now on, so load balancers stop routing here.
        """
        self._loops.draining = True

    @asynccontextmanager
    async def lifespan(self, app: Any = None) -> AsyncIterator[None]:
        """A lifespan for the app that this one is mounted in: ``Starlette(lifespan=...)``.

        Not needed; with it every run has ended when the server's shutdown goes on.
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
        await active.ended(self._clean_up_seconds())
        for store in self._table.stores:
            await store.aclose()

    def _clean_up_seconds(self) -> float:
        grace = max((route.limits.grace for route in self._table.routes), default=0.0)
        return grace + CLEAN_UP_SECONDS

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        async with self.lifespan():
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    def _match(self, scope: Scope) -> Match | Page | StreamError:
        """Return what serves an HTTP request, or why nothing does."""
        try:
            return self._table.find(scope)
        except (MethodNotAllowed, NotFound) as error:
            try:
                return self._pages.find(scope) or error
            except MethodNotAllowed as of_page:
                return of_page

    async def _http(
        self, match: Match | Page | StreamError, scope: Scope, receive: Receive, send: Send
    ) -> None:
        body = RequestBody(scope, receive, send, RECEIVE_SECONDS)
        active = self._loops.current
        active.note(address_of(scope))
        if not self._pages.allow_host(scope):
            await refuse(ForeignHost(), scope, body.receive, body.send)
        elif isinstance(match, tuple):
            await self._stream(*match, scope, body, active)
        else:
            await self._page(match, scope, body)

    async def _page(self, match: Page | StreamError, scope: Scope, body: RequestBody) -> None:
        """Answer where no route does."""
        answer: ASGIApp
        if not isinstance(match, StreamError):
            answer = await match()
        elif scope["method"] == "OPTIONS" and isinstance(match, MethodNotAllowed):
            answer = Response(status_code=204, headers=match.headers)
        else:
            error = self._pages.not_found(scope) if isinstance(match, NotFound) else match
            await refuse(error, scope, body.receive, body.send)
            return
        await answer(scope, body.receive, body.send)

    async def _stream(
        self, route: BoundRoute, endpoint: str, scope: Scope, body: RequestBody, active: ActiveRuns
    ) -> None:
        """Answer where a route does."""
        receive, send, address = body.receive, body.send, address_of(scope)
        body.seconds = route.limits.receive
        if scope["method"] == "HEAD":
            return await headers_only(route)(scope, receive, send)
        request = StreamRequest(scope, receive, route.limits)
        try:
            if active.ends(address):
                raise ShuttingDown
            answer = await cancel_if_disconnected(
                self._answer(route, endpoint, request, active), body
            )
        except ClientDisconnect:
            return None
        except Exception as exception:
            error = await refuse(exception, scope, receive, send, route)
            if self._telemetry is not None:
                self._telemetry.rejected(route.path, route.format, error.code)
            return None
        if isinstance(answer, Response):
            return await answer(scope, receive, send)
        if isinstance(answer, StoredRunReader):
            answer.location = run_location(answer.run_id, client_path(request), endpoint)
        active.add(answer, address)
        try:
            await respond(answer, route, scope, *body.direct())
        finally:
            active.streams.pop(answer)
            answer.leave()
        if active.ends(address):
            # Without a lifespan it is for its requests only that a server waits.
            await active.ended_for_all(self._clean_up_seconds())
        return None

    async def _answer(
        self, route: BoundRoute, endpoint: str, request: StreamRequest, active: ActiveRuns
    ) -> LiveStream | StoredRunReader | Response:
        """Return the answer to a request; a stream holds what it needs until it ends."""
        check_origin(request)
        owner = await route.owner(request)
        path, policy = route_path(request.scope["path"], endpoint), route.resume_policy
        runs = StoredRuns(route, policy, owner, path) if policy else None
        operation = route.format_class.runs.get((request.method, endpoint))
        if runs is not None and operation is not None:
            return await stored_run_response(runs, operation, request)
        if (position := last_event_id(request)) is not None:
            return await reconnect_response(runs, request, position)
        await active.gate.pass_()
        prepared = await prepare(route, endpoint, request, active.tasks, self._telemetry)
        if isinstance(prepared, Document):
            return json_response(prepared.body, headers=prepared.headers)
        with prepared.held:  # by the run, once it has begun
            if runs is not None and not prepared.gathered:
                return await runs.begin(prepared, request, active, lambda: self._hold(route))
            stream = _made(route, prepared, active.tasks)
            stream.on_leave = self._hold(route)
            stream.begin()
            return stream

    def _hold(self, route: BoundRoute) -> Callable[[], None]:
        return self._loops.hold(route.path, route.limits.concurrent)


class StreamMiddleware:
    """The same table in front of any ASGI app. What no route has goes to the app untouched.

    Args:
        app: The app behind.
        routes: The table, as for `StreamApp`.
        **options: As for `StreamApp`, except that `openapi` and `health` are off by default: those
            paths are the app's own.

    Raises:
        TableError: The table cannot work. The message names the route and what was expected.
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
            match = self._streams._match(scope)
            if not isinstance(match, StreamError):
                return await self._streams._http(match, scope, receive, send)
        return await self._app(scope, receive, send)


def _telemetry() -> Telemetry:
    try:
        from .telemetry import Telemetry
    except ImportError as error:
        raise TableError(str(error)) from error
    return Telemetry()


def _made(route: BoundRoute, prepared: Prepared, tasks: RunTasks) -> LiveStream:
    # A client comes back with the id of the last frame that had one, and starts nothing then.
    run_id, format = str(prepared.request.run_id), prepared.format
    returns = format.runs and format.id_prefix(run_id) and not prepared.gathered
    prefix = f"id: {run_id}\n".encode() if returns else b""
    return LiveStream(prepared, route, prefix=prefix, tasks=tasks)
