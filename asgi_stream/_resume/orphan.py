"""Writes the last frame of a run whose worker has died."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from .._delivery.observability import log_error, public
from .._routing.bound import BoundRoute
from ..errors import WorkerLost
from ..formats import StoredRun
from ..stores import EventStore, RunRecord
from .numbering import id_line, numbered, stored_frame


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
    lost, format, run_id = WorkerLost(), route.format_class(), record.run_id
    error = public(lost, route)
    started = record.started or record.created
    ended: Any = {"state": "failed", "ended": time.time(), "code": error.code}
    run = StoredRun(record, first=await stored_frame(store, run_id, 1))
    cut = format.cut(error, run, number, ended=True)
    frames = numbered(id_line(format, run_id), number, [cut])
    count = number + len(frames) - 1
    final = replace(record, started=started, frames=count, **ended)
    await store.finalize_orphan(run_id, after, number, frames, final)
    log_error(error, lost, route, run_id)
