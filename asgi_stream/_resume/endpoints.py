"""The endpoints of stored runs: list, show, join and stop them, or reconnect to one."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from .._delivery.response import json_response, no_content
from .._request.accept import accept_of, names_event_stream, wants_json
from .._request.query import last_event_id
from ..errors import InvalidInput, InvalidRequest, RunNotFound
from ..formats import STORED_CONVERSATION
from .reader import StoredRunReader
from .run_documents import DOCUMENTED, RunDocuments
from .stored_runs import Finished, StoredRuns
from .urls import read_position


async def stored_run_response(
    runs: StoredRuns, documents: RunDocuments, operation: str, request: Request
) -> StoredRunReader | Response:
    """Return the response to a request about stored runs.

    Args:
        runs: The runs of the route and the caller.
        documents: Their documents.
        operation: What to do, one of the operations of `Format.runs`.
        request: The request.

    Raises:
        StreamError: The caller has no such run, or the request is not valid.
    """
    if operation == "list":
        return json_response({"runs": [runs.public(record) for record in await runs.owned()]})
    try:
        conversation = request.path_params.get(STORED_CONVERSATION)
        named = documents.run_id(request.path_params.get("run_id", ""))
        run_id = named if conversation is None else await runs.newest(conversation)
        if operation in DOCUMENTED:
            return await documents.response(operation, run_id, request)
        if operation == "stop":
            record = await runs.stop(run_id)
            return json_response(runs.public(record), 200 if record.ended else 202)
        if operation == "state" or (operation == "show" and wants_json(accept_of(request))):
            return json_response(runs.public(await runs.find(run_id)))
        if conversation is not None and (await runs.find(run_id)).ended is not None:
            raise Finished
        # Only an `EventSource` needs a 204; clients that join may take it for an error.
        joins = operation == "join"
        reader = await runs.join(run_id, last_event_id(request), if_finished=joins)
        reader.resumes = joins and conversation is not None
        return reader
    except Finished:
        return no_content()
    except RunNotFound:
        if (operation == "join" and conversation is not None) or _reconnects(request):
            return no_content()
        raise


async def reconnect_response(
    runs: StoredRuns | None, request: Request, position: str
) -> StoredRunReader | Response:
    """Return the response to a request with a ``Last-Event-ID``, which never starts a run.

    A browser's ``EventSource`` reconnects to the URL that it was opened with, even after the end of
    a stream. Only a 204 stops it: with anything else it would repeat the whole run forever.

    Args:
        runs: The runs of the route and the caller; ``None`` if the route stores none.
        request: The request.
        position: The ``Last-Event-ID``.

    Raises:
        StreamError: The caller has no such run, or the position is not valid.
    """
    try:
        if runs is None:
            raise RunNotFound
        run_id, _ = read_position(position)
        return await runs.join(run_id or "", position)
    except Finished:
        return no_content()
    except (InvalidRequest, RunNotFound) as error:
        if request.method == "GET" and not isinstance(error, InvalidInput):
            return no_content()
        raise


def _reconnects(request: Request) -> bool:
    """Return whether the request is an ``EventSource`` that has lost its connection."""
    streamed = names_event_stream(accept_of(request))
    return request.method == "GET" and streamed and last_event_id(request) is not None
