"""The stream of a run, read to its end over as many connections as that takes.

The grammar of frames is https://html.spec.whatwg.org/multipage/server-sent-events.html.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, aclosing, suppress
from typing import Any, NamedTuple
from urllib.parse import unquote

from anyio import move_on_after

from .._headers import FORMAT, LOCATION, RUN_ID, THREAD_ID
from ..errors import RunIncomplete, ShuttingDown, StoreUnavailable, StreamError
from ..events import Event, RunError, RunFinished
from ..formats import Format, Frame, load, names, plain_events, recognize
from ._errors import EventSource, httpx, json_of, response_error, with_body
from ._frames import events_in
from ._request import RemoteRequest

__all__ = ["DecodedFrame", "RemoteStream", "httpx"]

MAX_PORT = 65_535
AFTER_ERROR_SECONDS = 1.0
"""How long a frame after an error is waited for."""

FIRST_WAIT_SECONDS = 0.1
LONGEST_WAIT_SECONDS = 2.0
TEMPORARY = (408, 429, 502, 503, 504)
"""Statuses of a server, or of a proxy in front of it, that may differ the next time."""

STOP_SECONDS = 2.0
"""Limit for the request that stops a run; after that the client gives up on it."""


class DecodedFrame(NamedTuple):
    """A frame with the events that it carries; frames after the end of the run carry none."""

    frame: Frame
    events: Sequence[Event]


class RemoteStream:
    """One run, from its request to the end of its stream.

    Args:
        request: The request for the run.
        format: The format's name, for a server that sends none.
        recognize: Recognize the format by the frames, if nothing else says it.

    Attributes:
        format: The name of the format, None while it is unknown.
        url: Where a resumable run can be joined and stopped, None for any other run.
        run_id: The run's id, if the server sends it.
        thread_id: The id of its thread, if it has one.
        is_event_stream: Whether the response is one; else frames are pieces of its text.
    """

    def __init__(
        self, request: RemoteRequest, format: str | None = None, *, recognize: bool = False
    ) -> None:
        self._request = request
        self._recognize = recognize
        self.format = format
        self.url: str | None = None
        self.run_id: str | None = None
        self.thread_id: str | None = None
        self.is_event_stream = False
        self._decoder: Format | None = None
        self._last_id = ""
        self._ended = False

    async def document(self) -> Any:
        """Request the run's result as one JSON document, and return that.

        Raises:
            StreamError: The server's error, of the class with its code.
            httpx.HTTPError: There was no response, or one from another kind of server.
        """
        request = self._request
        async with AsyncExitStack() as stack:
            client = await request.open_client(stack)
            response = await client.post(
                request.url,
                content=request.content,
                headers=request.headers_with(Accept="application/json"),
                # There are no pings: the server limits how long a run takes.
                timeout=httpx.Timeout(request.timeout, read=None),
                **request.options,
            )
            await self._check(response)
            return json_of(response)

    async def frames(self) -> AsyncGenerator[DecodedFrame, None]:
        """Yield every frame once and in order, up to the last of the stream.

        If the connection to a resumable run breaks, it is made again, from the last frame on.

        Raises:
            StreamError: The server's error response.
            RunIncomplete: The connection was lost before the end of the stream.
            httpx.HTTPError: There was no response, or one from another kind of server.
        """
        async with AsyncExitStack() as stack:
            client = await self._request.open_client(stack)
            tries = 0
            try:
                while not self._ended:
                    failure: Exception | None = None
                    resumes = self.url is not None
                    try:
                        async with aclosing(self._connection(client)) as frames:
                            async for frame in frames:
                                tries = 0
                                yield frame
                    except httpx.TransportError:
                        if not (self.url or self.run_id or self._ended):
                            raise  # there was no response at all
                    except (StreamError, httpx.HTTPStatusError) as error:
                        if not resumes or _status_of(error) not in TEMPORARY:
                            raise
                        failure = error  # the run itself goes on
                    if not self._ended:
                        tries = await self._wait_after(tries, failure)
            except (GeneratorExit, asyncio.CancelledError, httpx.DecodingError):
                if not self._ended:
                    await self._stop(client)
                raise

    async def _wait_after(self, tries: int, failure: Exception | None) -> int:
        if self.url is None or tries >= self._request.reconnects:
            raise failure or RunIncomplete("The connection was lost before the end of the stream.")
        await asyncio.sleep(min(FIRST_WAIT_SECONDS * 2**tries, LONGEST_WAIT_SECONDS))
        return tries + 1

    async def _connection(self, client: httpx.AsyncClient) -> AsyncGenerator[DecodedFrame, None]:
        """Yield the frames of one connection."""
        async with AsyncExitStack() as stack:
            response = await stack.enter_async_context(self._send(client))
            await self._check(response)
            if response.status_code == 204:
                raise RunIncomplete("The server no longer has the frames of the run.")
            media_type = response.headers.get("content-type", "")
            self.is_event_stream = media_type.startswith("text/event-stream")
            if self.is_event_stream:
                events = EventSource(response).aiter_sse()
                await stack.enter_async_context(aclosing(events))
                frames = await stack.enter_async_context(aclosing(self._sse(events)))
                async for frame in frames:
                    yield frame
            elif media_type.startswith("application/json"):
                await response.aread()
                decoded = self._decoded(Frame("", response.text))
                self._ended = True
                yield decoded
            else:
                async for text in response.aiter_text():
                    yield self._decoded(Frame("", text))
                self._ended = True

    async def _sse(self, events: Any) -> AsyncGenerator[DecodedFrame, None]:
        iterator = aiter(events)
        while True:
            try:
                # After an error the server may still send "[DONE]", or keep the connection open.
                async with asyncio.timeout(AFTER_ERROR_SECONDS if self._ended else None):
                    event = await anext(iterator)
            except (StopAsyncIteration, TimeoutError):
                return
            # The library calls an event without a name "message".
            name = "" if event.event == "message" else event.event
            if not event.data and not name:
                continue  # a ping, after a frame with an id
            decoded = self._decoded(Frame(name, event.data, event.id))
            if self.url and event.id in ("", self._last_id) and _is_about_reader(decoded):
                return
            self._last_id = event.id or self._last_id
            end = next((e for e in decoded.events if isinstance(e, RunFinished | RunError)), None)
            self._ended = self._ended or end is not None
            yield decoded
            if isinstance(end, RunFinished):
                return

    def _decoded(self, frame: Frame) -> DecodedFrame:
        if self._ended:
            return DecodedFrame(frame, ())
        if self._recognize and self.format is None:
            self.format = recognize(frame)
        if self._decoder is None and self.format in names():
            self._decoder = load(self.format)()
        decode = plain_events if self._decoder is None else self._decoder.decode
        return DecodedFrame(frame, events_in(frame, decode))

    def _send(self, client: httpx.AsyncClient) -> Any:
        request = self._request
        headers = request.headers_with(Accept="text/event-stream")
        if self.url is None:
            return client.stream(
                "POST", request.url, content=request.content, headers=headers, **request.options
            )
        if self._last_id:
            headers["Last-Event-ID"] = self._last_id
        return client.stream("GET", self.url, headers=headers, **request.options)

    async def _check(self, response: httpx.Response) -> None:
        if response.status_code >= 300:
            raise response_error(await with_body(response))
        headers = response.headers
        self.format = headers.get(FORMAT, self.format)
        self.run_id = headers.get(RUN_ID, self.run_id)
        if THREAD_ID in headers:
            self.thread_id = unquote(headers[THREAD_ID])
        joins = self.format not in names() or load(self.format).joins_at_location
        if self.url is None and LOCATION in headers and joins:
            self.url = _joined(response.url, headers[LOCATION])

    async def _stop(self, client: httpx.AsyncClient) -> None:
        """Stop the run, wherever it is."""
        request = self._request
        if self.url is None or not request.stops:
            return
        with move_on_after(STOP_SECONDS, shield=True), suppress(httpx.HTTPError):
            await client.delete(self.url, headers=request.headers_with(), **request.options)


def _joined(url: httpx.URL, location: str) -> str:
    try:
        joined = url.join(location)
    except httpx.InvalidURL as error:
        raise httpx.DecodingError(f"Invalid {LOCATION}: {error}") from None
    if joined.port is not None and joined.port > MAX_PORT:  # which httpx does not check
        raise httpx.DecodingError(f"Invalid {LOCATION}: port {joined.port}")
    return str(joined)


def _status_of(error: StreamError | httpx.HTTPStatusError) -> int:
    return error.status if isinstance(error, StreamError) else error.response.status_code


def _is_about_reader(decoded: DecodedFrame) -> bool:
    """Return whether a frame without an id ends the connection only, not the run."""
    codes = (ShuttingDown.code, StoreUnavailable.code)
    return any(isinstance(event, RunError) and event.code in codes for event in decoded.events)
