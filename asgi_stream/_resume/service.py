"""The stored runs of a route, as one caller may see them."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from hashlib import sha256

from starlette.requests import Request
from starlette.responses import Response

from .._delivery.response import RUN_ID, json_response
from .._langchain.run_request import RunRequest
from .._lifecycle.active import ActiveRuns
from .._routing.bound import BoundRoute
from ..errors import InvalidInput, InvalidRequest, RunNotFound, StoreUnavailable
from ..resume import Resume
from ..serialize import to_json
from ..stores import OwnershipLost, Quota, RunRecord
from .reader import StoredRunReader
from .recorder import RunRecorder
from .urls import AHEAD_OF_RUN, is_run_id, is_segment, read_position

Release = Callable[[], None]
Hold = Callable[[], Release]

MAX_KEY = 255
"""Characters of an ``Idempotency-Key``, the limit of most public APIs."""

CONVERSATION = "place"
"""Goes into the names of conversations in a store; a change would orphan those that exist."""


class Finished(Exception):
    """The run has ended, and its reader has all of it."""


class StoredRuns:
    """The stored runs of one route, as one caller may see them.

    Args:
        route: The route.
        resume: How its runs are stored.
        owner: What ``authorize`` returned for the caller.
        path: The route's path, with the request's values for its parameters.
    """

    def __init__(self, route: BoundRoute, resume: Resume, owner: str | None, path: str) -> None:
        self._route = route
        self._resume = resume
        self._owner = owner
        self._path = path
        self._store = resume.opened

    async def begin(
        self, run_request: RunRequest, request: Request, here: ActiveRuns, hold: Hold
    ) -> StoredRunReader:
        """Start a run that outlives the request, or join the run that the request repeats.

        Args:
            run_request: The run.
            request: The request, perhaps with an ``Idempotency-Key``.
            here: Holds the run while it goes on.
            hold: Counts a new run; what it returns takes it back, and is called at the run's end.

        Raises:
            InvalidRequest: The key is too long.
            InvalidInput: The key was used for another request, or the conversation's id does not
                fit in a URL.
            TooManyOwned: The caller has as many unfinished runs as allowed.
            StoreUnavailable: The store cannot be reached.
            StreamError: What `hold` raises.
        """
        key = _idempotency_key(request)
        _check_conversation_id(run_request.spec.conversation_id)
        record = RunRecord(
            run_id=str(run_request.run_id),
            route=self._path,
            owner=self._owner,
            fingerprint="" if key is None else _fingerprint(run_request, request),
            created=time.time(),
            thread=run_request.thread_id,
            model=run_request.spec.model,
        )
        name = self._name("key", key)
        existing = name and await self._store.named(name)
        if not existing:
            reader = await self._create(run_request, record, name, here, hold)
            if isinstance(reader, StoredRunReader):
                return reader
            existing = reader
        if (await self.find(existing)).fingerprint != record.fingerprint:
            raise InvalidInput("The Idempotency-Key has already been used for a different request.")
        return await self.join(existing, None)

    async def _create(
        self,
        run_request: RunRequest,
        record: RunRecord,
        key: str | None,
        here: ActiveRuns,
        hold: Hold,
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
                )
                if run_id != record.run_id:
                    return run_id
                reader = StoredRunReader(record, 0, self._route, self._store, run)
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
        reader = StoredRunReader(record, after, self._route, self._store)
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

    def left_alone(self, reader: StoredRunReader) -> Response:
        """Return the response to the request for a run in the background: its record."""
        reader.leave()
        headers = {RUN_ID: reader.run_id, **reader.headers}
        return json_response(self.public(reader.record), headers=headers)

    def public(self, record: RunRecord) -> object:
        """Return the part of a run's record that a client may see."""
        return self._route.format_class().run_object(record)

    def _quota(self) -> Quota | None:
        limit, owner = self._resume.per_owner, self._owner
        if limit is None or owner is None:
            return None
        # Of the route: a client chooses the values of the parameters in its path.
        return Quota(_hashed(self._route.path, owner, "quota", owner), limit)

    def _name(self, kind: str, value: str | None) -> str | None:
        """Return a name for the store that no other owner or route can choose."""
        return None if value is None else _hashed(self._path, self._owner, kind, value)


def _hashed(*parts: str | None) -> str:
    return sha256(to_json(parts)).hexdigest()


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key", "").strip()
    if len(key) > MAX_KEY:
        raise InvalidRequest(f"The Idempotency-Key is longer than {MAX_KEY} characters.")
    return key or None


def _check_conversation_id(conversation_id: str | None) -> None:
    if conversation_id is not None and not is_segment(conversation_id):
        problem = "must not contain a slash, '?' or '#', because it is part of the run's URL"
        raise InvalidInput(f"id: {problem}", fields={"id": problem})


def _fingerprint(run_request: RunRequest, request: Request) -> str:
    return sha256(to_json([request.url.path, request.url.query, run_request.spec.body])).hexdigest()
