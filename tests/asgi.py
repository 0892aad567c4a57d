"""Requests to an app in this process, in the short form that the tests use.

For what is the app's own doing. What sockets, servers and proxies do is tested with real ones.
"""

from __future__ import annotations

import json
from typing import Any

from starlette.types import ASGIApp

from asgi_stream import testing

JSON = {"content-type": "application/json"}


class Exchange(testing.Exchange):
    """An exchange whose `body` is bytes, or is sent as JSON without a ``Content-Type``."""

    def __init__(
        self, app: ASGIApp, method: str, url: str, body: Any = b"", **options: Any
    ) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        options = {"timeout": 30, **options}  # a busy machine has its time
        super().__init__(app, method, url, content=content, **options)

    async def __aenter__(self) -> Exchange:
        await super().__aenter__()
        return self

    async def finished(self) -> Exchange:
        await super().finished()
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
    events_seen: list[Any] = []
    for block in text.split("\n\n")[:-1]:
        lines = [line for line in block.split("\n") if not line.startswith((":", "id: "))]
        assert len(lines) == 1, block
        assert lines[0].startswith("data: "), block
        data = lines[0].removeprefix("data: ")
        events_seen.append(data if data == "[DONE]" else json.loads(data))
    return events_seen


def tokens(body: bytes) -> list[str]:
    """The tokens of a stream that ended well."""
    *token_frames, done = frames(body)
    assert done == "[DONE]"
    return [frame["token"] for frame in token_frames]
