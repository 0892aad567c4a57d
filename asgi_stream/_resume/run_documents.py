"""The documents of stored runs: what a run has resulted in, as its format shows it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from starlette.requests import Request
from starlette.responses import Response

from .._delivery.response import json_response
from .._lifecycle.active import ActiveRuns
from .._lifecycle.gate import AT_ONCE
from .._lifecycle.server_sockets import address_of
from .._routing.bound import BoundRoute
from ..errors import RunNotFound
from ..formats import StoredRun
from ..resume import Resume
from ..stores import RunRecord
from .numbering import stored_frame
from .reader import StoredRunReader
from .stored_runs import StoredRuns

DOCUMENTED = ("retrieve", "cancel", "delete")
"""The operations of `Format.runs` that are about a run's document."""


@contextmanager
def held(reader: StoredRunReader, active: ActiveRuns, request: Request) -> Iterator[None]:
    """Hold the reader of a request that waits for a run, instead of a response; it leaves then."""
    active.add(reader, address_of(request.scope))
    try:
        yield
    finally:
        active.streams.pop(reader)
        reader.leave()


class RunDocuments:
    """The documents of one route's stored runs, as one caller may see them.

    Args:
        route: The route.
        resume: How its runs are stored.
        runs: The runs that the caller has.
        active: Holds what waits for a run.
    """

    def __init__(
        self, route: BoundRoute, resume: Resume, runs: StoredRuns, active: ActiveRuns
    ) -> None:
        self._resource = route.format_class.run_resource
        self._store = resume.opened
        self._runs = runs
        self._active = active

    async def recall(self, run_ids: Sequence[str]) -> dict[str, StoredRun]:
        """Return those of these runs that the caller has, by their ids.

        Soon after one that the caller does not have it looks for no more: the request is refused,
        and a client can invent thousands.
        """

        async def recalled(run_id: str) -> StoredRun | None:
            try:
                return await self._of(await self._runs.find(run_id))
            except RunNotFound:
                return None

        unique = [*dict.fromkeys(run_ids)]
        known: dict[str, StoredRun] = {}
        while len(known) < len(unique):
            some = unique[len(known) : len(known) + AT_ONCE]
            runs = await asyncio.gather(*map(recalled, some))
            known |= {id_: run for id_, run in zip(some, runs, strict=True) if run is not None}
            if None in runs:
                break
        return known

    def run_id(self, name: str) -> str:
        """Return the id of the run that a client names so."""
        return self._resource.run_id(name)

    async def response(
        self, operation: str, run_id: str, request: Request
    ) -> StoredRunReader | Response:
        """Return the response to a request about a run: its document, or its frames.

        Args:
            operation: What to do, one of `DOCUMENTED`.
            run_id: The run.
            request: The request.

        Raises:
            StreamError: The caller has no such run, or the request is not valid.
        """
        if operation == "retrieve":
            position = self._resource.position(request.query_params)
            if position is not None:
                return await self._runs.join(run_id, str(position), if_finished=True)
        else:
            await self._stop(run_id, request)
        if operation == "delete":
            await self._store.delete(run_id)
            return json_response(self._resource.deleted(run_id))
        run = await self._of(await self._runs.find(run_id))
        return json_response(self._resource.document(run))

    async def _stop(self, run_id: str, request: Request) -> None:
        record = await self._runs.find(run_id)
        if record.ended is not None:
            return
        reader = await self._runs.join(run_id, str(record.frames), if_finished=True)
        with held(reader, self._active, request):
            await self._runs.stop(run_id)
            async for _ in reader.frames():
                pass

    async def _of(self, record: RunRecord) -> StoredRun:
        if record.ended is None:
            first = await stored_frame(self._store, record.run_id, 1)
            return StoredRun(record, first=first)
        last = await stored_frame(self._store, record.run_id, record.frames)
        return StoredRun(record, last=last)
