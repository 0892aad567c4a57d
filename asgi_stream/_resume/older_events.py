"""The events of LangGraph's protocol v2 that the frames of a run of the older API stand for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import cast

from .._langchain.sent_messages import message_of
from ..events import Event, OutputChunk, Step
from ..formats import Format, Frame
from ..formats._langgraph.envelopes import Envelopes, StoredEvent
from ..formats._langgraph.protocol import ProtocolEncoder
from ..stores import RunRecord
from .cumulative_messages import MODE, CumulativeMessages
from .numbering import parsed

MODES = ("values", "updates", "messages", "custom", "tools")
"""The stream modes whose frames have all that the events need."""

ROOM = 8
"""How many events a frame has numbers for. A frame takes longer than that many microseconds."""


class OlderEvents:
    """Translates the frames of one run, to the same events for each reader.

    Args:
        format: Decodes the frames.
        record: The run's record, once the run has started.
    """

    def __init__(self, format: Format, record: RunRecord) -> None:
        self._format = format
        self._envelopes = Envelopes(clock=None)
        self._encoder = ProtocolEncoder(envelopes=self._envelopes, run_id=record.run_id)
        self._cumulative = CumulativeMessages(Step(record.run_id, "", "chain"))
        self._chunked = False
        """Whether the run has the messages in chunks, too."""
        self._first = int((record.started or record.created) * 1_000_000)

    def read(self, number: int, frame: bytes) -> Iterator[StoredEvent]:
        """Yield the events of a frame, with the number that it has in its run."""
        envelopes = self._envelopes
        envelopes.last = max(envelopes.last, self._first + number * ROOM)
        for event in self._decoded(parsed(frame)):
            if not isinstance(event, OutputChunk) or event.mode in MODES:
                for each in self._encoder.encode(_restored(event)).split(b"\n\n")[:-1]:
                    yield cast(StoredEvent, StoredEvent.read(each + b"\n\n"))

    def _decoded(self, frame: Frame) -> Iterable[Event]:
        if not frame.event.startswith(MODE):
            self._chunked = self._chunked or frame.event.partition("|")[0] == "messages"
            return self._format.decode(frame)
        return () if self._chunked else self._cumulative.read(frame)


def _restored(event: Event) -> Event:
    """Return an event with the message that it had, if it had one."""
    if not isinstance(event, OutputChunk) or event.mode != "messages":
        return event
    message, metadata = event.data
    return replace(event, data=(message_of(message, keep_chunks=True), metadata))
