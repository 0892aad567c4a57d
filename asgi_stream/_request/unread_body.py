"""Answers a request whose body nobody has read, without losing the answer.

A server that closes a connection with unread data in it makes the client's kernel throw away the
response (https://www.rfc-editor.org/rfc/rfc9112#section-9.6), and a proxy in front turns it into a
502. So what is still to come is read and discarded before the response ends.
"""

from __future__ import annotations

from asyncio import Event, Lock, timeout
from collections import deque
from collections.abc import Iterable
from contextlib import suppress

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

DISCARDED_BYTES = 64 * 1024 * 1024
"""How much of a body is read and discarded, as a proxy's lingering close does."""

SILENCE_SECONDS = 5.0
"""How long the next part of such a body is waited for."""

AHEAD_BYTES = 65_536
"""How much of a body is received before anybody reads it, to hear of a client that leaves."""

HYPERCORN_VERSION = "2.1"
"""The version of ASGI that hypercorn (0.18) has and no other server."""


class RequestBody:
    """One request's `receive` and `send`, where a response does not end before the body has.

    The response goes out in full first, so its reader does not wait. The rest of the body is then
    discarded, at most `DISCARDED_BYTES`, with at most `SILENCE_SECONDS` between its parts. If the
    client waits for ``100 Continue``, or announces more than that, nothing is read and the
    connection is to be closed. No client waits for hypercorn, which says 100 before the app is
    called.

    Args:
        scope: The request's ASGI scope.
        receive: The server's.
        send: The server's.
        seconds: How long the rest of the body may take in all; ``None`` is no limit.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, seconds: float | None) -> None:
        self._receive, self._send = receive, send
        self._receiving = Lock()
        self._ahead: deque[Message] = deque()
        """What has been received before anybody asked for it."""
        self._asked = Event()
        self._left = False
        self.seconds = seconds
        headers = Headers(scope=scope)
        self._http1 = scope.get("http_version", "1.1").startswith("1")
        length = headers.get("content-length", "")
        self.complete = (
            self._http1 and length.strip("0") == "" and "transfer-encoding" not in headers
        )
        """Whether there is nothing left to read."""
        waits = headers.get("expect", "").lower() == "100-continue"
        self._unwanted = waits and not (self._http1 and _is_hypercorn(scope))
        self._too_long = length.isdecimal() and int(length[:20]) > DISCARDED_BYTES

    async def receive(self) -> Message:
        self._asked.set()
        if not self._ahead:
            async with self._receiving:
                # The server says "100 Continue" as soon as the body is asked for.
                self._unwanted = False
                if not self._ahead:
                    return await self._next()
        return self._ahead.popleft()

    async def left(self) -> None:
        """Wait until the client has left, whether or not anybody reads the body meanwhile.

        Of a body that nobody reads at most `AHEAD_BYTES` are waited for.
        """
        while not self._left:
            if self._unwanted or self._far_ahead():
                self._asked.clear()
                await self._asked.wait()
            async with self._receiving:
                if not self._left and not self._far_ahead():
                    self._ahead.append(await self._next())

    def _far_ahead(self) -> bool:
        ahead = sum(len(message.get("body", b"")) for message in self._ahead)
        return not self.complete and ahead >= AHEAD_BYTES

    async def send(self, message: Message) -> None:
        if self.complete:
            await self._send(message)
        elif message["type"] == "http.response.start":
            await self._send({**message, "headers": self._headers(message["headers"])})
        elif message.get("more_body") or self._not_discarded():
            await self._send(message)
        else:
            await self._send({**message, "more_body": True})
            await self._discard()
            if not self._left:
                await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    def direct(self) -> tuple[Receive, Send]:
        """Return what to use from now on: the server's own, if there is nothing left to read."""
        direct = self.complete and not self._left
        return (self._receive, self._send) if direct else (self.receive, self.send)

    def _headers(self, headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        if not self._http1:
            return [*headers]
        if self._not_discarded():
            return [*headers, (b"connection", b"close")]
        # Some servers stop reading once a response of known length is out.
        return [(name, value) for name, value in headers if name.lower() != b"content-length"]

    def _not_discarded(self) -> bool:
        return self._unwanted or self._too_long

    async def _next(self) -> Message:
        message = await self._receive()
        self._left = message["type"] == "http.disconnect"
        self.complete = self.complete or self._left or not message.get("more_body")
        return message

    async def _discard(self) -> None:
        size = 0
        with suppress(TimeoutError):
            async with timeout(self.seconds):
                while not self.complete and size <= DISCARDED_BYTES:
                    size += await self._discard_part()

    async def _discard_part(self) -> int:
        async with timeout(SILENCE_SECONDS), self._receiving:
            # Another task, which waits for the client to leave, may have received the last part.
            return 0 if self.complete else len((await self._next()).get("body", b""))


def _is_hypercorn(scope: Scope) -> bool:
    # Within another app there is nothing else to know it by.
    return bool(scope.get("asgi", {}).get("spec_version") == HYPERCORN_VERSION)
