"""What clients ask of runs that are stored: to begin one, to join, to look, to stop."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from hashlib import sha256
from posixpath import relpath
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from .._delivery.buffer import nothing
from .._delivery.response import json_response, nothing_left
from .._lifecycle.active import ActiveRuns
from .._request.accept import accept_of, names_event_stream, wants_json
from .._request.prepare import Prepared
from .._request.query import last_event_id
from .._routing.bound import BoundRoute
from ..errors import InvalidInput, InvalidRequest, RunNotFound, StoreUnavailable
from ..resume import Resume
from ..serialize import to_json
from ..stores import OwnershipLost, Quota, RunRecord
from .reader import BEYOND, StoredRunReader
from .recorder import RunRecorder

Hold = Callable[[], None]

MAX_KEY = 255
"""Characters of an ``Idempotency-Key``, as the field's large APIs have it."""

_id = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_no_segment = re.compile(r"[/?#\\\x00-\x1f]|%[0-9a-fA-F]{2}|^\.\.?$")
"""What a client's URL parser makes another path of (https://url.spec.whatwg.org/#url-parsing)."""
_position = re.compile(f"(?:(?P<run>{_id}):)?(?P<n>-1|[0-9]{{1,18}})")


class Finished(Exception):
    """The run has ended, and its reader has all of it."""


class StoredRuns:
    """The stored runs of one route, as one caller may see them.

    Args:
        route: The route, with its `resume`.
        resume: That.
        owner: What ``authorize`` returned for the caller.
        path: The route's, with its parameters as the request has them.
    """

    def __init__(self, route: BoundRoute, resume: Resume, owner: str | None, path: str) -> None:
        self._route = route
        self._resume = resume
        self._owner = owner
        self._path = path
        self._store = resume.opened

    async def begin(
        self, prepared: Prepared, request: Request, here: ActiveRuns, hold: Callable[[], Hold]
    ) -> StoredRunReader:
        """Start a run that outlives the request, or join the one that the request repeats.

        Args:
            prepared: What to run, and how to answer.
            request: With an ``Idempotency-Key``, perhaps.
            here: What holds the run.
            hold: Called when a new one begins; what it returns is called at the end.

        Raises:
            InvalidRequest: The key is too long.
            InvalidInput: The key was used for another request.
            TooManyOwned: The caller has as many as may go on at once.
            StoreUnavailable: The store cannot be reached.
            StreamError: What `hold` raises.
        """
        key = request.headers.get("idempotency-key", "").strip() or None
        if key is not None and len(key) > MAX_KEY:
            raise InvalidRequest(f"The Idempotency-Key has more than {MAX_KEY} characters.")
        called = prepared.call.place
        if called is not None and _no_segment.search(called):
            what = "expected no slash, '?' or '#': it is a part of the run's address"
            raise InvalidInput(f"id: {what}", fields={"id": what})
        record = RunRecord(
            run_id=str(prepared.request.run_id),
            route=self._path,
            owner=self._owner,
            fingerprint="" if key is None else _fingerprint(prepared, request),
            created=time.time(),
        )
        name = self._name("key", key)
        known = name and await self._store.named(name)
        if not known:
            run = RunRecorder(prepared, self._route, self._resume, record, tasks=here.tasks)
            place = self._name("place", prepared.call.place)
            release = hold()
            try:
                known = await self._store.create(
                    run, keep=self._resume.keep, place=place, key=name, quota=self._quota()
                )
                if known == record.run_id:
                    replay = StoredRunReader(record, 0, self._route, self._store, run)
                    await replay.follow()
                    here.keep(run, release)
                    release = nothing
                    run.begin()
                    return replay
            except OwnershipLost as error:
                raise StoreUnavailable from error
            finally:
                release()
        same = await self.find(known)
        if same.fingerprint != record.fingerprint:
            raise InvalidInput("The Idempotency-Key was used for another request.")
        return await self.join(known, None)

    async def join(
        self, run_id: str, position: str | None, *, emptily: bool = False
    ) -> StoredRunReader:
        """Read a run from a position on.

        Args:
            run_id: The run.
            position: The ``Last-Event-ID``; without one, from the first frame.
            emptily: If there is nothing left to read, read nothing.

        Raises:
            Finished: There is nothing left to read.
            InvalidRequest: `position` is not one.
            InvalidInput: It is of another run, or none that the run has come to.
            RunNotFound: There is no such run for this caller.
            StoreUnavailable: The store cannot be reached.
        """
        record = await self.find(run_id)
        after = 0
        if position is not None:
            of, after = read_position(position)
            if of is not None and of != run_id:
                raise InvalidInput("The Last-Event-ID is one of another run.")
            if after > record.frames and record.certain:
                raise InvalidInput(BEYOND)
            if record.ended is not None and after == record.frames and not emptily:
                raise Finished
        replay = StoredRunReader(record, after, self._route, self._store)
        await replay.follow()
        return replay

    async def find(self, run_id: str) -> RunRecord:
        """
        Raises:
            RunNotFound: There is no such run of this route and this caller.
            StoreUnavailable: The store cannot be reached.
        """
        record = await self._store.find(run_id) if _is_id(run_id) else None
        if record is None or (record.route, record.owner) != (self._path, self._owner):
            raise RunNotFound
        return record

    async def at(self, place: str) -> str:
        """The id of the newest run at what the client calls `place`.

        Raises:
            RunNotFound: There is none.
            StoreUnavailable: The store cannot be reached.
        """
        run_id = await self._store.named(str(self._name("place", place)))
        if run_id is None:
            raise RunNotFound
        return run_id

    async def own(self) -> list[RunRecord]:
        """The caller's runs of this route, the newest first; none of a caller without a name."""
        if self._owner is None:
            return []
        found = await self._store.owned(self._owner)
        return [record for record in found if record.route == self._path]

    async def stop(self, run_id: str) -> RunRecord:
        """Ask for the end of a run. What is known of it before.

        Raises:
            RunNotFound: There is no such run for this caller.
            StoreUnavailable: The store cannot be reached.
        """
        record = await self.find(run_id)
        if record.ended is None:
            await self._store.stop(run_id)
        return record

    def told(self, record: RunRecord) -> object:
        """What the caller is told of a run."""
        return self._route.format_class().run_object(record)

    def _quota(self) -> Quota | None:
        limit, name = self._resume.per_owner, self._name("quota", self._owner)
        return None if limit is None or name is None else Quota(name, limit)

    def _name(self, kind: str, given: str | None) -> str | None:
        """A name that no other owner and no other route can mean."""
        if given is None:
            return None
        return sha256(to_json([self._path, self._owner, kind, given])).hexdigest()


async def answer_about(
    runs: StoredRuns, asked: str, request: Request
) -> StoredRunReader | Response:
    """The answer to what is asked of stored runs, in the words of `Format.runs`.

    Raises:
        StreamError: There is no such run for the caller, or not what it asks for.
    """
    if asked == "list":
        return json_response({"runs": [runs.told(record) for record in await runs.own()]})
    params = request.path_params
    position = last_event_id(request)
    try:
        run_id = params["run_id"] if "run_id" in params else await runs.at(params["place"])
        if asked == "stop":
            record = await runs.stop(run_id)
            return json_response(runs.told(record), 200 if record.ended else 202)
        if asked == "state" or (asked == "show" and wants_json(accept_of(request))):
            return json_response(runs.told(await runs.find(run_id)))
        if "place" in params and (await runs.find(run_id)).ended is not None:
            raise Finished
        # 204 is for who would come back for ever; another client may hold it for an error.
        return await runs.join(run_id, position, emptily=asked == "join")
    except Finished:
        return nothing_left()
    except RunNotFound:
        if (asked == "join" and "place" in params) or _comes_back_by_itself(request):
            return nothing_left()
        raise


async def come_back(
    runs: StoredRuns | None, request: Request, position: str
) -> StoredRunReader | Response:
    """The answer to a request with a ``Last-Event-ID``, which never starts a run.

    A browser's ``EventSource`` comes back after the end and after a drop, to the address that it
    had. Only 204 stops it; anything else and it would run the whole answer again, for ever.

    Raises:
        StreamError: There is no such run for the caller, or not what it asks for.
    """
    try:
        if runs is None:
            raise RunNotFound
        run_id, _ = read_position(position)
        return await runs.join(run_id or "", position)
    except Finished:
        return nothing_left()
    except (InvalidRequest, RunNotFound) as error:
        if request.method == "GET" and not isinstance(error, InvalidInput):
            return nothing_left()
        raise


def path_of(path: str, endpoint: str) -> str:
    """The route's part of a request's `path`, which ends with one of its `endpoint`."""
    return "/".join(path.rstrip("/").split("/")[: -endpoint.count("/") or None])


def seen_path(request: Request) -> str:
    """The request's path, with a slash at its end only if its client has written one.

    Litestar adds one to the path that a mounted app sees.
    """
    path: str = request.scope["path"]
    raw: bytes = request.scope.get("raw_path") or path.encode()
    return path if raw.endswith(b"/") else path.rstrip("/")


def place_of(run_id: str, path: str, endpoint: str) -> str:
    """Where a run is, relative to a request's `path`, which need not begin where the client's does.

    Args:
        run_id: The run.
        path: The request's, which may have a slash at its end.
        endpoint: The part of it that is below the route's own.
    """
    route = path_of(path, endpoint)
    folder = path.rpartition("/")[0] or "/"
    return quote(relpath(f"{route}/runs/{run_id}", folder))


def _comes_back_by_itself(request: Request) -> bool:
    """Whether it is a browser's ``EventSource`` that has lost its connection."""
    streamed = names_event_stream(accept_of(request))
    return request.method == "GET" and streamed and last_event_id(request) is not None


def read_position(text: str) -> tuple[str | None, int]:
    """The run, if it says which, and the frame that a ``Last-Event-ID`` stands for.

    Raises:
        InvalidRequest: It is not one of ours.
    """
    match = _position.fullmatch(text)
    if match is None:
        raise InvalidRequest("The Last-Event-ID is not one that this server has sent.")
    return match["run"], max(0, int(match["n"]))


def _is_id(text: str) -> bool:
    return re.fullmatch(_id, text) is not None


def _fingerprint(prepared: Prepared, request: Request) -> str:
    asked = [request.url.path, request.url.query, prepared.body]
    return sha256(to_json(asked)).hexdigest()
