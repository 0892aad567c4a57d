"""Sends a response to a request whose body has not been read, without losing the response.

When a server closes a connection that has unread data, the client's kernel may discard the response
(https://www.rfc-editor.org/rfc/rfc9112#section-9.6), and a proxy in front turns it into a 502. So
the rest of the body is read and discarded before the response ends.
"""

from __future__ import annotations

from asyncio import Event, Lock, timeout
from collections import deque
from collections.abc import Iterable
from contextlib import suppress

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

DISCARDED_BYTES = 64 * 1024 * 1024
"""How much of a body is read and discarded, like the lingering close of a proxy."""

SILENCE_SECONDS = 5.0
"""How long to wait for the next part of such a body."""

AHEAD_BYTES = 65_536
"""How much of a body is received before it is read, to notice a disconnect."""

HYPERCORN_VERSION = "2.1"
"""The version of the ASGI spec that hypercorn (0.18) reports, and no other server."""


class RequestBody:
    """Wraps `receive` and `send` so that a response never ends before the request's body.

    The response is sent in full first, so its reader does not wait. Then the rest of the body is
    discarded: at most `DISCARDED_BYTES`, with at most `SILENCE_SECONDS` between its parts. If the
    client waits for ``100 Continue``, or announces a longer body, nothing is read and the response
    closes the connection. With hypercorn no client waits: it sends 100 before it calls the app.

    Args:
        scope: The request's ASGI scope.
        receive: The server's.
        send: The server's.
        seconds: How long the rest of the body may take in all; ``None`` is no limit.

    Attributes:
        complete: Whether the whole body has been received.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, seconds: float | None) -> None:
        self._receive, self._send = receive, send
        self._receiving = Lock()
        self._ahead: deque[Message] = deque()
        """Messages received before the app asked for them."""
        self._requested = Event()
        self._disconnected = False
        self.seconds = seconds
        headers = Headers(scope=scope)
        self._http1 = scope.get("http_version", "1.1").startswith("1")
        length = headers.get("content-length", "")
        self.complete = (
            self._http1 and length.strip("0") == "" and "transfer-encoding" not in headers
        )
        expects_100 = headers.get("expect", "").lower() == "100-continue"
        self._awaits_100 = expects_100 and not (self._http1 and _is_hypercorn(scope))
        self._too_long = length.isdecimal() and int(length[:20]) > DISCARDED_BYTES

    async def receive(self) -> Message:
        self._requested.set()
        if not self._ahead:
            async with self._receiving:
                # The server sends "100 Continue" on the first receive().
                self._awaits_100 = False
                if not self._ahead:
                    return await self._next()
        return self._ahead.popleft()

    async def wait_for_disconnect(self) -> None:
        """Wait until the client disconnects, whether or not the app reads the body meanwhile.

        At most `AHEAD_BYTES` of a body that the app does not read are received.
        """
        while not self._disconnected:
            if self._awaits_100 or self._far_ahead():
                self._requested.clear()
                await self._requested.wait()
            async with self._receiving:
                if not self._disconnected and not self._far_ahead():
                    self._ahead.append(await self._next())

    def _far_ahead(self) -> bool:
        ahead = sum(len(message.get("body", b"")) for message in self._ahead)
        return not self.complete and ahead >= AHEAD_BYTES

    async def send(self, message: Message) -> None:
        if self.complete:
            await self._send(message)
        elif message["type"] == "http.response.start":
            await self._send({**message, "headers": self._headers(message["headers"])})
        elif message.get("more_body") or self._closes_connection():
            await self._send(message)
        else:
            await self._send({**message, "more_body": True})
            await self._discard()
            if not self._disconnected:
                await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    def direct(self) -> tuple[Receive, Send]:
        """Return the pair to use from now on: the server's own, once the body is complete."""
        direct = self.complete and not self._disconnected
        return (self._receive, self._send) if direct else (self.receive, self.send)

    def _headers(self, headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        if not self._http1:
            return [*headers]
        if self._closes_connection():
            return [*headers, (b"connection", b"close")]
        # Some servers stop reading once a response of known length has been sent.
        return [(name, value) for name, value in headers if name.lower() != b"content-length"]

    def _closes_connection(self) -> bool:
        """Whether to close the connection rather than read the rest of the body."""
        return self._awaits_100 or self._too_long

    async def _next(self) -> Message:
        message = await self._receive()
        self._disconnected = message["type"] == "http.disconnect"
        self.complete = self.complete or self._disconnected or not message.get("more_body")
        return message

    async def _discard(self) -> None:
        size = 0
        with suppress(TimeoutError):
            async with timeout(self.seconds):
                while not self.complete and size <= DISCARDED_BYTES:
                    size += await self._discard_part()

    async def _discard_part(self) -> int:
        async with timeout(SILENCE_SECONDS), self._receiving:
            # The task that waits for a disconnect may have received the last part meanwhile.
            return 0 if self.complete else len((await self._next()).get("body", b""))


def _is_hypercorn(scope: Scope) -> bool:
    # Mounted in another app, nothing else identifies it.
    return bool(scope.get("asgi", {}).get("spec_version") == HYPERCORN_VERSION)
