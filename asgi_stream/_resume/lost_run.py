"""The end of a run whose worker has died."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from .._delivery.observability import log_error, to_run_error
from .._routing.bound import BoundRoute
from ..errors import WorkerLost
from ..events import RunError
from ..formats import Format, StoredRun
from ..stores import EventStore, RunRecord
from .numbering import id_line, numbered, stored_frame
from .translation import translated


class LostRun:
    """A run that ends here with `WorkerLost`.

    Args:
        route: The route of the run.
        record: The run's record.
        number: The id of the first of the frames that are still to be written.
        format: The format of the run.
        encode: Returns those frames.

    Attributes:
        frames: The frames, at least one.
        record: The run's last record.
    """

    def __init__(
        self,
        route: BoundRoute,
        record: RunRecord,
        number: int,
        format: Format,
        encode: Callable[[RunError], bytes],
    ) -> None:
        self._route, self._lost = route, WorkerLost()
        self._error = error = to_run_error(self._lost, route)
        last = translated(route, record.run_id, encode, error) or b""
        self.frames = numbered(id_line(format, record.run_id), number, [last])
        self.record = replace(
            record,
            state="failed",
            started=record.started or record.created,
            ended=time.time(),
            frames=number + len(self.frames) - 1,
            code=error.code,
        )

    def log(self) -> None:
        """Log the error that the readers of the run get."""
        log_error(self._error, self._lost, self._route, self.record.run_id)


async def finalize_orphan(
    record: RunRecord, route: BoundRoute, store: EventStore, after: int, number: int
) -> None:
    """Write the last frame of a run whose worker has died, for all its readers.

    Args:
        record: The run's record.
        route: The route of the run.
        store: Where the run is stored.
        after: The id of the last frame that the caller has read.
        number: The id of the frame to write.

    Raises:
        OwnershipLost: Another reader was first, or the worker lives.
        StoreUnavailable: The store does not respond.
    """
    format, run_id = route.format_class(), record.run_id
    run = StoredRun(record, first=await stored_frame(store, run_id, 1))

    def cut(error: RunError) -> bytes:
        return format.cut(error, run, number, ended=True)

    end = LostRun(route, record, number, format, cut)
    await store.finalize_orphan(run_id, after, number, end.frames, end.record)
    end.log()
