"""The request that a route's functions are called with."""

from __future__ import annotations

import re
from asyncio import Future, timeout
from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING, Any

from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive, Scope

from ._json import parse_json
from .errors import BodyTimeout, BodyTooLarge, UnsupportedMediaType
from .limits import Limits
from .serialize import to_json

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
    from contextlib import AbstractAsyncContextManager, AbstractContextManager

    from langchain_core.messages import BaseMessage
    from langchain_core.runnables import Runnable, RunnableConfig

    from .formats import RunSpec

    AnyRunnable = Runnable[Any, Any]
    # The Runnable is what is returned, awaited, yielded, or the context manager's value.
    Made = (
        AnyRunnable
        | Awaitable[AnyRunnable]
        | AsyncIterator[AnyRunnable]
        | Iterator[AnyRunnable]
        | AbstractAsyncContextManager[AnyRunnable]
        | AbstractContextManager[AnyRunnable]
    )
    # The functions of a route.
    RunnableSource = AnyRunnable | Callable[["StreamRequest"], Made] | str
    # With a "context", which a RunnableConfig has no key for.
    Config = RunnableConfig | Mapping[str, object]
    Configure = Callable[["StreamRequest"], Config | Awaitable[Config]]
    Authorize = Callable[["StreamRequest"], str | Awaitable[str | None] | None]
    # Awaited, if they can be.
    Converse = Callable[[list[BaseMessage]], Any] | Callable[[list[BaseMessage], RunSpec], Any]

__all__ = ["ClientDisconnect", "StreamRequest"]


class StreamRequest(Request):
    """A Starlette ``Request`` whose body is read once, within its route's limits.

    A route's functions (``authorize``, ``configure`` and the function that returns the Runnable)
    are called with it. Each of them may use ``body()``, ``json()``, ``form()`` and ``stream()``, in
    any order; the route then reads the same body. An exception from these methods refuses the
    request.

    Args:
        scope: The ASGI scope.
        receive: The ASGI receive channel.
        limits: The route's limits, of which ``body``, ``receive``, ``depth`` and ``items`` apply.

    Attributes:
        data: The body's JSON, or the input in the query of a GET request. None in ``authorize``,
            which is called before the body is read.
        owner: What ``authorize`` returned. None before that.
        call: The run that the client asks for, parsed from `data` by the route's format. None in
            ``authorize``, which may await `spec`.

    Example:
        >>> async def configure(request: StreamRequest) -> RunnableConfig:
        ...     user = (await request.json())["user"]
        ...     return {"configurable": {"thread_id": f"{user}:{request.call.thread}"}}
    """

    def __init__(self, scope: Scope, receive: Receive, limits: Limits) -> None:
        super().__init__(scope, receive)
        self.data: Any = None
        self.owner: str | None = None
        self.format: Any = None
        self.parsed: Any = None
        self.parse: Callable[[StreamRequest], Awaitable[RunSpec | None]] | None = None
        self.call: RunSpec | None = None
        self._limits = limits
        self._parts = bytearray()
        self._failure: Exception | None = None

    async def body(self) -> bytes:
        """Return the whole body.

        Raises:
            BodyTooLarge: It has more than ``limits.body`` bytes.
            BodyTimeout: It did not arrive within ``limits.receive`` seconds.
            ClientDisconnect: The client disconnected.
        """
        if self._failure is not None:
            # A caller may have caught the error, but the parts read so far are not the whole body.
            raise self._failure
        if not hasattr(self, "_body"):
            try:
                self._body = await self._read()
            except Exception as error:
                self._failure = error
                raise
        return self._body

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """Yield the whole body, then an empty part, as Starlette does at the end."""
        yield await self.body()
        yield b""

    async def json(self) -> Any:
        """Return the body's JSON, parsed once.

        Raises:
            UnsupportedMediaType: The body is compressed.
            InvalidRequest: The body is not JSON.
            InvalidInput: Its nesting or number of items exceeds the limits.
            StreamError: Anything that `body` raises.
        """
        if not hasattr(self, "_json"):
            _check_encoding(self.headers.getlist("content-encoding"))
            self._json = parse_json(await self.body(), self._limits)
        return self._json

    async def spec(self) -> RunSpec | None:
        """Return the run that the client asks for, in ``authorize`` too; None if it asks for none.

        The first call reads the body, and has the route's format parse it.

        Raises:
            StreamError: Anything that `json` raises, or the request is not valid in the format.

        Example:
            >>> async def authorize(request: StreamRequest) -> str:
            ...     spec = await request.spec()
            ...     return await owner_of_chat(spec.thread, request.headers["authorization"])
        """
        return None if self.parse is None else await self.parse(self)

    def with_body(self, data: Any) -> StreamRequest:
        """Return a request of the same client with another body, its JSON."""
        request = StreamRequest(self.scope, _no_more, self._limits)
        request.data, request.owner = data, self.owner
        request._json, request._body = data, to_json(data)
        return request

    async def is_disconnected(self) -> bool:
        """Return whether the client has disconnected; always False before the body is read."""
        # Starlette's method receives a message and drops it, which may be a part of the body.
        return hasattr(self, "_body") and await super().is_disconnected()

    async def _read(self) -> bytes:
        limit = self._limits.body
        if limit is not None and _content_length(self.headers.get("content-length", "")) > limit:
            raise _too_large(limit)
        try:
            async with timeout(self._limits.receive):
                async for part in super().stream():
                    self._parts += part
                    if limit is not None and len(self._parts) > limit:
                        raise _too_large(limit)
        except TimeoutError:
            raise BodyTimeout from None
        body, self._parts = bytes(self._parts), bytearray()
        return body


async def _no_more() -> Message:
    """Wait forever: nothing follows the body."""
    return await Future()


def _check_encoding(encodings: Sequence[str]) -> None:
    names = {name.strip().lower() for line in encodings for name in line.split(",")}
    if names - {"", "identity"}:
        # https://www.rfc-editor.org/rfc/rfc9110#section-15.5.16
        raise UnsupportedMediaType(
            "Send the body uncompressed, without a Content-Encoding.",
            headers={"Accept-Encoding": "identity"},
        )


def _content_length(header: str) -> int:
    """Return the length that a request announces; 0 if the header is not a number."""
    return int(header) if re.fullmatch("[0-9]{1,18}", header) else 0


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"The request body is larger than {limit} bytes (limits.body).")
