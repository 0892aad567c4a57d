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

    def due(self) -> bool:
        if self._sink.full:
            return True
        now = monotonic()
        if now < self._until:
            return False
        # What waits since a moment ago only has not kept the loop from turning before.
        since = self._sink.waiting_since
        return since is None or now - since > self.SLICE_SECONDS

    async def pause(self) -> None:
        if self._sink.full:
            await self._sink.room()
        else:
            await asyncio.sleep(0)
        self._until = monotonic() + self.SLICE_SECONDS
