"""``data:`` with each chunk that ``astream()`` yields, as JSON, then ``data: [DONE]``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..events import Event, OutputChunk
from ._decoded import RUN
from ._format import Format
from ._frame import Frame
from ._resumable_format import RUNS
from ._sse import LastFrames, data_frame, last_frames
from ._threads import THREADS


class ChunksFormat(Format):
    """The growing objects of a JSON parser, a graph's states and updates: whatever is yielded.

    Where the route asks a graph for several stream modes or for its subgraphs, a frame is
    ``{"mode": ..., "namespace": [...], "data": ...}`` with those labels; in version 2 of
    LangGraph's stream it is LangGraph's own ``{"type": ..., "ns": [...], "data": ...}``.
    """

    runs = RUNS
    threads = THREADS
    continues = carries_output = answers_with_resume = True
    wants = frozenset({OutputChunk})

    def __init__(self) -> None:
        self._last_frames = LastFrames()

    def encode(self, event: Event) -> bytes:
        if isinstance(event, OutputChunk):
            return data_frame(chunk_object(event))
        return last_frames(event)

    def decode(self, frame: Frame) -> Iterable[Event]:
        events = self._last_frames.decode(frame)
        return [_chunk_of(frame.json())] if events is None else events


def chunk_object(chunk: OutputChunk) -> Any:
    """Return a chunk as its frame has it: with its labels, if the route asked for them."""
    if chunk.part is not None:
        return chunk.part
    labels: dict[str, Any] = {}
    if chunk.mode is not None:
        labels["mode"] = chunk.mode
    if chunk.namespace is not None:
        labels["namespace"] = list(chunk.namespace)
    return {**labels, "data": chunk.data} if labels else chunk.data


def _chunk_of(value: Any) -> OutputChunk:
    match value:
        case {"type": str(mode), "ns": list(namespace), "data": data}:
            return OutputChunk(RUN, data, mode, tuple(namespace), value)
        case {"mode": str(mode), "data": data, **rest} if not rest:
            return OutputChunk(RUN, data, mode)
        case {"mode": str(mode), "namespace": list(namespace), "data": data, **rest} if not rest:
            return OutputChunk(RUN, data, mode, tuple(namespace))
        case {"namespace": list(namespace), "data": data, **rest} if not rest:
            return OutputChunk(RUN, data, None, tuple(namespace))
    return OutputChunk(RUN, value)
