"""What a client prefers as an answer: its ``Accept``, by RFC 9110 section 12.5.1."""

from __future__ import annotations

import re
from collections.abc import Mapping

from starlette.requests import Request

LONGEST_ACCEPT = 4_096
"""Characters of an ``Accept`` header that are looked at."""

EVENT_STREAM = "text/event-stream"

_weight = re.compile(r";\s*q=([01](?:\.[0-9]{0,3})?)\s*(?:;|$)")


def wants_json(accept: str, media_type: str = EVENT_STREAM) -> bool:
    """Whether a client prefers one JSON document to a stream.

    https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1. A client that takes both alike, as one
    that sends ``application/json, text/plain, */*`` does, gets the stream.

    Args:
        accept: The request's ``Accept`` header.
        media_type: The stream's, which ``text/event-stream`` stands for too.
    """
    ranges = _accepted(accept)
    stream = max(_quality(ranges, EVENT_STREAM), _quality(ranges, media_type))
    return _quality(ranges, "application/json") > stream


def names_event_stream(accept: str) -> bool:
    """Whether an ``Accept`` header has ``text/event-stream`` itself, as ``EventSource`` sends."""
    return _accepted(accept).get(EVENT_STREAM, 0) > 0


def accept_of(request: Request) -> str:
    """The request's ``Accept``, which may be in several header fields."""
    return ",".join(request.headers.getlist("accept"))


def _accepted(accept: str) -> dict[str, float]:
    """The quality of each media range; the highest, where one comes with several parameters."""
    ranges: dict[str, float] = {}
    for each in accept[:LONGEST_ACCEPT].lower().split(","):
        kind, _, parameters = each.partition(";")
        weight = _weight.search(f";{parameters}")
        quality = float(weight[1]) if weight else 1.0
        kind = kind.strip()
        ranges[kind] = max(quality, ranges.get(kind, 0.0))
    return ranges


def _quality(ranges: Mapping[str, float], media_type: str) -> float:
    """The quality of the most specific range that `media_type` is in; 0 if it is in none."""
    group = media_type.partition("/")[0]
    for each in (media_type, f"{group}/*", "*/*"):
        if each in ranges:
            return ranges[each]
    return 0.0
