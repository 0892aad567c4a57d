"""Dispatches a request of a route to what answers it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from starlette.responses import Response

from .._delivery.live import LiveStream
from .._delivery.response import document_response, headers_only
from .._lifecycle.active import ActiveRuns
from .._lifecycle.loops import RunSlot
from .._request.parse import parse, spec_of
from .._request.prepare import is_gathered, is_stored, prepare
from .._request.query import last_event_id
from .._request.stored_request import StoredRequest
from .._resume.endpoints import reconnect_response, stored_run_response
from .._resume.reader import StoredRunReader
from .._resume.run_documents import RunDocuments
from .._resume.run_names import key_held
from .._resume.stored_document import StoredDocument
from .._resume.stored_runs import Hold, StoredRuns
from .._resume.takeover import RunTakeover
from .._resume.thread_commands import command_response
from .._resume.thread_events import ThreadEvents, thread_events
from .._resume.thread_runs import NOT_KEPT, ThreadRuns
from .._resume.urls import client_path, route_path, run_location
from .._routing.bound import BoundRoute
from .._threads.endpoints import thread_response
from ..errors import RunCancelled, RunNotFound
from ..formats import Document, RunSpec
from ..requests import StreamRequest

if TYPE_CHECKING:
    from ..telemetry import Telemetry


class Dispatch:
    """One request of a route, dispatched to what answers it.

    Args:
        route: The route.
        endpoint: The path of the endpoint, below the route's own.
        request: The request.
        active: Holds what waits for a run.
        hold: Holds a place among the route's concurrent runs.
        telemetry: Records the run, if telemetry is on.
    """

    def __init__(
        self,
        route: BoundRoute,
        endpoint: str,
        request: StreamRequest,
        active: ActiveRuns,
        hold: Hold,
        telemetry: Telemetry | None,
    ) -> None:
        self._route = route
        self._endpoint = endpoint
        self._request = request
        self._active = active
        self._hold = hold
        self._telemetry = telemetry
        self._runs: StoredRuns | None = None
        self._documents: RunDocuments | None = None

    async def response(
        self,
    ) -> LiveStream | StoredRunReader | StoredDocument | ThreadEvents | Response:
        """Return the response; a stream holds what it needs until it ends.

        Raises:
            StreamError: The request is refused.
            ClientDisconnect: The client left.
        """
        route, endpoint, request = self._route, self._endpoint, self._request
        operation = route.operation(request.method, endpoint)
        if operation.starts:
            request.parse = partial(spec_of, route, endpoint)
        request.owner = await route.owner(request)
        self._find_stored()
        tasks = self._active.tasks
        match operation:
            case "stored run", name:
                runs, documents = cast(StoredRuns, self._runs), cast(RunDocuments, self._documents)
                return await stored_run_response(runs, documents, name, request)
            case "run of a thread", name:
                if self._runs is None:
                    raise RunNotFound(NOT_KEPT)
                if name == "events":
                    return await thread_events(route, self._runs, request, tasks)
                if not operation.starts:
                    runs_of_thread = ThreadRuns(route, self._runs, request, self._active)
                    return await runs_of_thread.response(name, endpoint)
            case "thread", name:
                return await thread_response(route, endpoint, name, request, tasks)
        if (position := last_event_id(request)) is not None:
            return await reconnect_response(self._runs, request, position)
        if operation.name == "command":
            return await command_response(route, endpoint, request, tasks, self._start)
        return await self._start()

    def location(self, run_id: str) -> str:
        """Return the URL of a run, relative to that of the request."""
        path = self._route.format_class.run_resource.path(run_id)
        return run_location(path, client_path(self._request), self._endpoint)

    def _find_stored(self) -> None:
        """Find the caller's stored runs, if the route stores runs."""
        route, policy = self._route, self._route.resume_policy
        if policy is None:
            return
        takeover = None
        if policy.continues:
            about = self._request, self._active, self._hold, self._telemetry
            takeover = RunTakeover(route, policy, *about)
        path = route_path(self._request.scope["path"], self._endpoint)
        self._runs = StoredRuns(route, policy, self._request.owner, path, takeover)
        self._documents = RunDocuments(route, policy, self._runs, self._active)

    async def _start(self) -> LiveStream | StoredRunReader | StoredDocument | Response:
        """Start the run that the request asks for, unless it has been started before."""
        route, request = self._route, self._request
        if request.method == "HEAD":
            return headers_only(route)
        await self._active.gate.wait_turn()
        format, spec, *_ = await parse(route, self._endpoint, request)
        stores = isinstance(spec, RunSpec) and is_stored(request, format, spec)
        runs = self._runs if stores else None
        key = None if runs is None else runs.key_name(request)
        async with key_held(route.thread_policy, key):
            answer = (runs and await runs.repeated(request)) or await self._begin(runs)
        if runs is None or not isinstance(answer, StoredRunReader):
            return answer
        spec = cast(RunSpec, spec)
        answer.location = self.location(answer.run_id)
        if spec.background:
            return runs.background_response(answer, format.run_object(answer.record))
        if is_gathered(request, format, spec):
            return StoredDocument(answer, format, route, self._active.tasks)
        return answer

    async def _begin(self, runs: StoredRuns | None) -> LiveStream | StoredRunReader | Response:
        """Begin a run, which is stored if there are `runs`."""
        route, request, active = self._route, self._request, self._active
        documents = self._documents
        with RunSlot(self._hold) as slot:
            run = await prepare(
                route,
                self._endpoint,
                request,
                active.tasks,
                slot.take,
                telemetry=self._telemetry,
                recall=None if documents is None else documents.recall,
            )
            if isinstance(run, Document):
                return self._responded(run)
            with run.held:  # which the run takes over when it begins, like the slot
                if runs is not None:
                    origin = None
                    if route.continues:
                        origin = StoredRequest.of(self._endpoint, request, run.spec).encode()
                    return await runs.begin(run, request, active, slot.hand_over, origin)
                stream = LiveStream(run, route, tasks=active.tasks)
                stream.on_leave = slot.hand_over()
                stream.begin()
                return stream

    def _responded(self, document: Document) -> Response:
        """Return a document as a response, and cancel the runs that it is about."""
        if document.cancels:
            key = self._route.path, self._request.owner, document.cancels
            for stream in tuple(self._active.streams):
                if isinstance(stream, LiveStream) and stream.cancel_key == key:
                    stream.fail(RunCancelled())
        return document_response(document)
