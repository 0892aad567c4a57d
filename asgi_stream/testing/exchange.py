"""One request to an ASGI app in this process, whose response is read while it is being sent."""

from __future__ import annotations

import asyncio
import json as json_module
from asyncio import Event, Queue, Task
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import unquote

from anyio import fail_after
from starlette.types import ASGIApp, Message, Scope

from .frame import Frame, parse_frame

__all__ = ["Exchange", "request"]

WAIT_SECONDS = 5.0


class Exchange:
    """One request to an ASGI app, as an async context manager.

    Entering it calls the app in a task of the running asyncio loop. Leaving it disconnects the
    client, if the response has not ended, and waits for the app to return. An exception of the app
    is raised by the method that waits for it, and on leaving.

    What HTTP servers and proxies do to a response can only be tested with real ones.

    Args:
        app: The app.
        method: The HTTP method.
        url: Path, percent-encoded, and query string: ``"/chat?input=1"``.
        json: Sent as a JSON body, with its ``Content-Type``, unless `headers` has one. None sends
            `content`.
        content: The body, as it is.
        headers: Request headers.
        root_path: The path that the app is mounted at; `url` includes it.
        stalled: Accept nothing that the app sends until `resume` is called: a slow client.
        timeout: Seconds that each wait may take. None is no limit.

    Attributes:
        scope: The ASGI scope of the request.
        messages: The ASGI messages that the app has sent so far.
        received: The ASGI messages that the app has not received yet.

    Example:
        A client that disconnects in the middle of a response::

            async with Exchange(app, "POST", "/chat", json={"question": "Hi?"}) as exchange:
                async for frame in exchange.frames():
                    assert frame.json() == {"token": "Hel"}
                    exchange.disconnect()
                    break
    """

    def __init__(
        self,
        app: ASGIApp,
        method: str,
        url: str,
        *,
        json: Any = None,
        content: bytes = b"",
        headers: Mapping[str, str] | None = None,
        root_path: str = "",
        stalled: bool = False,
        timeout: float | None = WAIT_SECONDS,
    ) -> None:
        path, _, query = url.partition("?")
        fields = {name.lower(): value for name, value in (headers or {}).items()}
        if json is not None:
            content = json_module.dumps(json).encode()
            fields.setdefault("content-type", "application/json")
        self.scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "path": unquote(path),
            "raw_path": path.encode(),
            "root_path": root_path,
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in fields.items()],
        }
        self.app = app
        self.messages: list[Message] = []
        self.received: Queue[Message] = Queue()
        self.received.put_nowait({"type": "http.request", "body": content, "more_body": False})
        self._timeout = timeout
        self._body = bytearray()
        self._moving = Event()
        if not stalled:
            self._moving.set()
        self._changed = Event()
        self._task: Task[None] | None = None

    async def __aenter__(self) -> Exchange:
        call: Callable[..., Awaitable[None]] = self.app
        self._task = asyncio.ensure_future(call(self.scope, self.received.get, self._send))
        self._task.add_done_callback(lambda _: self._changed.set())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.disconnect()
        self.resume()
        with fail_after(self._timeout):
            await self._running()

    def disconnect(self) -> None:
        """Disconnect the client. Returns at once; leaving the context waits for the app."""
        self.received.put_nowait({"type": "http.disconnect"})

    def resume(self) -> None:
        """Accept what the app sends, after `stalled`."""
        self._moving.set()

    @property
    def status(self) -> int:
        """The HTTP status. Wait for `started` first."""
        return int(self.messages[0]["status"])

    @property
    def headers(self) -> dict[str, str]:
        """The response headers, with lowercase names. Wait for `started` first."""
        return {name.decode(): value.decode() for name, value in self.messages[0]["headers"]}

    @property
    def body(self) -> bytes:
        """The response body, as far as it has arrived."""
        return bytes(self._body)

    def json(self) -> Any:
        """Return the response body, parsed as JSON. Wait for `finished` first."""
        return json_module.loads(self._body)

    async def started(self) -> Exchange:
        """Wait for the status and the headers, and return the exchange.

        Raises:
            TimeoutError: They did not arrive in time.
            AssertionError: The app returned without a response.
        """
        while not self.messages:
            if not await self._more():
                raise AssertionError("the app returned without a response")
        return self

    async def until(self, fragment: bytes) -> bytes:
        """Wait until the body contains `fragment`, and return the body so far.

        Raises:
            TimeoutError: Nothing arrived in time.
            AssertionError: The response ended without it.
        """
        while fragment not in self._body:
            if not await self._more():
                raise AssertionError(f"the response ended without {fragment!r}: {self.body!r}")
        return self.body

    async def frames(self) -> AsyncIterator[Frame]:
        """Yield the events of the response as they arrive, from the first to the end.

        Comments and events without data are skipped, as in a browser.

        Raises:
            TimeoutError: Nothing arrived in time.
        """
        start, more = 0, True
        while more:
            while (end := self._body.find(b"\n\n", start)) >= 0:
                block, start = self._body[start:end].decode(), end + 2
                if (frame := parse_frame(block)) is not None:
                    yield frame
            # What arrived while the frame was used is read before the next wait.
            more = self._body.find(b"\n\n", start) >= 0 or await self._more()

    async def finished(self) -> Exchange:
        """Wait until the app has sent the whole response and returned; return the exchange.

        Raises:
            TimeoutError: It did not return in time.
        """
        with fail_after(self._timeout):
            await asyncio.shield(self._running())
        return self

    async def _more(self) -> bool:
        """Wait for the next message; return False if the app has returned."""
        task = self._running()
        if task.done():
            task.result()
            return False
        self._changed.clear()
        with fail_after(self._timeout):
            await self._changed.wait()
        return True

    def _running(self) -> Task[None]:
        if self._task is None:
            raise RuntimeError("the exchange has not started: use `async with`")
        return self._task

    async def _send(self, message: Message) -> None:
        await self._moving.wait()
        self.messages.append(message)
        self._body += message.get("body", b"")
        self._changed.set()


async def request(app: ASGIApp, method: str, url: str, **options: Any) -> Exchange:
    """Send a request, wait for the whole response, and return the finished exchange.

    Args:
        app: The app.
        method: The HTTP method.
        url: Path and query string.
        **options: As for `Exchange`.

    Raises:
        TimeoutError: The response did not end in time.

    Example:
        Inside a test::

            response = await request(app, "POST", "/chat", json={"question": "Hi?"})
            assert response.status == 200
    """
    async with Exchange(app, method, url, **options) as exchange:
        return await exchange.finished()
