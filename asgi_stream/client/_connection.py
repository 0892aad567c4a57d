"""A served run as its client reads it: to its last frame, over as many connections as it takes.

The grammar of frames is https://html.spec.whatwg.org/multipage/server-sent-events.html.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, aclosing, suppress
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urljoin

from anyio import move_on_after

from ..errors import RunIncomplete, ShuttingDown, StoreUnavailable, StreamError
from ..serialize import to_json
from ._errors import EventSource, answered, httpx, with_its_body

__all__ = ["Asking", "Frame", "Reading", "httpx"]

FORMAT = "X-Stream-Format"
DONE = "[DONE]"
FIRST_WAIT_SECONDS = 0.1
LONGEST_WAIT_SECONDS = 2.0
PASSING = (408, 429, 502, 503, 504)
"""The statuses of a server, or of a proxy in front of it, that may be another the next time."""

STOP_SECONDS = 2.0
"""How long the request that stops a run may take, after which the client goes on without."""


class Frame(NamedTuple):
    """One frame.

    Attributes:
        event: Its name, ``""`` if it has none.
        data: Its data; a piece of the text of an answer that is no event stream.
        id: The position after it.
    """

    event: str
    data: str
    id: str = ""

    def json(self) -> Any:
        """
        Raises:
            httpx.DecodingError: It is of another server.
        """
        return _parsed(self.data) if self.data else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """How a run is asked for.

    Attributes:
        url: Where it is posted.
        body: What is posted, as JSON.
        headers: Sent with each request.
        params: The query.
        auth: As for ``httpx.AsyncClient``.
        timeout: Seconds of silence after which a stream is held to be broken.
        reconnects: How often in a row a broken connection is made again.
        stops: Whether a resumable run is stopped when its client leaves it.
        client: To send with, instead of one for each call.
        verify: As for ``httpx.AsyncClient``.
    """

    url: str
    body: Any
    headers: Mapping[str, str]
    params: Mapping[str, str]
    auth: Any = None
    timeout: float = 60.0
    reconnects: int = 5
    stops: bool = True
    client: httpx.AsyncClient | None = None
    verify: Any = True


class Reading:
    """One run, from its request to its last frame.

    Attributes:
        format: What it is read as: what the server says, or the client has said before.
        place: Where the run is, if it can be resumed.
        run_id: The run's id, if the server tells.
    """

    def __init__(self, asking: Asking, format: str | None = None) -> None:
        self._asking = asking
        self.format = format
        self.place: str | None = None
        self.run_id: str | None = None
        self._last_id = ""
        self._ended = False

    async def document(self) -> Any:
        """The run's one document, asked for as JSON.

        Raises:
            StreamError: What the server has answered; of the class that has its code.
            httpx.HTTPError: There was no answer, or one of another server.
        """
        async with AsyncExitStack() as stack:
            client = await self._client(stack)
            headers = {**self._headers(), "Accept": "application/json"}
            asking = self._asking
            response = await client.post(
                asking.url,
                content=to_json(asking.body),
                headers=headers,
                # It has no pings: how long it may take is for the server to say.
                timeout=httpx.Timeout(asking.timeout, read=None),
                **self._options,
            )
            await self._opened(response)
            return _parsed(response.text)

    async def frames(self) -> AsyncGenerator[Frame, None]:
        """Every frame once and in order, the terminal one too.

        A connection that breaks is made again, from the last frame on, if the run can be resumed.

        Raises:
            StreamError: What the server has answered before the first frame.
            RunIncomplete: The stream broke off before its terminal frame.
            httpx.HTTPError: There was no answer, or one of another server.
        """
        async with AsyncExitStack() as stack:
            client = await self._client(stack)
            tries = 0
            try:
                while not self._ended:
                    failure: Exception | None = None
                    known = self.place is not None
                    try:
                        async with aclosing(self._connection(client)) as found:
                            async for frame in found:
                                tries = 0
                                yield frame
                    except httpx.TransportError:
                        if self.place is None and self.run_id is None:
                            raise  # there was no answer at all
                    except (StreamError, httpx.HTTPStatusError) as error:
                        if not known or _status_of(error) not in PASSING:
                            raise
                        failure = error  # the run goes on, wherever it is
                    if not self._ended:
                        tries = await self._wait_after(tries, failure)
            except (GeneratorExit, asyncio.CancelledError):
                if not self._ended:
                    await self._stop(client)
                raise

    async def _wait_after(self, tries: int, failure: Exception | None) -> int:
        if self.place is None or tries >= self._asking.reconnects:
            raise failure or RunIncomplete("The stream broke off before its end.")
        await asyncio.sleep(min(FIRST_WAIT_SECONDS * 2**tries, LONGEST_WAIT_SECONDS))
        return tries + 1

    async def _connection(self, client: httpx.AsyncClient) -> AsyncGenerator[Frame, None]:
        """What comes over one connection."""
        async with AsyncExitStack() as stack:
            response = await stack.enter_async_context(self._request(client))
            await self._opened(response)
            if response.status_code == 204:
                raise RunIncomplete("The server has nothing more of the run.")
            kind = response.headers.get("content-type", "")
            if kind.startswith("application/json"):
                await response.aread()
                self._ended = True
                yield Frame("", response.text)
                return
            if not kind.startswith("text/event-stream"):
                async for text in response.aiter_text():
                    yield Frame("", text)
                self._ended = True
                return
            events = await stack.enter_async_context(aclosing(EventSource(response).aiter_sse()))
            async for event in events:
                # An event without a name has no name; the library calls it "message".
                name = "" if event.event == "message" else event.event
                if not event.data and not name:
                    continue  # a ping, after a frame with an id
                frame = Frame(name, event.data, event.id)
                if self.place and event.id in ("", self._last_id) and _is_reader_s(frame):
                    return
                self._last_id = event.id or self._last_id
                self._ended = self._ended or _ends(self.format, frame)
                yield frame
                if self._ended:
                    return

    def _request(self, client: httpx.AsyncClient) -> Any:
        asking, headers = self._asking, {**self._headers(), "Accept": "text/event-stream"}
        if self.place is None:
            return client.stream(
                "POST",
                asking.url,
                content=to_json(asking.body),
                headers=headers,
                **self._options,
            )
        if self._last_id:
            headers["Last-Event-ID"] = self._last_id
        return client.stream("GET", self.place, headers=headers, **self._options)

    @property
    def _options(self) -> dict[str, Any]:
        """Of each request; without one of its own it has the client's."""
        asking = self._asking
        options = {"params": asking.params, "auth": asking.auth}
        return {name: option for name, option in options.items() if option}

    def _headers(self) -> dict[str, str]:
        return {**self._asking.headers, "Content-Type": "application/json"}

    async def _opened(self, response: httpx.Response) -> None:
        if response.status_code >= 300:
            raise answered(await with_its_body(response))
        headers = response.headers
        self.format = headers.get(FORMAT, self.format)
        self.run_id = headers.get("x-run-id", self.run_id)
        if self.place is None and "content-location" in headers and self.format != "langgraph":
            self.place = urljoin(str(response.url), headers["content-location"])

    async def _stop(self, client: httpx.AsyncClient) -> None:
        """Stop the run that nobody reads any more, wherever it is."""
        if self.place is None or not self._asking.stops:
            return
        with move_on_after(STOP_SECONDS, shield=True), suppress(httpx.HTTPError):
            await client.delete(self.place, headers=self._headers(), **self._options)

    async def _client(self, stack: AsyncExitStack) -> httpx.AsyncClient:
        asking = self._asking
        if asking.client is not None:
            return asking.client
        made = httpx.AsyncClient(timeout=asking.timeout, verify=asking.verify)
        return await stack.enter_async_context(made)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise httpx.DecodingError(f"This is not JSON: {text[:100]!r}") from None


def _status_of(error: StreamError | httpx.HTTPStatusError) -> int:
    return error.status if isinstance(error, StreamError) else error.response.status_code


def _is_reader_s(frame: Frame) -> bool:
    """Whether a frame without an id tells of the connection's end, not of the run's."""
    if not frame.data.startswith('{"'):
        return False
    told = frame.json()
    error = told.get("error") if isinstance(told.get("error"), dict) else told
    return error.get("code") in (ShuttingDown.code, StoreUnavailable.code)


def _ends(format: str | None, frame: Frame) -> bool:
    if frame.data == DONE:
        return True
    if format in ("langserve", "langgraph", None) and frame.event in ("end", "error"):
        return True
    if format == "openai":
        return frame.data.startswith('{"error":')
    if format in ("agui", None):
        return frame.data.startswith(('{"type":"RUN_FINISHED"', '{"type":"RUN_ERROR"'))
    return False
