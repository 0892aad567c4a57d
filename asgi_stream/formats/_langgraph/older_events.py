"""The events of LangGraph's protocol v2 that the frames of a run of the older API stand for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from ...events import Event, OutputChunk, Step
from ...stores import RunRecord
from .._frame import Frame
from .blocks import ROLES
from .cumulative_messages import MODE, CumulativeMessages
from .envelopes import Envelopes, StoredEvent
from .protocol import ProtocolEncoder

MODES = ("values", "updates", "messages", "custom", "tools")
"""The stream modes whose frames have all that the events need."""

ROOM = 8
"""How many events a frame has numbers for. A frame takes longer than that many microseconds."""


class OlderEvents:
    """Translates the frames of one run, to the same events for each reader.

    Args:
        decode: Decodes the frames.
        restore: Returns the message that a frame has.
        record: The run's record, once the run has started.
    """

    def __init__(
        self,
        decode: Callable[[Frame], Iterable[Event]],
        restore: Callable[[Any], Any],
        record: RunRecord,
    ) -> None:
        self._decode, self._restore = decode, restore
        self._envelopes = Envelopes(clock=None)
        self._encoder = ProtocolEncoder(envelopes=self._envelopes, run_id=record.run_id)
        self._cumulative = CumulativeMessages(Step(record.run_id, "", "chain"))
        self._chunked = False
        """Whether the run has the messages in chunks, too."""
        self._first = int((record.started or record.created) * 1_000_000)

    def read(self, number: int, frame: bytes) -> list[StoredEvent]:
        """Return the events of a frame, with the number that it has in its run.

        Raises:
            Exception: It has a message that cannot be restored.
        """
        envelopes = self._envelopes
        envelopes.last = max(envelopes.last, self._first + number * ROOM)
        encoded = b"".join(
            self._encoder.encode(self._restored(event))
            for event in self._decoded(Frame.parse(frame))
            if _is_shown(event)
        )
        return StoredEvent.read_all(encoded)

    def _decoded(self, frame: Frame) -> Iterable[Event]:
        if not frame.event.startswith(MODE):
            self._chunked = self._chunked or frame.event.partition("|")[0] == "messages"
            return self._decode(frame)
        return () if self._chunked else self._cumulative.read(frame)

    def _restored(self, event: Event) -> Event:
        """Return an event with the message that it had, if it had one."""
        if not isinstance(event, OutputChunk) or event.mode != "messages":
            return event
        message, metadata = event.data
        return replace(event, data=(self._restore(message), metadata))


def _is_shown(event: Event) -> bool:
    """Return whether there are events for it; messages of other roles may be of any class."""
    match event:
        case OutputChunk(mode="messages", data=({"type": kind}, _)):
            return kind in ROLES
        case OutputChunk(mode=mode):
            return mode in MODES
    return True
