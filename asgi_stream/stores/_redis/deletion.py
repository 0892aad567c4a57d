"""Delete a run before its time."""

from __future__ import annotations

from .keys import Keys
from .link import REQUEST_SECONDS
from .lookup import Lookup
from .worker import Worker


async def delete_run(worker: Worker, lookup: Lookup, keys: Keys, run_id: str) -> None:
    """Delete a run that has ended, if there is one.

    The lists of its owner's runs and the names that it has lead nowhere then, and expire. Another
    worker may write it again, until its time is up, if Redis loses data: it still holds the frames.

    Args:
        worker: The worker that deletes.
        lookup: Finds the run.
        keys: The names of keys.
        run_id: The run.
    """
    record = await lookup.find(run_id)
    if record is None or record.ended is None:
        return
    for run in [each for each in worker.backlog.finished() if each.run_id == run_id]:
        worker.backlog.forget(run)
    await worker.link.execute(("DEL", *keys.of_run(run_id)), patience=REQUEST_SECONDS)
