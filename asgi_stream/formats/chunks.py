"""``data:`` with each chunk that ``astream()`` yields, as JSON, then ``data: [DONE]``."""

from __future__ import annotations

from typing import Any

from ..events import Event, OutputChunk
from ._format import RUNS, Format
from ._sse import data_frame, last_frames


class ChunksFormat(Format):
    """The growing objects of a JSON parser, a graph's states and updates, whatever is yielded.

    Where the route asks a graph for several stream modes or for its subgraphs, a frame is
    ``{"mode": ..., "namespace": [...], "data": ...}`` with the parts that it asked for; in version
    2 of LangGraph's stream it is LangGraph's own ``{"type": ..., "ns": [...], "data": ...}``.
    """

    runs = RUNS
    wants = frozenset({OutputChunk})

    def encode(self, event: Event) -> bytes:
        if isinstance(event, OutputChunk):
            return data_frame(_labelled(event))
        return last_frames(event)


def _labelled(chunk: OutputChunk) -> Any:
    if chunk.part is not None:
        return chunk.part
    labels: dict[str, Any] = {}
    if chunk.mode is not None:
        labels["mode"] = chunk.mode
    if chunk.namespace is not None:
        labels["namespace"] = chunk.namespace
    return {**labels, "data": chunk.data} if labels else chunk.data
