"""Decodes the frames of LangGraph's older API."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...events import Event, Interrupt, OutputChunk, RunError, RunFinished, RunStarted
from .._decoded import RUN
from .._frame import Frame
from .._sse import decode_interrupts
from ..events import event_of, is_event
from .request import EVENTS, THREAD_MODES

CHUNKS = ("values", "updates", "custom", "messages", *THREAD_MODES)
"""The names of frames that have a chunk."""


class LangGraphDecoder:
    """Decodes one stream."""

    def __init__(self) -> None:
        self._interrupts: Sequence[Interrupt] = ()

    def decode(self, frame: Frame) -> Iterator[Event]:
        """Yield the events of a frame."""
        name, *namespace = frame.event.split("|")
        value = frame.json()
        match name, value:
            case "metadata", {"run_id": run_id}:
                yield RunStarted(str(run_id))
            case "end", _:
                yield RunFinished(RUN, None, self._interrupts)
            case "error", {"message": message}:
                code, id_ = str(value.get("error") or ""), str(value.get("id") or "")
                yield RunError(code, str(message), id_, status=0)
            case "values" | "updates", {"__interrupt__": list(interrupts)}:
                # Each comes in a frame of its own, once for each stream mode.
                known = (*self._interrupts, *decode_interrupts(interrupts))
                self._interrupts = [*{each.id: each for each in known}.values()]
                if len(value) > 1:
                    yield OutputChunk(RUN, value, name, tuple(namespace) or None)
            case _ if name in CHUNKS:
                yield OutputChunk(RUN, value, name, tuple(namespace) or None)
            case _ if name == EVENTS and is_event(value):
                yield event_of(value)
