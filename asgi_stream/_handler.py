"""Answers HTTP requests: from what matched a request to its response."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, cast

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ._delivery.live import LiveStream
from ._delivery.observability import guarded_telemetry
from ._delivery.response import answer_nobody, document_response, headers_only, refuse, respond
from ._lifecycle.active import ActiveRuns
from ._lifecycle.loops import Loops, RunSlot
from ._lifecycle.server_sockets import address_of
from ._request.disconnect import cancel_if_disconnected
from ._request.origins import check_origin, check_page
from ._request.parse import parse, spec_of
from ._request.permitted import Recaller
from ._request.prepare import is_gathered, is_stored, prepare
from ._request.query import last_event_id
from ._request.stored_request import StoredRequest
from ._request.unread_body import RequestBody
from ._resume.client_names import key_held
from ._resume.endpoints import reconnect_response, stored_run_response
from ._resume.reader import StoredRunReader
from ._resume.run_documents import RunDocuments
from ._resume.stored_document import StoredDocument
from ._resume.stored_runs import Hold, StoredRuns
from ._resume.take_up import RunTakeUp
from ._resume.thread_commands import command_response
from ._resume.thread_events import ThreadEvents, thread_events
from ._resume.thread_runs import NOT_KEPT, ThreadRuns
from ._resume.urls import client_path, route_path, run_location
from ._routing.bound import BoundRoute
from ._routing.hosts import AllowedHosts
from ._routing.table import Match
from ._threads.endpoints import thread_response
from .errors import MethodNotAllowed, RunCancelled, RunNotFound, ShuttingDown, StreamError
from .formats import Document, RunSpec
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
        hosts: Whose pages may use formats that check the origin.
    """

    def __init__(self, loops: Loops, telemetry: Telemetry | None, hosts: AllowedHosts) -> None:
        self._loops = loops
        self._hosts = hosts
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
        request = StreamRequest(scope, receive, route.limits)
        try:
            if active.ends(address):
                raise ShuttingDown
            answer = await cancel_if_disconnected(
                self._answer(route, endpoint, request, active), body
            )
        except ClientDisconnect:
            return await answer_nobody(scope, receive, send)
        except Exception as exception:
            error = await refuse(exception, scope, receive, send, route, request.format)
            if self._telemetry is not None:
                with guarded_telemetry():
                    self._telemetry.rejected(route.path, route.format, error.code)
            return None
        if isinstance(answer, Response):
            return await answer(scope, receive, send)
        if isinstance(answer, StoredRunReader):
            answer.location = _location(route, answer.run_id, request, endpoint)
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
    ) -> LiveStream | StoredRunReader | StoredDocument | ThreadEvents | Response:
        """Return the answer to a request; a stream holds what it needs until it ends."""
        check_origin(request)
        if route.format_class.checks_origin:
            check_page(request, self._hosts)
        about, kind = (request.method, endpoint), route.format_class
        of_runs = kind.runs.get(about) if route.resume_policy else None
        of_threads = kind.threads.get(about, "run") if route.thread_policy else "run"
        of_thread_runs = kind.thread_runs.get(about) if route.thread_policy else None
        if of_runs is None and of_threads == "run" and of_thread_runs in STARTS:
            request.parse = partial(spec_of, route, endpoint)
        request.owner = owner = await route.owner(request)
        path, policy = route_path(request.scope["path"], endpoint), route.resume_policy
        take_up = None
        if policy and policy.continues:
            hold = self._hold(route)
            take_up = RunTakeUp(route, policy, request, active, hold, self._telemetry)
        runs = StoredRuns(route, policy, owner, path, take_up) if policy else None
        documents = RunDocuments(route, policy, runs, active) if runs and policy else None
        if runs and documents and of_runs is not None:
            return await stored_run_response(runs, documents, of_runs, request)
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

        start = partial(self._start, route, endpoint, request, active, runs, documents)
        if of_thread_runs == "command":
            return await command_response(route, endpoint, request, active.tasks, start)
        return await start()

    async def _start(
        self,
        route: BoundRoute,
        endpoint: str,
        request: StreamRequest,
        active: ActiveRuns,
        runs: StoredRuns | None,
        documents: RunDocuments | None,
    ) -> LiveStream | StoredRunReader | StoredDocument | Response:
        """Start the run that a request asks for, unless it has been started before."""
        if request.method == "HEAD":
            return headers_only(route)
        await active.gate.pass_()
        format, spec, *_ = await parse(route, endpoint, request)
        kept = runs if isinstance(spec, RunSpec) and is_stored(request, format, spec) else None
        key = None if kept is None else kept.key_name(request)
        recall = None if documents is None else documents.recall
        async with key_held(route.thread_policy, key):
            answer = (kept and await kept.repeated(request)) or await self._begin(
                *(route, endpoint, request, active, kept, recall)
            )
        if kept is None or not isinstance(answer, StoredRunReader):
            return answer
        spec = cast(RunSpec, spec)
        answer.location = _location(route, answer.run_id, request, endpoint)
        if spec.background:
            return kept.left_alone(answer, format.run_object(answer.record))
        if is_gathered(request, format, spec):
            return StoredDocument(answer, format, route, active.tasks)
        return answer

    async def _begin(
        self,
        route: BoundRoute,
        endpoint: str,
        request: StreamRequest,
        active: ActiveRuns,
        runs: StoredRuns | None,
        recall: Recaller | None,
    ) -> LiveStream | StoredRunReader | Response:
        """Begin a run, which is stored if there are `runs`."""
        with RunSlot(self._hold(route)) as slot:
            about = route, endpoint, request, active.tasks, slot.take
            run = await prepare(*about, telemetry=self._telemetry, recall=recall)
            if isinstance(run, Document):
                return _responded(run, route.path, request.owner, active)
            with run.held:  # which the run takes over when it begins, like the slot
                if runs is not None:
                    origin = None
                    if route.continues:
                        origin = StoredRequest.of(endpoint, request, run.spec).encode()
                    return await runs.begin(run, request, active, slot.hand_over, origin)
                stream = LiveStream(run, route, tasks=active.tasks)
                stream.on_leave = slot.hand_over()
                stream.begin()
                return stream

    def _hold(self, route: BoundRoute) -> Hold:
        return partial(self._loops.hold, route.path, route.limits.concurrent)


def _location(route: BoundRoute, run_id: str, request: StreamRequest, endpoint: str) -> str:
    """Return the URL of a run, relative to that of the request."""
    path = route.format_class.run_resource.path(run_id)
    return run_location(path, client_path(request), endpoint)


def _responded(document: Document, path: str, owner: str | None, active: ActiveRuns) -> Response:
    """Return a document as a response, and cancel the runs that it is about."""
    key = document.cancels and (path, owner, document.cancels)
    for stream in tuple(active.streams) if key else ():
        if isinstance(stream, LiveStream) and stream.cancel_key == key:
            stream.fail(RunCancelled())
    return document_response(document)
