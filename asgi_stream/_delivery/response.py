"""The answer that is a stream: an outbox, and the `EventSourceResponse` that it leaves by."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from sse_starlette import EventSourceResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from .._logs import logger
from .._routing.bound import BoundRoute
from ..errors import StreamError
from ..events import RunError
from ..formats import Format
from ..serialize import to_json
from .buffer import FrameBuffer, ReaderStalled
from .observability import reported


async def respond(
    stream: FrameBuffer,
    route: BoundRoute,
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    """Send all that `stream` holds and gets, until its end or the reader's."""
    refused = False

    async def send_when_open(message: Message) -> None:
        nonlocal refused
        if message["type"] == "http.response.start":
            error = await stream.opened()
            if error is not None:
                refused = True
                await error_response(error, route, stream.run_id)(scope, receive, send)
        elif stream.broken and not message.get("more_body"):
            return  # a server that is not told of the end closes the connection
        if not refused:
            await stream.in_time(send(message))

    async def body() -> AsyncIterator[bytes]:
        # The frames go straight to the server: what the response puts around each one that it is
        # given, a cancel scope and a timer, costs as much as the rest of sending it.
        if not refused:
            await stream.deliver(send)
        return
        yield

    async def receive_and_see() -> Message:
        message = await receive()
        if message["type"] == "http.disconnect":
            # Here and not when the response ends: anyio cancels no task that is about to go on,
            # and while the run speaks in every turn of the loop, the one that delivers always is.
            stream.reader_left = True
            stream.leave()
        return message

    response = EventSourceResponse(
        body(),
        headers=_headers(stream, route),
        media_type="application/json" if stream.gathered else route.format_class.media_type,
        ping=0,  # the stream's own pings know when nothing else went out
        sep="\n",
        shutdown_event=_Farewell(stream),  # type: ignore[arg-type]  # only ever set
        shutdown_grace_period=route.limits.grace,
    )
    try:
        await response(scope, receive_and_see, send_when_open)
    except ReaderStalled:
        logger.warning(
            "run %s of %s: its reader took nothing for %g s and was dropped",
            stream.run_id,
            route.path,
            route.limits.send,
        )
    except OSError:
        # Some servers raise when a client has gone, in the place of a disconnect message.
        logger.debug("run %s of %s: its reader has gone", stream.run_id, route.path)


def _headers(stream: FrameBuffer, route: BoundRoute) -> dict[str, str]:
    named = {} if ":" in route.format else {FORMAT: route.format}
    return {**NOT_STORED, **stream.headers, RUN_ID: stream.run_id, **named}


class _Farewell:
    """Passes on that sse-starlette has seen the server stop."""

    def __init__(self, stream: FrameBuffer) -> None:
        self._stream = stream

    def set(self) -> None:
        self._stream.shut_down()


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
    route: BoundRoute | None = None,
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
    error: RunError, route: BoundRoute | None, run_id: str | None = None
) -> Response:
    """An error in the words of the route's format."""
    headers = {**NOT_STORED, **error.headers}
    if run_id is not None:
        headers[RUN_ID] = run_id
    shaped = route.format_class if route else Format
    body, media_type = shaped.refusal(error)
    return Response(body, error.status, headers, media_type=media_type)
