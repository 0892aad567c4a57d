"""A frame as a client receives it, which `Format.decode` turns into events."""

from __future__ import annotations

import json
from typing import Any, NamedTuple


class Frame(NamedTuple):
    """One frame of an event stream, or a piece of a body that is none.

    Attributes:
        event: The event name, ``""`` without one.
        data: The data; for a body that is no event stream, a piece of its text.
        id: The last event id so far, ``""`` if no frame had one.
    """

    event: str
    data: str
    id: str = ""

    @classmethod
    def parse(cls, frame: bytes) -> Frame:
        """Return a frame that `Format.encode` has made."""
        lines = (line.partition(": ") for line in frame.decode().split("\n"))
        fields = {name: value for name, _, value in lines}
        return cls(fields.get("event", ""), fields.get("data", ""))

    def json(self) -> Any:
        """Return the data parsed as JSON, or None for a frame without data.

        Raises:
            ValueError: The data is not JSON, or nested too deeply.
        """
        if not self.data:
            return None
        try:
            return json.loads(self.data)
        except (ValueError, RecursionError):
            raise ValueError(f"Invalid JSON: {self.data[:100]!r}") from None
