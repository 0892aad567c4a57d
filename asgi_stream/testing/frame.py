"""One event of an event stream, as a browser reads it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Frame:
    """One event of an event stream.

    Attributes:
        data: Its ``data`` lines, joined by line feeds.
        event: Its ``event`` field; None if it has none.
        id: Its ``id`` field; None if it has none.
    """

    data: str
    event: str | None = None
    id: str | None = None

    def json(self) -> Any:
        """Return `data`, parsed as JSON."""
        return json.loads(self.data)


def parse_frame(block: str) -> Frame | None:
    """Return the event whose lines are in `block`; None if they are comments, or have no data."""
    data: list[str] = []
    fields: dict[str, str] = {}
    for line in block.split("\n"):
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data.append(value)
        else:
            fields[name] = value
    if not data:
        return None
    return Frame("\n".join(data), fields.get("event"), fields.get("id"))
