"""Finds what a route takes, in the OpenAPI document of the server that serves it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from ..client._connection import httpx
from .message_body import NoMessageInput, body_with, run_operation


def addressed(
    url: str,
    texts: Sequence[str],
    *,
    headers: Mapping[str, str],
    thread_id: str | None,
    timeout: float,
) -> tuple[str, Any]:
    """Return the URL and the body of a request with messages of the user.

    Args:
        url: The URL of a route, or of one of its endpoints.
        texts: The messages.
        headers: Headers for the requests that search for the document.
        thread_id: The thread, where the body has its id.
        timeout: Seconds that the server may take to answer one of them.

    Raises:
        NoMessageInput: There is no document, or the route takes something else.
        httpx.HTTPError: There was no response.
    """
    parts = urlsplit(url)
    tried = []
    for prefix in _prefixes(parts.path):
        address = urlunsplit(parts._replace(path=f"{prefix}/openapi.json", query=""))
        tried.append(address)
        document = _document(httpx.get(address, headers=dict(headers), timeout=timeout))
        operation = run_operation(document, unquote(parts.path).removeprefix(prefix) or "/")
        if operation is not None:
            path, schema = operation
            definitions = document.get("components", {}).get("schemas", {})
            body = body_with(texts, schema, definitions, thread_id)
            return urlunsplit(parts._replace(path=f"{prefix}{path}")), body
    raise NoMessageInput(f"no OpenAPI document describes a run there; tried {', '.join(tried)}")


def _prefixes(path: str) -> Iterator[str]:
    """Yield the paths above a path, the longest first."""
    names = path.rstrip("/").split("/")
    for count in range(max(len(names) - 1, 1), 0, -1):
        yield "/".join(names[:count])


def _document(response: httpx.Response) -> Mapping[str, Any]:
    """Return an OpenAPI document; an empty one for any other response."""
    with suppress(ValueError):
        document = json.loads(response.text)
        if response.status_code == 200 and isinstance(document, dict):
            return document
    return {}
