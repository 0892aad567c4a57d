"""StreamApp and StreamMiddleware: ASGI in, one streamed answer out."""

from __future__ import annotations

import asyncio
import os
from asyncio import AbstractEventLoop
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakMethod

from sse_starlette import EventSourceResponse
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ._config.loader import read_table
from ._delivery.buffer import FrameBuffer
from ._delivery.live import LiveStream
from ._delivery.response import NOT_STORED, json_response, refuse, respond
from ._langchain.tasks import RunTasks
from ._lifecycle.active import ActiveRuns
from ._lifecycle.server_sockets import address_of
from ._lifecycle.signals import SignalHook
from ._pages import Pages
from ._request.body import check_origin
from ._request.disconnect import cancel_if_disconnected
from ._request.prepare import Prepared, prepare
from ._request.query import last_event_id
from ._request.unread_body import RequestBody
from ._resume.reader import StoredRunReader
from ._resume.service import StoredRuns, answer_about, come_back, path_of, place_of, seen_path
from ._routing.hosts import ForeignHost
from ._routing.table import TITLE, Table
from .errors import (
    MethodNotAllowed,
    NotFound,
    ShuttingDown,
    StreamError,
    TableError,
    TooManyRuns,
)
from .formats import Document
from .limits import Limits
from .playground import traces
from .requests import ClientDisconnect, StreamRequest
from .routes import StreamRoute

if TYPE_CHECKING:
    from .telemetry import Telemetry

__all__ = ["StreamApp", "StreamMiddleware"]

CLEAN_UP_SECONDS = 1.0
"""How much longer than a run's grace its end is waited for."""

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
        **defaults: Options of `StreamRoute`, for those routes that do not give them themselves.

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
        **defaults: Any,
    ) -> None:
        self._table = Table(routes, defaults, title)
        self.table = tuple(self._table.routes)
        """The routes, with the app's defaults."""
        if playground:
            self._table.add(traces(self.table), first=True)
        self._pages = Pages(
            self._table,
            self.table,
            title=title,
            openapi=openapi,
            health=health,
            playground=playground,
            allowed_hosts=allowed_hosts,
            draining=lambda: self._draining or self._here().closing,
        )
        self._draining = False
        self._telemetry = _telemetry() if telemetry else None
        self._running: Counter[str] = Counter()
        self._loops: WeakKeyDictionary[AbstractEventLoop, ActiveRuns] = WeakKeyDictionary()
        close_all = WeakMethod(self._close_all)
        self._hook = SignalHook(lambda: (close := close_all()) and close()) if signals else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "http":
                await self._http(scope, RequestBody(scope, receive, send, RECEIVE_SECONDS))
            case "lifespan":
                await self._lifespan(receive, send)
            case "websocket":
                await send({"type": "websocket.close", "code": 1000, "reason": ""})

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str], **options: Any) -> StreamApp:
        """An app of the table in a TOML file.

        Args:
            path: ``asgi_stream.toml``, or a ``pyproject.toml`` with ``[tool.asgi-stream]``.
            **options: As for the class, over what the file says in ``[app]``.

        Raises:
            OSError: The file cannot be read.
            TableError: It is not a table that can work. Each of the error's `problems` names the
                file, the key, and what was expected there.
        """
        found = read_table(path)
        return cls(found.routes, **{**found.app, **options})

    def drain(self) -> None:
        """Begin no new run from now on; those that go on have their time.

        ``/health`` and ``/ready`` say no, so that who spreads the requests sends them elsewhere.
        """
        self._draining = True

    @asynccontextmanager
    async def lifespan(self, app: Any = None) -> AsyncIterator[None]:
        """A lifespan for the app that this one is mounted in: ``Starlette(lifespan=...)``.

        Not needed; with it every run has ended when the server's shutdown goes on.
        """
        self._here().open()
        try:
            yield
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """End every stream on this event loop with a terminal frame, and wait for their runs.

        A run that ignores its cancellation is waited for a little longer than ``limits.grace``.
        """
        here = self._here()
        here.close()
        await here.ended(self._clean_up_seconds())
        for store in self._table.stores:
            await store.aclose()

    def _clean_up_seconds(self) -> float:
        grace = max((route.limits.grace for route in self._table.routes), default=0.0)
        return grace + CLEAN_UP_SECONDS

    def serves(self, scope: Scope) -> bool:
        """Whether a route of the table, or a page, has this HTTP scope's path and method."""
        try:
            self._table.find(scope)
        except StreamError:
            return self._pages.has(scope)
        return True

    def _here(self) -> ActiveRuns:
        loop = asyncio.get_running_loop()
        if loop not in self._loops:
            self._loops[loop] = ActiveRuns()
            if self._hook is not None:
                self._hook.install()
        return self._loops[loop]

    def _close_all(self) -> None:
        for loop, held in tuple(self._loops.items()):
            if not loop.is_closed():
                loop.call_soon_threadsafe(held.close)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        async with self.lifespan():
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _http(self, scope: Scope, body: RequestBody) -> None:
        receive, send = body.receive, body.send
        here = self._here()
        here.note(address := address_of(scope))
        if not self._pages.allow_host(scope):
            await refuse(ForeignHost(), scope, receive, send)
            return None
        try:
            route, endpoint = self._table.find(scope)
        except (MethodNotAllowed, NotFound) as error:
            return await self._elsewhere(error, scope, receive, send)
        body.seconds = route.limits.receive
        if scope["method"] == "HEAD":
            kind = route.format_class.media_type
            answer = EventSourceResponse(iter(()), headers=NOT_STORED, media_type=kind)
            return await answer(scope, receive, send)
        request = StreamRequest(scope, receive, route.limits)
        try:
            if here.ends(address):
                raise ShuttingDown
            found = await cancel_if_disconnected(self._answer(route, endpoint, request, here), body)
        except ClientDisconnect:
            return None
        except Exception as error:
            told = await refuse(error, scope, receive, send, route)
            if self._telemetry is not None:
                self._telemetry.rejected(route.path, route.format, told.code)
            return None
        if isinstance(found, Response):
            return await found(scope, receive, send)
        if isinstance(found, StoredRunReader):
            found.place = place_of(found.run_id, seen_path(request), endpoint)
        here.add(found, address)
        try:
            await respond(found, route, scope, *body.direct())
        finally:
            here.streams.pop(found)
            found.leave()
        if here.ends(address):
            # Without a lifespan it is for its requests only that a server waits.
            await here.ended_for_all(self._clean_up_seconds())
        return None

    async def _elsewhere(
        self, error: StreamError, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Answer where no route does."""
        answer: ASGIApp
        try:
            page = self._pages.find(scope)
        except MethodNotAllowed as other:
            page, error = None, other
        if page is not None:
            answer = await page()
        elif scope["method"] == "OPTIONS" and isinstance(error, MethodNotAllowed):
            answer = Response(status_code=204, headers=error.headers)
        else:
            known = self._pages.not_found(scope) if isinstance(error, NotFound) else error
            await refuse(known, scope, receive, send)
            return None
        return await answer(scope, receive, send)

    async def _answer(
        self, route: StreamRoute, endpoint: str, request: StreamRequest, here: ActiveRuns
    ) -> FrameBuffer | Response:
        """What a request is answered with; for an outbox, what it holds is held until it ends."""
        check_origin(request)
        owner = await route.owner(request)
        path = path_of(request.scope["path"], endpoint)
        runs = StoredRuns(route, route.kept, owner, path) if route.kept else None
        asked = route.format_class.runs.get((request.method, endpoint))
        if runs is not None and asked is not None:
            return await answer_about(runs, asked, request)
        if (position := last_event_id(request)) is not None:
            return await come_back(runs, request, position)
        await here.gate.pass_()
        prepared = await prepare(route, endpoint, request, here.tasks, self._telemetry)
        if isinstance(prepared, Document):
            return json_response(prepared.body, headers=prepared.headers)
        with prepared.held:  # by the run, once it has begun
            if runs is not None and not prepared.gathered:
                return await runs.begin(prepared, request, here, lambda: self._hold(route))
            stream = _made(route, prepared, here.tasks)
            stream.on_leave = self._hold(route)
            stream.begin()
            return stream

    def _hold(self, route: StreamRoute) -> Callable[[], None]:
        """Count one more run of the route. What is returned takes that back.

        Raises:
            ShuttingDown: No new run is begun.
            TooManyRuns: As many as there may be go on.
        """
        if self._draining or self._here().closing:
            raise ShuttingDown
        limit, running = route.limits.concurrent, self._running
        if limit is not None and running[route.path] >= limit:
            raise TooManyRuns
        running[route.path] += 1
        return lambda: running.subtract((route.path,))


class StreamMiddleware:
    """The same table in front of any ASGI app. What no route has goes to the app untouched.

    Args:
        app: The app behind.
        routes: The table, as for `StreamApp`.
        **options: As for `StreamApp`, save that `openapi` and `health` are off: those paths are
            the app's own.

    Raises:
        TableError: The table cannot work. The message names the route and what was expected.
    """

    def __init__(self, app: ASGIApp, routes: Iterable[StreamRoute], **options: Any) -> None:
        self._app = app
        self._streams = StreamApp(routes, **{"openapi": False, "health": False, **options})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ours = scope["type"] == "http" and self._streams.serves(scope)
        await (self._streams if ours else self._app)(scope, receive, send)


def _telemetry() -> Telemetry:
    try:
        from .telemetry import Telemetry
    except ImportError as error:
        raise TableError(str(error)) from error
    return Telemetry()


def _made(route: StreamRoute, prepared: Prepared, tasks: RunTasks) -> LiveStream:
    # A client comes back with the id of the last frame that had one, and starts nothing then.
    run_id, format = str(prepared.request.run_id), prepared.format
    returns = format.runs and format.id_prefix(run_id) and not prepared.gathered
    first_line = f"id: {run_id}\n".encode() if returns else b""
    return LiveStream(prepared, route, first_line=first_line, tasks=tasks)
