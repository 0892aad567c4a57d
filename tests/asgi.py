"""Calls an ASGI app in this process, piece by piece, and can leave in the middle.

For what is the app's own doing. What sockets, servers and proxies do is tested with real ones.
"""

from __future__ import annotations

import asyncio
import json
from asyncio import Event, Queue, Task
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.types import ASGIApp, Message, Scope

JSON = {"content-type": "application/json"}


class Exchange:
    """One request to an app, whose messages are kept as they come.

    Args:
        app: The app.
        method: GET, POST...
        path: With its query string.
        body: Sent as JSON, if it is not bytes.
        stalled: Take nothing that the app sends, until `resume` is called.
    """

    def __init__(
        self,
        app: ASGIApp,
        method: str,
        path: str,
        body: Any = b"",
        headers: Mapping[str, str] | None = None,
        root_path: str = "",
        stalled: bool = False,
    ) -> None:
        plain, _, query = path.partition("?")
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "path": plain,
            "root_path": root_path,
            "query_string": query.encode(),
            "headers": [(k.lower().encode(), v.encode()) for k, v in (headers or {}).items()],
        }
        self.app = app
        self.messages: list[Message] = []
        self.received: Queue[Message] = Queue()
        self.received.put_nowait({"type": "http.request", "body": raw, "more_body": False})
        self._moving = Event()
        if not stalled:
            self._moving.set()
        self._arrived = Event()
        self._task: Task[None] | None = None

    async def __aenter__(self) -> Exchange:
        call: Callable[..., Awaitable[None]] = self.app
        self._task = asyncio.ensure_future(call(self.scope, self.received.get, self._send))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.leave()
        self.resume()
        assert self._task is not None
        async with asyncio.timeout(5):
            await self._task

    async def _send(self, message: Message) -> None:
        await self._moving.wait()
        self.messages.append(message)
        self._arrived.set()

    def leave(self) -> None:
        self.received.put_nowait({"type": "http.disconnect"})

    def resume(self) -> None:
        self._moving.set()

    @property
    def status(self) -> int:
        return int(self.messages[0]["status"])

    @property
    def headers(self) -> dict[str, str]:
        return {k.decode(): v.decode() for k, v in self.messages[0]["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(m.get("body", b"") for m in self.messages[1:])

    def json(self) -> Any:
        return json.loads(self.body)

    async def until(self, wanted: bytes) -> bytes:
        """Wait until the body has `wanted` in it."""
        async with asyncio.timeout(5):
            while wanted not in self.body:
                self._arrived.clear()
                await self._arrived.wait()
        return self.body

    async def finished(self) -> Exchange:
        """Wait for the end of the answer."""
        assert self._task is not None
        async with asyncio.timeout(5):
            await asyncio.shield(self._task)
        return self


async def call(app: ASGIApp, method: str, path: str, body: Any = b"", **kwargs: Any) -> Exchange:
    """The whole answer to a request."""
    async with Exchange(app, method, path, body, **kwargs) as exchange:
        return await exchange.finished()


async def post(app: ASGIApp, path: str, body: Any, **kwargs: Any) -> Exchange:
    headers = {**JSON, **kwargs.pop("headers", {})}
    return await call(app, "POST", path, body, headers=headers, **kwargs)


async def get(app: ASGIApp, path: str, **kwargs: Any) -> Exchange:
    return await call(app, "GET", path, **kwargs)


def frames(body: bytes) -> list[Any]:
    """The JSON of each data frame; ``[DONE]`` as a string. Checks the grammar on the way."""
    text = body.decode("ascii")
    assert "\r" not in text
    assert text.endswith("\n\n") or not text
    found: list[Any] = []
    for block in text.split("\n\n")[:-1]:
        lines = [line for line in block.split("\n") if not line.startswith((":", "id: "))]
        assert len(lines) == 1, block
        assert lines[0].startswith("data: "), block
        data = lines[0].removeprefix("data: ")
        found.append(data if data == "[DONE]" else json.loads(data))
    return found


def tokens(body: bytes) -> list[str]:
    """The tokens of a stream that ended well."""
    *said, done = frames(body)
    assert done == "[DONE]"
    return [frame["token"] for frame in said]
