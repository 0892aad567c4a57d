"""``data:`` with each event of LangChain's ``astream_events``, then ``data: [DONE]``.

The events are those of version 2 of the schema:
https://reference.langchain.com/python/langchain-core/runnables/schema
"""

from __future__ import annotations

from typing import Any

from ..events import Event, LangChainEvent
from ._format import RUNS, Format
from ._sse import data_frame, last_frames


class EventsFormat(Format):
    """``event``, ``name``, ``run_id``, ``parent_ids``, ``tags``, ``metadata`` and ``data``."""

    runs = RUNS
    wants = frozenset({LangChainEvent})

    def __init__(self) -> None:
        self._events: list[dict[str, Any]] = []

    def encode(self, event: Event) -> bytes:
        if isinstance(event, LangChainEvent):
            return data_frame(event_object(event))
        return last_frames(event)

    def gather(self, event: Event) -> object:
        if isinstance(event, LangChainEvent):
            self._events.append(event_object(event))
        return self._events


def event_object(event: LangChainEvent) -> dict[str, Any]:
    """The event as LangChain's own ``StreamEvent``."""
    return {
        "event": event.event,
        "name": event.step.name,
        "run_id": event.step.run_id,
        "parent_ids": event.parent_ids,
        "tags": event.step.tags,
        "metadata": event.metadata,
        "data": event.data,
    }
