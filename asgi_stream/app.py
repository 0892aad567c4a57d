"""StreamApp and StreamMiddleware: ASGI in, one streamed answer out."""

from __future__ import annotations

import asyncio
import logging
from asyncio import AbstractEventLoop, Task
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any
from weakref import WeakKeyDictionary, WeakMethod

from sse_starlette import EventSourceResponse
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .answers import NOT_STORED, RUN_ID, error_response, json_response, refuse
from .detached import Detached
from .errors import MethodNotAllowed, NotFound, ShuttingDown, StreamError, TooManyRuns
from .formats import Document
from .outbox import Outbox, ReaderStalled, nothing
from .prepare import Prepared, prepare
from .rejoin import Runs, answer_about, come_back, path_of, place_of
from .replay import Replay
from .requests import ClientDisconnect
from .routes import StreamRoute
from .shutdown import SignalHook
from .stream import Stream
from .table import Table

__all__ = ["StreamApp", "StreamMiddleware"]

logger = logging.getLogger("asgi_stream")


class _OnLoop:
    """What an app holds on one event loop."""

    def __init__(self) -> None:
        self.streams: set[Outbox] = set()
        self.runs: set[Detached] = set()
        """Those that outlive their readers."""
        self.tasks: set[Task[None]] = set()
        self.closing = False

    def close(self) -> None:
        self.closing = True
        for run in tuple(self.runs):
            run.shut_down()
        for stream in tuple(self.streams):
            stream.shut_down()

    def keep(self, run: Detached, then: Callable[[], None]) -> None:
        """Hold `run` until it has ended, and `then` do that."""
        self.runs.add(run)

        def ended() -> None:
            self.runs.discard(run)
            then()

        run.on_end = ended


class StreamApp:
    """An ASGI app that serves a table of routes. Mount it anywhere; it needs no lifespan.

    Args:
        routes: The table. Of two routes that fit a request's path, the first serves it.
        signals: When the process gets SIGTERM or SIGINT, end every stream with a terminal frame
            before the server's own handler runs. Installed at the first request, if that is
            served in the main thread.
        **defaults: Options of `StreamRoute`, for those routes that do not give them themselves.

    Raises:
        TableError: The table cannot work. The message names the route and what was expected.
    """

    def __init__(
        self, routes: Iterable[StreamRoute], *, signals: bool = True, **defaults: Any
    ) -> None:
        self._table = Table(routes, defaults)
        self._running: Counter[str] = Counter()
        self._loops: WeakKeyDictionary[AbstractEventLoop, _OnLoop] = WeakKeyDictionary()
        close_all = WeakMethod(self._close_all)
        self._hook = SignalHook(lambda: (close := close_all()) and close()) if signals else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "http":
                await self._http(scope, receive, send)
            case "lifespan":
                await self._lifespan(receive, send)
            case "websocket":
                await send({"type": "websocket.close", "code": 1000, "reason": ""})

    @asynccontextmanager
    async def lifespan(self, app: Any = None) -> AsyncIterator[None]:
        """A lifespan for the app that this one is mounted in: ``Starlette(lifespan=...)``.

        Not needed; with it every run has ended when the server's shutdown goes on.
        """
        self._here().closing = False
        try:
            yield
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """End every stream on this event loop with a terminal frame, and wait for their runs."""
        here = self._here()
        here.close()
        while here.tasks:
            await asyncio.wait(here.tasks)
        for store in self._table.stores:
            await store.aclose()

    def serves(self, scope: Scope) -> bool:
        """Whether a route of the table has this HTTP scope's path and method."""
        try:
            self._table.find(scope)
        except StreamError:
            return False
        return True

    def _here(self) -> _OnLoop:
        loop = asyncio.get_running_loop()
        if loop not in self._loops:
            self._loops[loop] = _OnLoop()
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

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            route, endpoint = self._table.find(scope)
        except MethodNotAllowed as error:
            if scope["method"] != "OPTIONS":
                return await refuse(error, scope, receive, send)
            return await Response(status_code=204, headers=error.headers)(scope, receive, send)
        except NotFound as error:
            return await refuse(error, scope, receive, send)
        if scope["method"] == "HEAD":
            kind = route.format_class.media_type
            answer = EventSourceResponse(iter(()), headers=NOT_STORED, media_type=kind)
            return await answer(scope, receive, send)
        here, request = self._here(), Request(scope, receive)
        try:
            found = await self._answer(route, endpoint, request, here)
        except ClientDisconnect:
            return None
        except Exception as error:
            return await refuse(error, scope, receive, send, route)
        if isinstance(found, Response):
            return await found(scope, receive, send)
        if isinstance(found, Replay):
            found.place = place_of(found.run_id, request.url.path, endpoint)
        here.streams.add(found)
        try:
            await _respond(found, route, scope, receive, send)
        finally:
            here.streams.discard(found)
            found.leave()

    async def _answer(
        self, route: StreamRoute, endpoint: str, request: Request, here: _OnLoop
    ) -> Outbox | Response:
        """What a request is answered with; for an outbox, what it holds is held until it ends."""
        if here.closing:
            raise ShuttingDown
        owner = await route.owner(request)
        path = path_of(request.scope["path"], endpoint)
        runs = Runs(route, route.kept, owner, path) if route.kept else None
        asked = route.format_class.runs.get((request.method, endpoint))
        if runs is not None and asked is not None:
            return await answer_about(runs, asked, request)
        if "last-event-id" in request.headers:
            return await come_back(runs, request)
        release = self._hold(route)
        try:
            prepared = await prepare(route, endpoint, request)
            if isinstance(prepared, Document):
                return json_response(prepared.body)
            if runs is None or prepared.gathered:
                stream = _begun(route, prepared, request, here.tasks)
                stream.on_leave, release = release, nothing
                return stream
            replay = await runs.begin(prepared, request, here.tasks)
            if replay.made_here is not None:
                here.keep(replay.made_here, release)
                release = nothing
            return replay
        finally:
            release()

    def _hold(self, route: StreamRoute) -> Callable[[], None]:
        """Count one more run of the route. What is returned takes that back.

        Raises:
            TooManyRuns: As many as there may be go on.
        """
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
        signals: As for `StreamApp`.
        **defaults: As for `StreamApp`.

    Raises:
        TableError: The table cannot work. The message names the route and what was expected.
    """

    def __init__(
        self,
        app: ASGIApp,
        routes: Iterable[StreamRoute],
        *,
        signals: bool = True,
        **defaults: Any,
    ) -> None:
        self._app = app
        self._streams = StreamApp(routes, signals=signals, **defaults)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ours = scope["type"] == "http" and self._streams.serves(scope)
        await (self._streams if ours else self._app)(scope, receive, send)


def _begun(
    route: StreamRoute, prepared: Prepared, request: Request, tasks: set[Task[None]]
) -> Stream:
    # A browser's EventSource comes back with the id of the last frame that had one.
    returns = request.method == "GET" and not prepared.gathered
    first_line = f"id: {prepared.request.run_id}\n".encode() if returns else b""
    stream = Stream(prepared, route, first_line=first_line, tasks=tasks)
    stream.begin()
    return stream


async def _respond(
    stream: Outbox,
    route: StreamRoute,
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    refused = False

    async def send_when_open(message: Message) -> None:
        nonlocal refused
        if message["type"] == "http.response.start":
            error = await stream.opened()
            if error is not None:
                refused = True
                await error_response(error, route, stream.run_id)(scope, receive, send)
        elif stream.broken and not message.get("more_body"):
            return  # a server that is not told of the end closes the connection
        if not refused:
            await stream.in_time(send(message))

    async def body() -> AsyncIterator[bytes]:
        # The frames go straight to the server: what the response puts around each one that it is
        # given, a cancel scope and a timer, costs as much as the rest of sending it.
        if not refused:
            await stream.deliver(send)
        return
        yield

    async def receive_and_see() -> Message:
        message = await receive()
        if message["type"] == "http.disconnect":
            # Here and not when the response ends: anyio cancels no task that is about to go on,
            # and while the run speaks in every turn of the loop, the one that delivers always is.
            stream.reader_left = True
            stream.leave()
        return message

    response = EventSourceResponse(
        body(),
        headers={**NOT_STORED, **stream.headers, RUN_ID: stream.run_id},
        media_type="application/json" if stream.gathered else route.format_class.media_type,
        ping=0,  # the stream's own pings know when nothing else went out
        sep="\n",
        shutdown_event=_Farewell(stream),  # type: ignore[arg-type]  # only ever set
        shutdown_grace_period=route.limits.grace,
    )
    try:
        await response(scope, receive_and_see, send_when_open)
    except ReaderStalled:
        logger.warning(
            "run %s of %s: its reader took nothing for %g s and was dropped",
            stream.run_id,
            route.path,
            route.limits.send,
        )
    except OSError:
        # Some servers raise when a client has gone, in the place of a disconnect message.
        logger.debug("run %s of %s: its reader has gone", stream.run_id, route.path)


class _Farewell:
    """Passes on that sse-starlette has seen the server stop."""

    def __init__(self, stream: Outbox) -> None:
        self._stream = stream

    def set(self) -> None:
        self._stream.shut_down()
