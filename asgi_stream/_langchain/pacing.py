"""When a run has to wait, so that it holds up nobody else."""

from __future__ import annotations

import asyncio
from time import monotonic

from .sink import Sink


class Pacer:
    """Says when a run has to wait: for a slow reader, or because it has worked long enough.

    While frames are waiting neither a queue nor a send suspends, so a run that never waits would
    hold up the whole process.
    """

    SLICE_SECONDS = 0.002

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._until = monotonic() + self.SLICE_SECONDS
        self._taken = 0

    def due(self) -> bool:
        sink = self._sink
        if sink.full:
            return True
        now = monotonic()
        if now < self._until:
            return False
        since = sink.waiting_since
        if since is not None:
            # What waits since a moment ago only has not kept the loop from turning before.
            return now - since > self.SLICE_SECONDS
        if sink.taken == self._taken:
            return True
        # What was put in has been taken since the last look: the loop has turned by itself.
        self._taken = sink.taken
        self._until = now + self.SLICE_SECONDS
        return False

    async def pause(self) -> None:
        if self._sink.full:
            await self._sink.room()
        else:
            await asyncio.sleep(0)
        self._until = monotonic() + self.SLICE_SECONDS
