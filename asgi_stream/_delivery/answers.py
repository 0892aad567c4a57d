"""The answers that are not streams."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ..errors import StreamError
from ..events import RunError
from ..formats import Format
from ..routes import StreamRoute
from ..serialize import to_json
from .reports import reported

RUN_ID = "X-Run-ID"
FORMAT = "X-Stream-Format"
"""Tells clients of this package how to read an answer."""
NOT_STORED = {"Cache-Control": "no-store, no-transform"}


def json_response(
    body: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    all_headers = {**NOT_STORED, **(headers or {})}
    return Response(to_json(body), status, all_headers, media_type="application/json")


def nothing_left() -> Response:
    """There is nothing more to read, and no use in coming back."""
    return Response(status_code=204, headers=NOT_STORED)


async def refuse(
    exception: Exception,
    scope: Scope,
    receive: Receive,
    send: Send,
    route: StreamRoute | None = None,
) -> RunError:
    """Answer with an error instead of a stream. What is told of it."""
    if isinstance(exception, HTTPException):
        detail: object = exception.detail  # which FastAPI lets be anything
        exception = StreamError(
            detail if isinstance(detail, str) else to_json(detail).decode(),
            code="refused",
            status=exception.status_code,
            headers=exception.headers,
        )
    error = reported(exception, route)
    await error_response(error, route)(scope, receive, send)
    return error


def error_response(
    error: RunError, route: StreamRoute | None, run_id: str | None = None
) -> Response:
    """An error in the words of the route's format."""
    headers = {**NOT_STORED, **error.headers}
    if run_id is not None:
        headers[RUN_ID] = run_id
    shaped = route.format_class if route else Format
    body, media_type = shaped.refusal(error)
    return Response(body, error.status, headers, media_type=media_type)
