"""The events of a frame from a server, which may send anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields
from typing import get_args

from ..events import Event, Step
from ..formats import Frame
from ._errors import httpx

TEXTS = {
    kind: [each.name for each in fields(kind) if each.type == "str"]
    for kind in (*get_args(Event), Step)
}
"""The names of the fields of each class that are texts."""


def events_in(frame: Frame, decode: Callable[[Frame], Iterable[Event]]) -> list[Event]:
    """Return the events of a frame.

    Args:
        frame: The frame.
        decode: The function that decodes it. It may take what begins as a frame of its format for
            one, and fail at the rest.

    Raises:
        httpx.DecodingError: The frame is not one of the format's.
    """
    try:
        events = [*decode(frame)]
        if not all(map(_has_texts, events)):
            raise TypeError("a field is no text")
    except ValueError as error:
        raise httpx.DecodingError(str(error)) from None
    except Exception as error:
        raise httpx.DecodingError(f"Invalid frame: {frame.data[:100]!r}") from error
    return events


def _has_texts(event: Event) -> bool:
    """Return whether a text is what has to be one in an event, and in the step that emits it."""
    values = (event, event.step) if hasattr(event, "step") else (event,)
    return all(
        isinstance(getattr(value, name), str) for value in values for name in TEXTS[type(value)]
    )
