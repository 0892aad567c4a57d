"""A format of someone's own."""

from __future__ import annotations

from asgi_stream.events import Event, TextDelta
from asgi_stream.formats import Format
from asgi_stream.serialize import to_json


class Lines(Format):
    """A line of JSON for each piece of text."""

    media_type = "application/x-ndjson"
    ping = b"\n"
    wants = frozenset({TextDelta})

    def encode(self, event: Event) -> bytes:
        return to_json(event.text) + b"\n" if isinstance(event, TextDelta) else b""
