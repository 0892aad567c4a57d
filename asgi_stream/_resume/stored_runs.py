"""The stored runs of a route, as one caller may see them."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

from starlette.responses import Response

from .._delivery.response import json_response
from .._headers import RUN_ID
from .._langchain.run_request import RunRequest
from .._lifecycle.active import ActiveRuns
from .._routing.bound import BoundRoute
from ..errors import InvalidInput, RunNotFound, StoreUnavailable, WorkerLost
from ..requests import StreamRequest
from ..resume import Resume
from ..stores import OwnershipLost, Quota, RunRecord
from .reader import StoredRunReader, Takeover
from .recorder import RunRecorder
from .run_names import check_conversation_id, fingerprint_of, hashed, idempotency_key
from .urls import AHEAD_OF_RUN, is_run_id, read_position

Hold = Callable[[], Callable[[], None]]

CONVERSATION = "place"  # in the names of conversations in a store; a change would orphan those


class Finished(Exception):
    """The run has ended, and its reader has all of it."""


class StoredRuns:
    """The stored runs of one route, as one caller may see them.

    Args:
        route: The route.
        resume: How its runs are stored.
        owner: What ``authorize`` returned for the caller.
        path: The route's path, with the request's values for its parameters.
        takeover: Goes on with runs whose worker has died.
    """

    def __init__(
        self,
        route: BoundRoute,
        resume: Resume,
        owner: str | None,
        path: str,
        takeover: Takeover | None = None,
    ) -> None:
        self._route = route
        self._resume = resume
        self._owner = owner
        self._path = path
        self._takeover = takeover
        self._store = resume.opened

    def key_name(self, request: StreamRequest) -> str | None:
        """Return the store's name for a request's ``Idempotency-Key``, None without one."""
        return self._name("key", idempotency_key(request))

    async def repeated(self, request: StreamRequest) -> StoredRunReader | None:
        """Join the run that a request has started before, by its ``Idempotency-Key``.

        Raises:
            StreamError: The key is too long, or another request's; or the store cannot be reached.
        """
        name = self.key_name(request)
        existing = None if name is None else await self._store.named(name)
        return None if existing is None else await self._joined(existing, request)

    async def begin(
        self,
        run_request: RunRequest,
        request: StreamRequest,
        here: ActiveRuns,
        hold: Hold,
        origin: bytes | None = None,
    ) -> StoredRunReader:
        """Start a run that outlives the request, or join the run that the request repeats.

        Args:
            run_request: The run.
            request: The request, perhaps with an ``Idempotency-Key``.
            here: Holds the run while it goes on.
            hold: Counts a new run; what it returns takes it back, and is called at the run's end.
            origin: What another worker needs to go on with the run.

        Raises:
            InvalidInput: The key is another request's, or the conversation's id fits in no URL.
            TooManyOwned: The caller has as many unfinished runs as allowed.
            StoreUnavailable: The store cannot be reached.
            StreamError: What `hold` raises.
        """
        check_conversation_id(run_request.spec.conversation_id)
        name = self.key_name(request)
        record = self._record(run_request, None if name is None else request)
        reader = await self._create(run_request, record, name, here, hold, origin)
        return await self._joined(reader, request) if isinstance(reader, str) else reader

    async def _joined(self, run_id: str, request: StreamRequest) -> StoredRunReader:
        """Join the run that has the key of a request."""
        if (await self.find(run_id)).fingerprint != fingerprint_of(request):
            raise InvalidInput("The Idempotency-Key has already been used for a different request.")
        return await self.join(run_id, None)

    def _record(self, run_request: RunRequest, keyed: StreamRequest | None) -> RunRecord:
        """Return the record of a run that is about to begin, of a request with a key perhaps."""
        return RunRecord(
            run_id=str(run_request.run_id),
            route=self._path,
            owner=self._owner,
            fingerprint="" if keyed is None else fingerprint_of(keyed),
            created=time.time(),
            thread=run_request.thread_id,
            model=run_request.spec.model,
        )

    async def _create(
        self,
        run_request: RunRequest,
        record: RunRecord,
        key: str | None,
        here: ActiveRuns,
        hold: Hold,
        origin: bytes | None,
    ) -> StoredRunReader | str:
        """Start a run and return its first reader; or the id of the run that has its key."""
        run = RunRecorder(run_request, self._route, self._resume, record, tasks=here.tasks)
        conversation_id = self._name(CONVERSATION, run_request.spec.conversation_id)
        with ExitStack() as stack:
            stack.callback(hold())
            try:
                run_id = await self._store.create(
                    run,
                    keep=self._resume.keep,
                    conversation_id=conversation_id,
                    key=key,
                    quota=self._quota(),
                    origin=origin,
                )
                if run_id != record.run_id:
                    return run_id
                reader = StoredRunReader(record, 0, self._route, self._store, run, self._takeover)
                await reader.follow()
            except OwnershipLost as error:
                raise StoreUnavailable from error
            here.keep(run, stack.pop_all().close)
        run.begin()
        return reader

    async def join(
        self, run_id: str, position: str | None, *, if_finished: bool = False
    ) -> StoredRunReader:
        """Read a run from a position on.

        Args:
            run_id: The run.
            position: The ``Last-Event-ID``; ``None`` reads from the first frame.
            if_finished: Return a reader even if there is nothing left to read.

        Raises:
            Finished: There is nothing left to read.
            InvalidRequest: `position` is not a position.
            InvalidInput: It belongs to another run, or is ahead of this one.
            RunNotFound: The caller has no such run.
            StoreUnavailable: The store cannot be reached.
        """
        record = await self.find(run_id)
        after = 0
        if position is not None:
            position_run, after = read_position(position)
            if position_run is not None and position_run != run_id:
                raise InvalidInput("The Last-Event-ID belongs to another run.")
            if after > record.frames and record.certain:
                raise InvalidInput(AHEAD_OF_RUN)
            if record.ended is not None and after == record.frames and not if_finished:
                raise Finished
        reader = StoredRunReader(record, after, self._route, self._store, None, self._takeover)
        await reader.follow()
        return reader

    async def find(self, run_id: str) -> RunRecord:
        """Return the record of a run.

        Raises:
            RunNotFound: This caller has no such run of this route.
            StoreUnavailable: The store cannot be reached.
        """
        record = await self._store.find(run_id) if is_run_id(run_id) else None
        if record is None or (record.route, record.owner) != (self._path, self._owner):
            raise RunNotFound
        if self._takeover is not None and record.ended is None and record.code == WorkerLost.code:
            # It goes on with the next reader.
            record = replace(record, state="running" if record.started else "pending", code=None)
        return record

    async def newest(self, conversation_id: str) -> str:
        """Return the id of the newest run of a conversation.

        Raises:
            RunNotFound: There is none.
            StoreUnavailable: The store cannot be reached.
        """
        run_id = await self._store.named(str(self._name(CONVERSATION, conversation_id)))
        if run_id is None:
            raise RunNotFound
        return run_id

    async def owned(self) -> list[RunRecord]:
        """Return the caller's runs of this route, newest first; none for an anonymous caller."""
        if self._owner is None:
            return []
        records = await self._store.owned(self._owner)
        return [record for record in records if record.route == self._path]

    async def stop(self, run_id: str) -> RunRecord:
        """Request the end of a run, and return its record from before.

        Raises:
            RunNotFound: The caller has no such run.
            StoreUnavailable: The store cannot be reached.
        """
        record = await self.find(run_id)
        if record.ended is None:
            await self._store.stop(run_id)
        return record

    def background_response(self, reader: StoredRunReader, document: object) -> Response:
        """Return the response to the request for a run in the background: what it is so far."""
        reader.leave()
        return json_response(document, headers={RUN_ID: reader.run_id, **reader.headers})

    def public(self, record: RunRecord) -> object:
        """Return the part of a run's record that a client may see."""
        return self._route.format_class().run_object(record)

    def _quota(self) -> Quota | None:
        limit, owner = self._resume.per_owner, self._owner
        if limit is None or owner is None:
            return None
        # Of the route: a client chooses the values of the parameters in its path.
        return Quota(hashed(self._route.path, owner, "quota", owner), limit)

    def _name(self, kind: str, value: str | None) -> str | None:
        """Return a name for the store that no other owner or route can choose."""
        return None if value is None else hashed(self._path, self._owner, kind, value)
