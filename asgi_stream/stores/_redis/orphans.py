"""Runs that no worker owns: end them, or take them over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...errors import StoreUnavailable
from ..protocol import OwnershipLost, Producer
from ..record import RunRecord
from .commands import MARGIN_SECONDS, Command, Names, decode_origin
from .encoding import encode_record
from .keys import Keys
from .scripts import FINISH
from .worker import Worker


async def finalize_orphan(
    worker: Worker,
    keys: Keys,
    run_id: str,
    after: int,
    first: int,
    frames: Sequence[bytes],
    record: RunRecord,
    *,
    patience: float,
) -> None:
    """Write the last frames of a run that no worker owns.

    Args:
        worker: The worker that writes.
        keys: The names of keys and channels.
        run_id: The run.
        after: The id of the newest frame.
        first: The id of the first of `frames`.
        frames: The last frames.
        record: The final record.
        patience: Seconds to wait until Redis can be written again, to announce a loss.

    Raises:
        OwnershipLost: A worker owns the run, it has ended, or has newer frames.
    """
    data, channel = encode_record(record, worker.link.server), keys.frames(run_id)
    head = ("EVALSHA", FINISH.digest, 5, *keys.of_run(run_id), after, first, channel, data)
    await _changed(worker, (*head, MARGIN_SECONDS, *frames), patience)


async def take_over(
    worker: Worker, producer: Producer, after: int, frames: Sequence[bytes], *, patience: float
) -> bytes | None:
    """Produce a run here that no worker owns.

    Args:
        worker: The worker that takes it over.
        producer: Produces the run from now on.
        after: The id of its newest frame.
        frames: The frames to append.
        patience: Seconds to wait until Redis can be written again, to announce a loss.

    Returns:
        What the run was created with for this; None if it is not there.

    Raises:
        OwnershipLost: A worker owns the run, it has ended, or has newer frames.
    """
    run_id = producer.record.run_id
    if run_id in worker.runs or run_id in worker.taking:
        raise OwnershipLost  # to Redis, it would be the same attempt
    worker.taking.add(run_id)
    try:
        await worker.listen()
        run = worker.new_run(producer, Names(keep=0))
        record = encode_record(producer.record, worker.link.server)
        stored = await _changed(worker, run.commands.take(after, frames, record), patience)
    finally:
        worker.taking.discard(run_id)
    origin: bytes | None = None
    if stored:
        names, origin = decode_origin(stored)
        run = worker.new_run(producer, names, origin)
    worker.take(run, after, frames)
    return origin


async def _changed(worker: Worker, command: Command, patience: float) -> Any:
    """Return the reply to a command that changes a run without a worker."""
    try:
        [reply] = await worker.link.execute(command, patience=0.0)
    except StoreUnavailable:
        # The run's worker could not renew its lease either. Give it the time to do so, from when
        # Redis can be written again.
        await worker.health.announce_loss(patience)
        reply = 0
    if reply == 0:
        raise OwnershipLost
    return reply
