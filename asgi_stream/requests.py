"""What a client asks for: a request's body and query, read within their limits."""

from __future__ import annotations

import re
from asyncio import timeout
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope

from ._json import parse_json
from .errors import BodyTimeout, BodyTooLarge, InvalidInput, UnsupportedMediaType
from .filters import WORDS, EventFilter, asked_filter
from .limits import Limits

if TYPE_CHECKING:
    from .formats import Call

__all__ = [
    "ClientDisconnect",
    "Query",
    "RunRequest",
    "StreamRequest",
    "check_origin",
    "last_event_id",
    "read_body",
    "read_query",
]


LONGEST_QUERY = 65_536
"""Bytes of a query string: as long as the lines that most servers take."""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """One run, as asked for by a client and completed by its route.

    Attributes:
        input: The Runnable's input.
        config: The ``RunnableConfig``, without callbacks and run id of our own.
        stream: Keyword arguments for ``astream``.
        filter: What LangChain may leave out of its events beforehand.
        client_tools: The names of the tools whose calls the client answers.
        run_id: Cannot be guessed.
    """

    input: Any
    config: Mapping[str, Any] = field(default_factory=dict)
    stream: Mapping[str, Any] = field(default_factory=dict)
    filter: EventFilter = field(default_factory=EventFilter)
    client_tools: frozenset[str] = frozenset()
    run_id: UUID = field(default_factory=uuid4)


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
        self.call: Call | None = None
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


async def read_body(request: StreamRequest) -> Any:
    """The JSON in the request's body.

    Raises:
        UnsupportedMediaType: It is not declared as JSON, or it is compressed.
        StreamError: What `StreamRequest.json` raises.
        ClientDisconnect: The client left.
    """
    _check_media_type(request.headers.get("content-type", ""))
    return await request.json()


def check_origin(request: Request) -> None:
    """Refuse what a page of another origin can send without asking the server first.

    A POST with any other media type than JSON's, or none, is sent without a CORS preflight, with
    the user's cookies (https://fetch.spec.whatwg.org/#simple-request). Programs send neither
    ``Sec-Fetch-Site`` nor ``Origin``.

    Raises:
        UnsupportedMediaType: It is such a request.
    """
    if request.method != "POST" or _is_json(request.headers.get("content-type", "")):
        return
    site = request.headers.get("sec-fetch-site")
    if site is None:
        # Only sent over HTTPS and to localhost.
        origin = request.headers.get("origin")
        own = origin is None or origin.partition("://")[2] == request.headers.get("host", "")
    else:
        own = site in ("same-origin", "none")
    if not own:
        raise UnsupportedMediaType(
            "From a page of another origin, send this with the header"
            " Content-Type: application/json."
        )


@dataclass(frozen=True, slots=True)
class Query:
    """What a request's query string says.

    Attributes:
        configurable: Keys for the run's config, as text.
        filter: What the client narrows the route's filter to, if it does.
        input: The input of a GET request.
    """

    configurable: Mapping[str, str]
    filter: EventFilter | None
    input: Any


def last_event_id(request: Request) -> str | None:
    """Return the id of the last frame that the client has had; None if it has had none.

    An ``EventSource`` that comes back sends it as ``Last-Event-ID``; polyfills that cannot set a
    header send it in the query, as ``lastEventId`` by default. An empty one is none, and of
    several the last counts (https://html.spec.whatwg.org/multipage/server-sent-events.html).
    """
    if known := request.headers.get("last-event-id"):
        return known
    given = request.query_params.multi_items()
    found = [value for key, value in given if value and _is_last_event_id(key)]
    return found[-1] if found else None


def _is_last_event_id(key: str) -> bool:
    return key.replace("-", "").replace("_", "").lower() == "lasteventid"


def read_query(
    request: Request, limits: Limits, *, configurable: Sequence[str], narrows: bool
) -> Query:
    """The request's query string, all of it: a key that nobody takes is refused.

    A GET request has its input there: ``?input=<JSON>``, or each field as a key of its own.
    ``?include=on_tool_*&exclude_tags=a,b`` narrows the events.

    Raises:
        BodyTooLarge: It has more than ``limits.body`` or `LONGEST_QUERY` bytes.
        InvalidRequest: ``input`` is not JSON.
        InvalidInput: A key is not one that the route takes, or comes twice; there are more than
            ``limits.items``; a filter has too many patterns.
    """
    text: bytes = request.scope["query_string"]
    longest = min(LONGEST_QUERY, limits.body or LONGEST_QUERY)
    if len(text) > longest:
        raise BodyTooLarge(f"The request's query has more than {longest} bytes.")
    if limits.items is not None and text.count(b"&") >= limits.items:
        raise InvalidInput(f"The query has more than {limits.items} keys (limits.items).")
    given: dict[str, list[str]] = {}
    for key, value in request.query_params.multi_items():
        if not _is_last_event_id(key):
            given.setdefault(key, []).append(value)
    chosen = {}
    for key in configurable:
        if key in given:
            chosen[key] = _only(key, given.pop(key))
    words = {key: ",".join(given.pop(key)).split(",") for key in WORDS if narrows and key in given}
    asked = asked_filter(words, dict(zip(WORDS, WORDS, strict=True)))
    if request.method != "GET" and given:
        key = sorted(given)[0]
        raise InvalidInput(
            f"the query key {key!r} is not one that this route takes",
            fields={key: "this route does not take it"},
        )
    return Query(chosen, asked, _input_in(given, limits))


def _input_in(given: dict[str, list[str]], limits: Limits) -> Any:
    if "input" in given and len(given) == 1:
        return parse_json(_only("input", given["input"]).encode(), limits)
    return {key: values[0] if len(values) == 1 else values for key, values in given.items()}


def _only(key: str, values: list[str]) -> str:
    if len(values) > 1:
        raise InvalidInput(f"{key}: given more than once", fields={key: "given more than once"})
    return values[0]


def _check_media_type(content_type: str) -> None:
    # A missing type is refused too: a page of another site can send that without being asked.
    if not _is_json(content_type):
        raise UnsupportedMediaType
    charset = re.search(r'charset="?([^\s;"]+)', content_type.lower().partition(";")[2])
    if charset and charset[1] not in ("utf-8", "utf8", "us-ascii"):
        raise UnsupportedMediaType("Send the JSON in UTF-8.")


def _check_encoding(encodings: Sequence[str]) -> None:
    named = {name.strip().lower() for line in encodings for name in line.split(",")}
    if named - {"", "identity"}:
        # https://www.rfc-editor.org/rfc/rfc9110#section-15.5.16
        raise UnsupportedMediaType(
            "Send the body uncompressed, without a Content-Encoding.",
            headers={"Accept-Encoding": "identity"},
        )


def _is_json(content_type: str) -> bool:
    kind = content_type.lower().partition(";")[0].strip()
    return kind == "application/json" or bool(re.fullmatch(r"application/[\w.-]+\+json", kind))


def _number(text: str) -> int:
    """The ``Content-Length`` that a request announces; 0 if that is no number."""
    return int(text) if re.fullmatch("[0-9]{1,18}", text) else 0


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"The request's body has more than {limit} bytes.")
