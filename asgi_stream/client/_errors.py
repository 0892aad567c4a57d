"""Errors that a client receives: responses, and what it cannot read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import aclosing, suppress
from html.parser import HTMLParser
from typing import Any

from ..errors import StreamError
from ..errors.mapping import kinds_of
from ..errors.text import mask_passwords, one_line
from ..events import RunError
from ..formats import Frame

try:
    import httpx
    from httpx_sse import EventSource
except ImportError as missing:
    raise ImportError('the client needs httpx: pip install "asgi_stream[client]"') from missing

__all__ = [
    "EventSource",
    "error_from",
    "error_in",
    "error_of",
    "httpx",
    "json_of",
    "response_error",
    "with_body",
]

BODY_BYTES = 65_536
"""How much of the body of an error response is read."""

SHOWN_CHARACTERS = 600
"""How much of it an error message contains."""

MESSAGES = ("title", "error", "error_description", "message", "msg", "detail", "reason", "errors")
"""The members of a JSON body that hold an error message, RFC 9457's among them."""

NESTING = 4
"""How deeply in a JSON body those members are searched for."""


async def with_body(response: httpx.Response) -> httpx.Response:
    """Return `response` with the first part of its body; the rest may never arrive."""
    body = b""
    with suppress(httpx.TransportError):
        async with aclosing(response.aiter_bytes()) as pieces:  # type: ignore[type-var]
            async for piece in pieces:
                body += piece
                if len(body) >= BODY_BYTES:
                    break
    # The body is decoded already.
    encodings = ("content-encoding", "content-length", "transfer-encoding")
    headers = [each for each in response.headers.multi_items() if each[0].lower() not in encodings]
    return httpx.Response(
        response.status_code,
        headers=headers,
        content=body[:BODY_BYTES],
        request=response.request,
        extensions=response.extensions,
    )


def json_of(response: httpx.Response) -> Any:
    """Return the JSON of a response.

    Raises:
        httpx.DecodingError: It is not JSON.
    """
    try:
        return Frame("", response.text).json()
    except ValueError as error:
        raise httpx.DecodingError(str(error)) from None


def response_error(response: httpx.Response) -> Exception:
    """Return an error response as the exception with its code, or else as httpx's.

    Either exception has the server's message.
    """
    document = _json(response.text)
    if (error := error_in(document)) is not None:
        retry_after = response.headers.get("retry-after")
        headers = {} if retry_after is None else {"Retry-After": retry_after}
        return error_of(error, response.status_code, headers)
    status = f"{response.status_code} {response.reason_phrase}".strip()
    location = response.headers.get("location") if response.has_redirect_location else None
    redirects = f", a redirect to {one_line(mask_passwords(location), 200)}" if location else ""
    message = _message(response, document, status)
    return httpx.HTTPStatusError(
        f"The server answered {status}{redirects}{f': {message}' if message else '.'}",
        request=response.request,
        response=response,
    )


def error_in(document: Any) -> Mapping[str, Any] | None:
    """Return the error object of a document in one of this package's formats; None for others."""
    match document:
        case {"error": {"code": str(), "message": str()} as error}:
            return error  # type: ignore[no-any-return]
        case {"code": str(), "message": str() as message} | {
            "code": str(),
            "detail": str() as message,
        }:
            return {**document, "message": message}
    return None


def error_of(
    error: Mapping[str, Any], status: int | None = None, headers: Mapping[str, str] | None = None
) -> StreamError:
    """Return an error object as an exception of the class with its code.

    Args:
        error: The object, with ``code``, ``message`` and optionally ``id`` and ``fields``.
        status: The response's HTTP status; None for an error in a stream.
        headers: The response's headers that the exception gets.
    """
    code = str(error.get("code") or "run_failed")
    # Of two statuses with one code, the last is that of a run's error, which is sent without one.
    known = {kind.status: kind for kind in kinds_of(code)[::-1]}
    kind = known.get(status or 0) or known[max(known)]
    fields = error.get("fields")
    exception = StreamError.__new__(kind)
    StreamError.__init__(
        exception,
        str(error.get("message", "")),
        code=code,
        status=status,
        headers=headers,
        fields=fields if isinstance(fields, dict) else None,
    )
    exception.id = str(error["id"]) if error.get("id") else None
    exception.headers = dict(headers or {})  # without those that this class has by default
    return exception


def error_from(event: RunError) -> StreamError:
    """Return the error that ended a stream as an exception of the class with its code."""
    error = {
        "code": event.code,
        "message": event.message,
        "id": event.id,
        "fields": event.fields or None,
    }
    return error_of(error, event.status or None)


def _message(response: httpx.Response, document: Any, status: str) -> str:
    """Return the server's message as one line; ``""`` if there is only a status."""
    text = response.text
    if document is not None:
        text = ": ".join(_unlike(_messages(document, NESTING), status)) or text
    elif "html" in response.headers.get("content-type", "") or text.lstrip().startswith("<"):
        page = _Page()
        page.feed(text)
        text = " ".join(_unlike(iter(page.texts), status))
    return one_line(" ".join(text.split()), SHOWN_CHARACTERS)


def _messages(document: Any, depth: int) -> Iterator[str]:
    match document:
        case str():
            yield document
        case [*items] if depth:
            messages = (": ".join(_messages(item, depth - 1)) for item in items)
            yield "; ".join(filter(None, messages))
        case {"loc": [*path], "msg": str(message)}:  # FastAPI's
            yield f"{'.'.join(map(str, path))}: {message}"
        case dict() if depth:
            for name in MESSAGES:
                yield from _messages(document.get(name), depth - 1)


def _unlike(texts: Iterator[str], status: str) -> list[str]:
    """Return each of the texts once, without those that repeat the status."""
    unique = dict.fromkeys(" ".join(text.split()) for text in texts)
    return [text for text in unique if text and text not in status]


def _json(text: str) -> Any:
    with suppress(ValueError, RecursionError):
        return json.loads(text)
    return None


class _Page(HTMLParser):
    """Collects the text of an HTML page."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._hidden = False

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self._hidden = tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._hidden = False

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.texts.append(data)
