"""The refusal of a request, by a server of this package or another, or by a proxy."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import aclosing, suppress
from html.parser import HTMLParser
from typing import Any

from ..errors import StreamError, mask_passwords, one_line, statuses

try:
    import httpx
    from httpx_sse import EventSource
except ImportError as missing:
    raise ImportError('the client needs httpx: pip install "asgi_stream[client]"') from missing

__all__ = ["EventSource", "answered", "error_of", "httpx", "with_its_body"]

BODY_BYTES = 65_536
"""How much of a refusal's body is read."""

WORDS_CHARACTERS = 600
"""How much of it is shown."""

MESSAGES = ("title", "error", "error_description", "message", "msg", "detail", "reason", "errors")
"""The members of a JSON body that hold an error message, RFC 9457's among them."""

NESTING = 4
"""How deep in a JSON body they are looked for."""


async def with_its_body(response: httpx.Response) -> httpx.Response:
    """Return `response` with the beginning of its body, whose rest may never come."""
    body = b""
    with suppress(httpx.TransportError):
        async with aclosing(response.aiter_bytes()) as pieces:  # type: ignore[type-var]
            async for piece in pieces:
                body += piece
                if len(body) >= BODY_BYTES:
                    break
    # The body is decoded already.
    about = ("content-encoding", "content-length", "transfer-encoding")
    headers = [each for each in response.headers.multi_items() if each[0].lower() not in about]
    return httpx.Response(
        response.status_code,
        headers=headers,
        content=body[:BODY_BYTES],
        request=response.request,
        extensions=response.extensions,
    )


def answered(response: httpx.Response) -> Exception:
    """Return a refusal as the exception that its code stands for, or else as httpx's.

    Either has the words of the server in its message.
    """
    document = _json(response.text)
    if (error := told_in(document)) is not None:
        later = response.headers.get("retry-after")
        headers = {} if later is None else {"Retry-After": later}
        return error_of(error, response.status_code, headers)
    status = f"{response.status_code} {response.reason_phrase}".strip()
    place = response.headers.get("location") if response.has_redirect_location else None
    redirects = f", a redirect to {one_line(mask_passwords(place), 200)}" if place else ""
    words = _words(response, document, status)
    return httpx.HTTPStatusError(
        f"The server answered {status}{redirects}{f': {words}' if words else '.'}",
        request=response.request,
        response=response,
    )


def told_in(document: Any) -> Mapping[str, Any] | None:
    """Return the error that `document` is, in the words of one of our formats."""
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
    told: Mapping[str, Any], status: int | None = None, headers: Mapping[str, str] | None = None
) -> StreamError:
    """The error that a server has told, as the exception of this package with its code."""
    code, status = str(told.get("code", "run_failed")), status or told.get("status_code")
    fits = [kind for kinds in statuses().values() for kind in kinds if kind.code == code]
    exact = [kind for kind in fits if kind.status == status]
    fields = told.get("fields")
    # Without a status it is a frame, and of two with one code that of the run.
    error = StreamError.__new__((exact or fits[::-1] or [StreamError])[0])
    StreamError.__init__(
        error,
        str(told.get("message", "")),
        code=code,
        status=status,
        headers=headers,
        fields=fields if isinstance(fields, dict) else None,
    )
    error.id = str(told["id"]) if "id" in told else None
    return error


def _words(response: httpx.Response, document: Any, status: str) -> str:
    """The server's message for a refusal, as one line; ``""`` if there is only a status."""
    text = response.text
    if document is not None:
        text = ": ".join(_unlike(_messages(document, NESTING), status)) or text
    elif "html" in response.headers.get("content-type", "") or text.lstrip().startswith("<"):
        page = _Page()
        page.feed(text)
        text = " ".join(_unlike(iter(page.texts), status))
    return one_line(" ".join(text.split()), WORDS_CHARACTERS)


def _messages(document: Any, depth: int) -> Iterator[str]:
    match document:
        case str():
            yield document
        case [*items] if depth:
            words = (": ".join(_messages(item, depth - 1)) for item in items)
            yield "; ".join(filter(None, words))
        case {"loc": [*place], "msg": str(what)}:  # FastAPI's
            yield f"{'.'.join(map(str, place))}: {what}"
        case dict() if depth:
            for name in MESSAGES:
                yield from _messages(document.get(name), depth - 1)


def _unlike(texts: Iterator[str], status: str) -> list[str]:
    """The texts, each once and without those that repeat the status."""
    known = dict.fromkeys(" ".join(text.split()) for text in texts)
    return [text for text in known if text and text not in status]


def _json(text: str) -> Any:
    with suppress(ValueError, RecursionError):
        return json.loads(text)
    return None


class _Page(HTMLParser):
    """The text of an HTML page."""

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
