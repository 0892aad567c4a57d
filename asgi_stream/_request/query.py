"""A request's query string, read within its limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from .._json import parse_json
from ..errors import BodyTooLarge, InvalidInput
from ..filters import WORDS, EventFilter, parse_filter
from ..limits import Limits

LONGEST_QUERY = 65_536
"""Bytes of a query string: as long as the lines that most servers take."""


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
    asked = parse_filter(words, dict(zip(WORDS, WORDS, strict=True)))
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
