"""Answers HTTP requests: from what matched a request to its response."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ._delivery.live import LiveStream
from ._delivery.response import headers_only, json_response, refuse, respond
from ._lifecycle.active import ActiveRuns
from ._lifecycle.loops import Loops
from ._lifecycle.server_sockets import address_of
from ._request.body import check_origin
from ._request.disconnect import cancel_if_disconnected
from ._request.parse import spec_of
from ._request.prepare import prepare
from ._request.query import last_event_id
from ._request.unread_body import RequestBody
from ._resume.endpoints import reconnect_response, stored_run_response
from ._resume.reader import StoredRunReader
from ._resume.service import StoredRuns
from ._resume.thread_commands import command_response
from ._resume.thread_events import ThreadEvents, thread_events
from ._resume.thread_runs import NOT_KEPT, ThreadRuns
from ._resume.urls import client_path, route_path, run_location
from ._routing.bound import BoundRoute
from ._routing.table import Match
from ._threads.endpoints import thread_response
from .errors import MethodNotAllowed, RunNotFound, ShuttingDown, StreamError
from .formats import Document
from .limits import Limits
from .requests import ClientDisconnect, StreamRequest

if TYPE_CHECKING:
    from .telemetry import Telemetry

RECEIVE_SECONDS = Limits().receive
"""How long a body may take to arrive that no route reads."""

STARTS = (None, "start", "command")
"""The operations of `Format.thread_runs` that start a run, and none at all."""


class RequestHandler:
    """Answers HTTP requests of one app.

    Args:
        loops: What the app holds on its event loops.
        telemetry: Records runs and rejected requests, if telemetry is on.
    """

    def __init__(self, loops: Loops, telemetry: Telemetry | None) -> None:
        self._loops = loops
        self._telemetry = telemetry

    async def handle(
        self,
        match: Match | Callable[[], Awaitable[Response]] | StreamError,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        """Answer a request.

        Args:
            match: The route and its endpoint, or a page, or the error if neither matched.
            scope: The request's.
            receive: The request's.
            send: The request's.
        """
        body = RequestBody(scope, receive, send, RECEIVE_SECONDS)
        active = self._loops.current
        active.note(address_of(scope))
        if isinstance(match, tuple):
            await self._serve(*match, scope, body, active)
        elif not isinstance(match, StreamError):
            await (await match())(scope, body.receive, body.send)
        elif scope["method"] == "OPTIONS" and isinstance(match, MethodNotAllowed):
            options = Response(status_code=204, headers=match.headers)
            await options(scope, body.receive, body.send)
        else:
            await refuse(match, scope, body.receive, body.send)

    async def _serve(
        self, route: BoundRoute, endpoint: str, scope: Scope, body: RequestBody, active: ActiveRuns
    ) -> None:
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
            # Without a lifespan, a server that stops waits only for its requests.
            await active.ended_for_all(self._loops.clean_up_seconds)
        return None

    async def _answer(
        self, route: BoundRoute, endpoint: str, request: StreamRequest, active: ActiveRuns
    ) -> LiveStream | StoredRunReader | ThreadEvents | Response:
        """Return the answer to a request; a stream holds what it needs until it ends."""
        check_origin(request)
        about, kind = (request.method, endpoint), route.format_class
        of_runs = kind.runs.get(about) if route.resume_policy else None
        of_threads = kind.threads.get(about, "run") if route.thread_policy else "run"
        of_thread_runs = kind.thread_runs.get(about) if route.thread_policy else None
        if of_runs is None and of_threads == "run" and of_thread_runs in STARTS:
            request.parse = partial(spec_of, route, endpoint)
        request.owner = owner = await route.owner(request)
        path, policy = route_path(request.scope["path"], endpoint), route.resume_policy
        runs = StoredRuns(route, policy, owner, path) if policy else None
        if runs is not None and of_runs is not None:
            return await stored_run_response(runs, of_runs, request)
        if of_thread_runs is not None and runs is None:
            raise RunNotFound(NOT_KEPT)
        if runs is not None and of_thread_runs == "events":
            return await thread_events(route, runs, request, active.tasks)
        if runs is not None and of_thread_runs not in STARTS:
            of_thread = ThreadRuns(route, runs, request, active)
            return await of_thread.response(str(of_thread_runs), endpoint)
        if (position := last_event_id(request)) is not None:
            return await reconnect_response(runs, request, position)
        if of_threads != "run":
            return await thread_response(route, endpoint, of_threads, request, active.tasks)

        start = partial(self._start, route, endpoint, request, active, runs)
        if of_thread_runs == "command":
            return await command_response(route, endpoint, request, start)
        return await start()

    async def _start(
        self,
        route: BoundRoute,
        endpoint: str,
        request: StreamRequest,
        active: ActiveRuns,
        runs: StoredRuns | None,
    ) -> LiveStream | StoredRunReader | Response:
        """Start the run that a request asks for."""
        await active.gate.pass_()
        run = await prepare(route, endpoint, request, active.tasks, self._telemetry)
        if isinstance(run, Document):
            return json_response(run.body, headers=run.headers)
        with run.held:  # which the run takes over when it begins
            if runs is not None and not run.gathered:
                reader = await runs.begin(run, request, active, lambda: self._hold(route))
                return runs.left_alone(reader) if run.spec.background else reader
            stream = LiveStream(run, route, tasks=active.tasks)
            stream.on_leave = self._hold(route)
            stream.begin()
            return stream

    def _hold(self, route: BoundRoute) -> Callable[[], None]:
        return self._loops.hold(route.path, route.limits.concurrent)
