"""A request's query string, parsed within its limits."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from starlette.requests import Request

from .._json import parse_json
from ..errors import BodyTooLarge, InvalidInput
from ..filters import WORDS, EventFilter, parse_filter
from ..limits import Limits

MAX_QUERY = 65_536
"""Bytes of a query string: the length of a request line that most servers accept."""


def last_event_id(request: Request) -> str | None:
    """Return the id of the last frame that the client received; None if it received none.

    An ``EventSource`` that reconnects sends it as ``Last-Event-ID``. Polyfills that cannot set a
    header send it in the query, as ``lastEventId`` by default; the last of several counts. An empty
    id is no id (https://html.spec.whatwg.org/multipage/server-sent-events.html).
    """
    if header := request.headers.get("last-event-id"):
        return header
    query = request.query_params.multi_items()
    ids = [value for key, value in query if value and _is_last_event_id(key)]
    return ids[-1] if ids else None


def _is_last_event_id(key: str) -> bool:
    return key.replace("-", "").replace("_", "").lower() == "lasteventid"


def read_query(
    request: Request, limits: Limits, *, configurable: Collection[str], narrows: bool
) -> tuple[dict[str, str], EventFilter | None, Any]:
    """Parse the query string of `request`.

    A GET request has its input there, as ``?input=<JSON>`` or with a key for each field.
    ``?include=on_tool_*&exclude_tags=a,b`` narrows the filter.

    Args:
        request: The request.
        limits: The route's limits, of which ``body``, ``items`` and ``depth`` apply.
        configurable: The keys that go to the run's config.
        narrows: Whether the route's format lets a client narrow its filter.

    Returns:
        The keys for the run's config, as text; the client's filter; the input of a GET request.

    Raises:
        BodyTooLarge: The query has more than ``limits.body`` or `MAX_QUERY` bytes.
        InvalidRequest: ``input`` is not JSON.
        InvalidInput: A key is unknown or repeated, or there are too many keys or filter words.
    """
    text: bytes = request.scope["query_string"]
    most = min(MAX_QUERY, limits.body or MAX_QUERY)
    if len(text) > most:
        raise BodyTooLarge(f"The query string is longer than {most} bytes.")
    if limits.items is not None and text.count(b"&") >= limits.items:
        raise _too_many(limits.items)
    values: dict[str, list[str]] = {}
    for key, value in request.query_params.multi_items():
        if not _is_last_event_id(key):
            values.setdefault(key, []).append(value)
    config = {key: _single(key, values.pop(key)) for key in configurable if key in values}
    words = {
        key: ",".join(values.pop(key)).split(",") for key in WORDS if narrows and key in values
    }
    filter = parse_filter(words, {word: word for word in WORDS})
    if request.method != "GET" and values:
        raise _unknown(min(values))
    return config, filter, _input(values, limits)


def _too_many(items: int) -> InvalidInput:
    return InvalidInput(f"The query string has more than {items} parameters (limits.items).")


def _unknown(key: str) -> InvalidInput:
    message = f"unknown query parameter {key!r}"
    return InvalidInput(message, fields={key: "this route does not accept it"})


def _input(values: dict[str, list[str]], limits: Limits) -> Any:
    if values.keys() == {"input"}:
        return parse_json(_single("input", values["input"]).encode(), limits)
    return {key: each[0] if len(each) == 1 else each for key, each in values.items()}


def _single(key: str, values: list[str]) -> str:
    if len(values) > 1:
        raise InvalidInput.at(key, "this parameter may be sent only once")
    return values[0]
