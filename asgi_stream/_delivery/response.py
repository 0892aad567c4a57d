"""The responses: a stream of frames, a JSON document, an error, or nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Protocol
from urllib.parse import quote

from sse_starlette import EventSourceResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from .._headers import FORMAT, RUN_ID, THREAD_ID
from .._logs import logger
from .._routing.bound import BoundRoute
from ..errors import Refused
from ..events import RunError
from ..formats import Document, Format
from ..serialize import text_or_json, to_json
from .delivery import Delivery, ReaderStalled
from .observability import reported

PLAIN = "!#$&'()*+,/:;=?@[]"
"""Characters of a thread's id that are sent as they are, besides letters, digits and ``-._~``."""

ACCEPTED = 202

OF_CALLER = (401, 429)
"""Statuses that are about the caller, not about what the request asks for."""

CHALLENGE = "www-authenticate"
"""The header of a refusal that the client itself can act on, by logging in or asking for more."""

NOT_STORED = {"Cache-Control": "no-store, no-transform"}


class FrameStream(Protocol):
    """The frames of one response. `LiveStream` describes each member."""

    run_id: str
    thread_id: str | None
    gathered: bool
    delivery: Delivery

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def broken(self) -> bool: ...

    async def opened(self) -> RunError | None: ...

    def shut_down(self) -> None: ...

    def leave(self) -> None: ...


async def respond(
    stream: FrameStream, route: BoundRoute, scope: Scope, receive: Receive, send: Send
) -> None:
    """Send the frames of `stream` until it has ended or its reader has left."""
    exchange = _Exchange(stream, route, scope, receive, send)
    response = EventSourceResponse(
        exchange.body(),
        headers=_headers(stream, route),
        media_type="application/json" if stream.gathered else route.format_class.media_type,
        ping=0,  # `Delivery` sends pings, and only when nothing else was sent
        sep="\n",
        shutdown_event=_ShutdownEvent(stream),  # type: ignore[arg-type]  # only `set` is called
        shutdown_grace_period=route.limits.grace,
    )
    try:
        await response(scope, exchange.receive, exchange.send)
        if not exchange.started:
            await respond_to_disconnected(scope, receive, send)
    except ReaderStalled:
        logger.warning(
            "run %s of %s: dropped a client that read nothing for %g s",
            stream.run_id,
            route.path,
            route.limits.send,
        )
    except OSError:
        # Some servers raise when the client has disconnected, instead of sending a message.
        logger.debug("run %s of %s: the reader has disconnected", stream.run_id, route.path)


class _Exchange:
    """What `EventSourceResponse` sends and receives for a stream.

    The response starts when the stream has opened. If that fails, an error is sent instead.
    """

    def __init__(
        self, stream: FrameStream, route: BoundRoute, scope: Scope, receive: Receive, send: Send
    ) -> None:
        self._stream = stream
        self._route = route
        self._scope = scope
        self._receive = receive
        self._send = send
        self._refused = False
        self.started = False  # and never True if the reader leaves before

    async def send(self, message: Message) -> None:
        stream = self._stream
        if message["type"] == "http.response.start":
            error = await stream.opened()
            self.started = True
            if error is not None:
                self._refused = True
                response = error_response(error, self._route, stream.run_id)
                await response(self._scope, self._receive, self._send)
        elif stream.broken and not message.get("more_body"):
            return  # without the end of a response the server closes the connection
        if not self._refused:
            await stream.delivery.in_time(self._send(message))

    async def body(self) -> AsyncIterator[bytes]:
        # The frames go straight to the server: the cancel scope and the timer that
        # `EventSourceResponse` puts around each chunk cost as much as sending it.
        if not self._refused:
            await self._stream.delivery.deliver(self._send)
        return
        yield

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            # Handled here, not when the response returns: anyio does not cancel a task that is
            # about to run, which the sending task always is while the run keeps producing.
            self._stream.leave()
        return message


async def respond_to_disconnected(scope: Scope, receive: Receive, send: Send) -> None:
    """Respond to a client that has left, with nginx's status for that. The server discards it.

    A middleware around the app may count on a response: Starlette's ``BaseHTTPMiddleware`` raises
    an error if there is none.
    """
    await Response(status_code=499)(scope, receive, send)


def headers_only(route: BoundRoute) -> Response:
    """Return the response to a HEAD request."""
    media_type = route.format_class.media_type
    return EventSourceResponse(iter(()), headers=NOT_STORED, media_type=media_type)


def _headers(stream: FrameStream, route: BoundRoute) -> dict[str, str]:
    named = {} if ":" in route.format else {FORMAT: route.format}
    thread = {} if stream.thread_id is None else {THREAD_ID: quote(stream.thread_id, safe=PLAIN)}
    run = {RUN_ID: stream.run_id} if stream.run_id else {}
    return {**NOT_STORED, **stream.headers, **run, **thread, **named}


class _ShutdownEvent:
    """Ends a stream when sse-starlette notices that the server is shutting down."""

    def __init__(self, stream: FrameStream) -> None:
        self._stream = stream

    def set(self) -> None:
        self._stream.shut_down()


def json_response(
    body: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a response with `body` as JSON, which no cache may store."""
    all_headers = {**NOT_STORED, **(headers or {})}
    return Response(to_json(body), status, all_headers, media_type="application/json")


def document_response(document: Document) -> Response:
    """Return a document that needs no run as a response."""
    if document.status == ACCEPTED:
        return Response(status_code=ACCEPTED, headers={**NOT_STORED, **document.headers})
    return json_response(document.body, document.status, document.headers)


def no_content() -> Response:
    """Return a 204, which stops an ``EventSource`` from reconnecting."""
    return Response(status_code=204, headers=NOT_STORED)


async def refuse(
    exception: Exception,
    scope: Scope,
    receive: Receive,
    send: Send,
    route: BoundRoute | None = None,
    format: Format | None = None,
) -> RunError:
    """Respond with an error instead of a stream, and return the `RunError` that was sent.

    Args:
        exception: Why the request is refused.
        scope: The request's.
        receive: The request's.
        send: The request's.
        route: The route; ``None`` if the request matched none.
        format: The format that was to parse the request, if it came to that.
    """
    if isinstance(exception, HTTPException):
        exception = Refused(
            text_or_json(exception.detail),  # FastAPI allows any JSON value
            status=exception.status_code,
            headers=exception.headers,
        )
    error = reported(exception, route)
    reply = None
    if format is not None and format.replies and not _is_of_caller(error):
        reply = format.failure(error)
    response = error_response(error, route) if reply is None else json_response(reply)
    await response(scope, receive, send)
    return error


def _is_of_caller(error: RunError) -> bool:
    """Whether an HTTP client has to see this error, and not only the one who reads replies."""
    challenges = any(name.lower() == CHALLENGE for name in error.headers)
    return error.status >= 500 or error.status in OF_CALLER or challenges


def error_response(
    error: RunError, route: BoundRoute | None, run_id: str | None = None
) -> Response:
    """Return `error` as a response in the route's format.

    Args:
        error: The error.
        route: The route; ``None`` if the request matched none.
        run_id: The id of the run that failed, if one had started.
    """
    format_class = route.format_class if route else Format
    body, media_type = format_class.refusal(error)
    of_run = {} if run_id is None else {**format_class.failed_headers, RUN_ID: run_id}
    response = Response(body, error.status, NOT_STORED, media_type=media_type)
    for headers in (of_run, error.headers):
        response.headers.update(headers)
    return response
