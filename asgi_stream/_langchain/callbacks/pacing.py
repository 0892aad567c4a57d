"""Makes a run wait for its reader, and for the other tasks of the event loop."""

from __future__ import annotations

import asyncio
from time import monotonic

from .sink import Sink


class Pacer:
    """Says when a run has to wait: for a slow reader, or because its time slice is used up.

    Putting events never suspends the run's task, so a run that never waits would block the whole
    event loop.

    Args:
        sink: Takes the run's events.
    """

    SLICE_SECONDS = 0.002
    """How long a run may keep the event loop to itself."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._until = monotonic() + self.SLICE_SECONDS
        self._taken = 0

    def due(self) -> bool:
        """Return whether to call `pause` now."""
        sink = self._sink
        if sink.full:
            return True
        now = monotonic()
        if now < self._until:
            return False
        since = sink.waiting_since
        if since is not None:
            # An event that is waiting only briefly shows that the loop ran a moment ago.
            return now - since > self.SLICE_SECONDS
        if sink.taken == self._taken:
            return True
        # The reader has taken events since the last check, so the loop has run.
        self._taken = sink.taken
        self._until = now + self.SLICE_SECONDS
        return False

    async def pause(self) -> None:
        """Wait until the sink has room, or for one pass of the event loop."""
        if self._sink.full:
            await self._sink.room()
        else:
            await asyncio.sleep(0)
        self._until = monotonic() + self.SLICE_SECONDS
