"""LangGraph's protocol v2 of a thread: its commands, and the events of all its runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from ...errors import StreamError, WorkerLost
from ...events import Event
from ...stores import RunRecord
from .._frame import Frame
from .._spec import RunSpec
from .._thread_protocol import ThreadProtocol, ThreadReader
from .commands import command_error, command_result
from .envelopes import Envelopes, StoredEvent, Subscription
from .older_events import OlderEvents
from .run import metadata_of

Decoder = Callable[[], Callable[[Frame], Iterable[Event]]]
"""Returns what decodes the frames of one run of the older API."""


class LangGraphThreads(ThreadProtocol):
    """The commands and events of threads.

    Args:
        decoder: Returns what decodes the frames of one run of the older API.
    """

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder

    def with_graph(self, spec: RunSpec, graph: str) -> RunSpec:
        return replace(spec, model=graph, metadata={**spec.metadata, **metadata_of(graph)})

    def started(self, body: Any, run_id: str, since: float) -> object:
        return command_result(body, run_id, int(since * 1_000_000))

    def refused(self, body: Any, error: StreamError) -> object:
        return command_error(body, error)

    def reader(self, body: Any, restore: Callable[[Any], Any]) -> EventReader:
        return EventReader(Subscription.parse(body), self._decoder, restore)


class EventReader(ThreadReader):
    """Sends the events that a client asks for, whichever API has started their runs.

    Args:
        subscription: The events that the client asks for.
        decoder: Returns what decodes the frames of one run of the older API.
        restore: Returns the message that such a frame has.
    """

    def __init__(
        self,
        subscription: Subscription,
        decoder: Decoder,
        restore: Callable[[Any], Any],
    ) -> None:
        self._subscription, self._decoder, self._restore = subscription, decoder, restore
        self._older: OlderEvents | None = None
        self._last: StoredEvent | None = None

    def begin(self, record: RunRecord) -> None:
        self._record = record
        self._older = self._last = None

    def read(self, number: int, frame: bytes) -> Sequence[bytes]:
        event = StoredEvent.read(frame)
        if event is not None:
            return self._sent([event])
        if self._last is not None and self._older is None:
            return ()  # the end of a run whose worker has died, as of the older API
        if self._older is None:
            self._older = OlderEvents(self._decoder(), self._restore, self._record)
        return self._sent(self._older.read(number, frame))

    def end(self) -> Sequence[bytes]:
        last = self._last
        if last is None or last.ends_run:
            return ()
        envelopes, error = Envelopes(last.number), WorkerLost.message
        lost = envelopes.lifecycle(self._record.run_id, "failed", (), error=error)
        return self._sent(StoredEvent.read_all(lost))

    def _sent(self, events: Sequence[StoredEvent]) -> Sequence[bytes]:
        """Return the frames of those of the events that the reader asks for."""
        self._last = events[-1] if events else self._last
        wanted = self._subscription
        return [
            each.frame
            for each in events
            if each.number > wanted.since and wanted.accepts(each.channel, each.namespace)
        ]
