"""Content negotiation: the ``Accept`` header, by RFC 9110 section 12.5.1."""

from __future__ import annotations

import re
from collections.abc import Mapping

from starlette.requests import Request

MAX_ACCEPT = 4_096
"""Characters of an ``Accept`` header that are parsed."""

EVENT_STREAM = "text/event-stream"

_weight = re.compile(r";\s*q=([01](?:\.[0-9]{0,3})?)\s*(?:;|$)")


def wants_json(accept: str, media_type: str = EVENT_STREAM) -> bool:
    """Return whether the client prefers one JSON document to a stream.

    https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1. A client without a preference, for
    example one that sends ``application/json, text/plain, */*``, gets the stream.

    Args:
        accept: The request's ``Accept`` header.
        media_type: The stream's media type; ``text/event-stream`` is accepted for any stream.
    """
    ranges = _parse(accept)
    stream = max(_quality(ranges, EVENT_STREAM), _quality(ranges, media_type))
    return _quality(ranges, "application/json") > stream


def names_event_stream(accept: str) -> bool:
    """Return whether ``text/event-stream`` itself is accepted, as ``EventSource`` sends it."""
    return _parse(accept).get(EVENT_STREAM, 0) > 0


def accept_of(request: Request) -> str:
    """Return the request's ``Accept`` header, joined if it is sent as several fields."""
    return ",".join(request.headers.getlist("accept"))


def _parse(accept: str) -> dict[str, float]:
    """Return the quality of each media range; the highest, if a range is repeated."""
    ranges: dict[str, float] = {}
    for item in accept[:MAX_ACCEPT].lower().split(","):
        media_range, _, parameters = item.partition(";")
        weight = _weight.search(f";{parameters}")
        quality = float(weight[1]) if weight else 1.0
        media_range = media_range.strip()
        ranges[media_range] = max(quality, ranges.get(media_range, 0.0))
    return ranges


def _quality(ranges: Mapping[str, float], media_type: str) -> float:
    """Return the quality of the most specific range that matches `media_type`, or 0."""
    group = media_type.partition("/")[0]
    for media_range in (media_type, f"{group}/*", "*/*"):
        if media_range in ranges:
            return ranges[media_range]
    return 0.0
