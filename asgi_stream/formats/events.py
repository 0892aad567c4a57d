"""``data:`` with each event of LangChain's ``astream_events``, then ``data: [DONE]``.

The events have version 2 of the schema:
https://reference.langchain.com/python/langchain-core/runnables/schema
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..events import Event, LangChainEvent, Step
from ._decoded import object_in, plain_events
from ._format import Format
from ._frame import Frame
from ._resumable_format import RUNS
from ._sse import LastFrames, data_frame, last_frames
from ._threads import THREADS


class EventsFormat(Format):
    """``event``, ``name``, ``run_id``, ``parent_ids``, ``tags``, ``metadata`` and ``data``."""

    runs = RUNS
    threads = THREADS
    continues = carries_output = answers_with_resume = True
    wants = frozenset({LangChainEvent})

    def __init__(self) -> None:
        self._events: list[dict[str, Any]] = []
        self._last_frames = LastFrames()

    def encode(self, event: Event) -> bytes:
        if isinstance(event, LangChainEvent):
            return data_frame(event_object(event))
        return last_frames(event)

    def decode(self, frame: Frame) -> Iterable[Event]:
        events = self._last_frames.decode(frame)
        if events is not None:
            return events
        match frame.json():
            case {"event": str()} as event:
                return [event_of(event)]
        return plain_events(frame)

    @classmethod
    def recognizes(cls, frame: Frame) -> bool:
        match object_in(frame):
            case {"event": str(), "run_id": str(), "data": dict()}:
                return True
        return False

    def gather(self, event: Event) -> object:
        if isinstance(event, LangChainEvent):
            self._events.append(event_object(event))
        return self._events


def event_object(event: LangChainEvent) -> dict[str, Any]:
    """Return the event as LangChain's own ``StreamEvent``."""
    return {
        "event": event.event,
        "name": event.step.name,
        "run_id": event.step.run_id,
        "parent_ids": event.parent_ids,
        "tags": event.step.tags,
        "metadata": event.metadata,
        "data": event.data,
    }


def is_event(value: Any) -> bool:
    """Return whether `value` is a ``StreamEvent`` of version 2."""
    match value:
        case {"event": str(), "run_id": str(), "parent_ids": list(), "data": _}:
            return True
    return False


def event_of(value: Mapping[str, Any]) -> LangChainEvent:
    """Return a ``StreamEvent`` as an event: the reverse of `event_object`.

    Raises:
        ValueError: It is none.
    """
    name, data = value["event"], value.get("data") or {}
    metadata, parents = value.get("metadata") or {}, value.get("parent_ids") or ()
    tags = value.get("tags") or ()
    has_data = isinstance(data, dict) or name == "on_custom_event"  # whose data may be anything
    has_words = _are_texts(tags) and _are_texts(parents) and isinstance(metadata, dict)
    if not has_data or not has_words:
        raise ValueError(f"Invalid event: {str(value)[:100]!r}")
    step = Step(
        run_id=str(value.get("run_id") or ""),
        name=str(value.get("name") or ""),
        type=name.removeprefix("on_").rpartition("_")[0],
        tags=tags,
    )
    return LangChainEvent(step, name, data, metadata, parents)


def _are_texts(value: Any) -> bool:
    return isinstance(value, Sequence) and all(isinstance(each, str) for each in value)
