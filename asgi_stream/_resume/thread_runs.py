"""The stored runs of a thread: list, show, join and stop them, or wait for what they result in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from typing import cast

from starlette.responses import Response

from .._delivery.response import NOT_STORED, json_response, no_content
from .._langchain.threads.graph_thread import GraphThread
from .._langchain.threads.state import PublicState
from .._lifecycle.active import ActiveRuns
from .._lifecycle.gate import gather_bounded
from .._request.query import last_event_id, read_query
from .._request.thread_graph import thread_graph
from .._request.turn import checked_id, graph_thread
from .._routing.bound import BoundRoute
from ..errors import RunCancelled, RunNotFound, StoreUnavailable, ThreadBusy, ThreadNotFound
from ..events import RunError, RunFinished, Step
from ..formats import STORED_THREAD, FormatRequest, Frame
from ..requests import StreamRequest
from ..resume import Resume
from ..stores import RunRecord
from ..stores.claimed import claimed
from ..stores.rollback import is_marked, rolling_back
from ..threads import Threads, thread_scope
from .reader import StoredRunReader
from .run_documents import held
from .stored_runs import StoredRuns
from .urls import is_run_id

POLL_SECONDS = 0.1
"""How often is looked whether a run that is to be rolled back has stopped."""

NOT_KEPT = "This server keeps no runs."
"""The error of a route without ``resume``."""


class ThreadRuns:
    """The stored runs of one thread, as one caller may see them.

    Args:
        route: The route.
        runs: The stored runs of the route and the caller.
        request: The request, with the thread in its path.
        active: Holds what waits for a run.
    """

    def __init__(
        self,
        route: BoundRoute,
        runs: StoredRuns,
        request: StreamRequest,
        active: ActiveRuns,
    ) -> None:
        self._route = route
        self._format = route.format_class()
        self._store = cast(Threads, route.thread_policy).opened
        self._runs = runs
        self._request = request
        self._active = active
        self._thread_id = checked_id(request.path_params[STORED_THREAD])
        self._scope = thread_scope(route.thread_path, request.owner)

    async def response(self, operation: str, endpoint: str) -> StoredRunReader | Response:
        """Return the response to the request.

        Args:
            operation: What to do, one of the operations of `Format.thread_runs`.
            endpoint: The endpoint that was requested.

        Raises:
            StreamError: The caller has no such thread or run, or the request is not valid.
        """
        if operation == "list":
            return await self._list(endpoint)
        run_id = self._request.path_params["run_id"]
        match operation:
            case "join":
                return await self._join(run_id)
            case "result":
                record = await self._find(run_id)
                return json_response(await self._result(record))
            case "stop":
                return await self._stop(await self._find(run_id))
            case "delete":
                if (await self._find(run_id)).ended is None:
                    raise ThreadBusy("The run is in progress; cancel it first.")
                await cast(Resume, self._route.resume_policy).opened.delete(run_id)
                return no_content()
        return json_response(self._runs.public(await self._find(run_id)))

    async def _find(self, run_id: str) -> RunRecord:
        record = await self._runs.find(run_id)
        if record.thread != self._thread_id:
            raise RunNotFound
        return record

    async def _list(self, endpoint: str) -> Response:
        _, _, query = read_query(self._request, self._route.limits, configurable=(), narrows=False)
        thread = await self._store.find(self._scope, self._thread_id)
        if thread is None:
            await self._check_thread()

        async def record_of(run_id: str) -> RunRecord | None:
            try:
                return await self._find(run_id)
            except RunNotFound:  # it is not kept any more
                return None

        kept = await gather_bounded(record_of, thread.runs if thread else ())
        records = [each for each in kept if each is not None]
        request = FormatRequest(endpoint=endpoint, body=query, params=self._request.path_params)
        return json_response(self._format.runs_document(records, request))

    async def _join(self, run_id: str) -> StoredRunReader | Response:
        _, _, query = read_query(self._request, self._route.limits, configurable=(), narrows=False)
        joined_frame = self._format.joined_frames(query)
        try:
            await self._find(run_id)
            reader = await self._runs.join(run_id, last_event_id(self._request), if_finished=True)
        except RunNotFound:
            if not is_run_id(run_id):
                raise
            await self._check_thread()
            # Clients take an error for one of the run; it has ended, and is not kept any more.
            end = self._format.encode(RunFinished(Step(run_id, "", "chain"), None))
            return Response(end, headers=NOT_STORED, media_type=self._format.media_type)
        reader.joined_frame = joined_frame
        if self._flag("cancel_on_disconnect"):
            reader.on_leave = lambda: self._active.tasks.spawn(self._left(run_id))
        return reader

    async def _left(self, run_id: str) -> None:
        """Stop a run that its reader does not want to go on without it."""
        with suppress(RunNotFound, StoreUnavailable):
            await self._runs.stop(run_id)

    async def _stop(self, record: RunRecord) -> Response:
        if record.ended is not None:
            raise RunNotFound("The run has ended.")
        reader = await self._runs.join(record.run_id, str(record.frames), if_finished=True)
        # A run that still waits has written nothing.
        wanted = self._request.query_params.get("action") == "rollback" and bool(record.started)
        about = self._store, record.run_id, self._route.thread_path
        async with AsyncExitStack() as stack:
            rolls_back = await stack.enter_async_context(rolling_back(*about, wanted=wanted))
            await self._runs.stop(record.run_id)
            if self._flag("wait"):
                await self._ended(reader)
                if rolls_back:
                    await self._roll_back(record)
                return json_response(await self._values(record))
            reader.leave()
            if rolls_back:
                self._active.tasks.spawn(self._roll_back(record, stack.pop_all()))
        return Response(status_code=202, headers=NOT_STORED)

    async def _result(self, record: RunRecord) -> object:
        """Return what a run results in, once it has ended."""
        position = max(0, record.frames - 1)
        reader = await self._runs.join(record.run_id, str(position), if_finished=True)
        reader.joined_frame = self._format.joined_frames({})
        last = await self._ended(reader)
        for end in self._format.decode(Frame.parse(last)):
            if isinstance(end, RunError) and end.code != RunCancelled.code:
                return self._format.failure(end)
        return await self._values(record)

    async def _ended(self, reader: StoredRunReader) -> bytes:
        """Read a run to its end, and return its last frame."""
        last = b""
        with held(reader, self._active, self._request):
            async for frame in reader.frames():
                last = frame
        return last

    async def _values(self, record: RunRecord) -> object:
        async with self._graph_thread(record.model) as thread:
            state = PublicState(thread).of(await thread.state())
        values, interrupts = state["values"], state["interrupts"]
        if not interrupts:
            return values
        # What an ``@entrypoint`` has returned before is no part of this run.
        values = values if isinstance(values, Mapping) else {}
        return {**values, "__interrupt__": interrupts}

    async def _roll_back(self, record: RunRecord, held: AsyncExitStack | None = None) -> None:
        """Bring the thread back to where it was before a run that is being stopped.

        Args:
            record: The run.
            held: What keeps the run from giving up its thread, closed after that.
        """
        claims = self._route.claims(record.model, self._request.owner)
        place = self._scope, self._thread_id
        async with held or AsyncExitStack(), self._graph_thread(record.model) as thread:
            while await is_marked(self._store, record.run_id):
                # A run that has ended otherwise, or whose worker is dead, does not answer.
                async with claimed(claims, *place) as claim:
                    if claim.taken:
                        await thread.roll_back([record.run_id])
                        return
                await asyncio.sleep(POLL_SECONDS)
            await thread.roll_back([record.run_id])

    async def _check_thread(self) -> None:
        """Raise `ThreadNotFound` unless the caller has the thread."""
        record = await self._store.find(self._scope, self._thread_id)
        if record is not None:
            return
        async with self._graph_thread(None) as thread:
            snapshot = await thread.state()
        if snapshot.created_at is None:
            raise ThreadNotFound

    @asynccontextmanager
    async def _graph_thread(self, model: str | None) -> AsyncGenerator[GraphThread, None]:
        route, request, tasks = self._route, self._request, self._active.tasks
        with ExitStack() as held:
            name = model if model in route.runnables else None
            name = name or await thread_graph(route, request, self._thread_id, held, tasks)
            runnable = await route.resolve(request, name, held, tasks)
            yield graph_thread(route, route.served(runnable), self._thread_id, request.owner)

    def _flag(self, name: str) -> bool:
        return self._request.query_params.get(name, "").lower() in ("1", "true")
