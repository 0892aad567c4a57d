"""The request that the functions of a route are called with."""

from __future__ import annotations

import re
from asyncio import timeout
from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING, Any

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope

from ._json import parse_json
from .errors import BodyTimeout, BodyTooLarge, UnsupportedMediaType
from .limits import Limits

if TYPE_CHECKING:
    from .formats import RunSpec

__all__ = ["ClientDisconnect", "StreamRequest"]


class StreamRequest(Request):
    """A Starlette ``Request`` whose body is read once, and within its route's limits.

    The functions of a route are called with it. ``body()``, ``json()``, ``form()`` and ``stream()``
    work in each of them, in any order, and the route reads the same body afterwards. What they
    raise refuses the request.

    Args:
        scope: The request's.
        receive: The request's.
        limits: The route's.

    Attributes:
        data: The body's JSON, or the input in the query of a GET request. None until it is read:
            when ``authorize`` is called.
        call: The same as the format has understood it. None until then.
    """

    def __init__(self, scope: Scope, receive: Receive, limits: Limits) -> None:
        super().__init__(scope, receive)
        self.data: Any = None
        self.call: RunSpec | None = None
        self._limits = limits
        self._parts = bytearray()
        self._failure: Exception | None = None

    async def body(self) -> bytes:
        """Return the whole body.

        Raises:
            BodyTooLarge: It has more than ``limits.body`` bytes, counted as they come.
            BodyTimeout: It took more than ``limits.receive`` seconds.
            ClientDisconnect: The client left.
        """
        if self._failure is not None:
            # What was read before is not the whole body, even if somebody has ignored that.
            raise self._failure
        if not hasattr(self, "_body"):
            try:
                self._body = await self._read()
            except Exception as error:
                self._failure = error
                raise
        return self._body

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """Yield the whole body, and an empty part at its end, as Starlette does."""
        yield await self.body()
        yield b""

    async def json(self) -> Any:
        """Return the body's JSON, parsed once.

        Raises:
            UnsupportedMediaType: It is compressed.
            InvalidRequest: It is not JSON.
            InvalidInput: It is deeper or has more items than the limits say.
            StreamError: What `body` raises.
        """
        if not hasattr(self, "_json"):
            _check_encoding(self.headers.getlist("content-encoding"))
            self._json = parse_json(await self.body(), self._limits)
        return self._json

    async def is_disconnected(self) -> bool:
        """Return whether the client is known to have left; False before the body is read."""
        # Starlette's looks at the next message, which may be a part of the body, and drops it.
        return hasattr(self, "_body") and await super().is_disconnected()

    async def _read(self) -> bytes:
        limit = self._limits.body
        announced = self.headers.get("content-length", "")
        if limit is not None and _number(announced) > limit:
            raise _too_large(limit)
        try:
            async with timeout(self._limits.receive):
                async for part in super().stream():
                    self._parts += part
                    if limit is not None and len(self._parts) > limit:
                        raise _too_large(limit)
        except TimeoutError:
            raise BodyTimeout from None
        whole, self._parts = bytes(self._parts), bytearray()
        return whole


def _check_encoding(encodings: Sequence[str]) -> None:
    named = {name.strip().lower() for line in encodings for name in line.split(",")}
    if named - {"", "identity"}:
        # https://www.rfc-editor.org/rfc/rfc9110#section-15.5.16
        raise UnsupportedMediaType(
            "Send the body uncompressed, without a Content-Encoding.",
            headers={"Accept-Encoding": "identity"},
        )


def _number(text: str) -> int:
    """The ``Content-Length`` that a request announces; 0 if that is no number."""
    return int(text) if re.fullmatch("[0-9]{1,18}", text) else 0


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"The request's body has more than {limit} bytes.")
