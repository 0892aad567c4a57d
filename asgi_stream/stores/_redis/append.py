"""Write frames to the log of a run, until they are stored or cannot be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..protocol import OwnershipLost
from ..record import RunRecord
from .commands import Command
from .connection import WrongReply
from .encoding import encode_record
from .owned_run import OwnedRun
from .worker import Worker


class Append:
    """Frames of a run on their way to its log.

    Args:
        worker: The worker that produces the run.
        run: The run.
        first: The id of the first of `frames`.
        frames: The frames.
        keep_from: Frames before this id may be dropped.
        record: The new record of the run, if it has changed.
        patience: Seconds to keep trying while Redis does not respond or rejects commands.
    """

    __slots__ = (
        *("_first", "_frames", "_keep_from", "_link", "_patience", "_record", "_recovery"),
        *("_run", "_worker"),
    )

    def __init__(
        self,
        worker: Worker,
        run: OwnedRun,
        first: int,
        frames: Sequence[bytes],
        keep_from: int,
        record: RunRecord | None,
        *,
        patience: float,
    ) -> None:
        self._worker, self._run, self._patience = worker, run, patience
        self._link, self._recovery = worker.link, worker.recovery
        self._first, self._frames = first, frames
        self._keep_from, self._record = keep_from, record
        if record is None:
            publish = run.is_read_elsewhere
            command = run.commands.append(first, frames, keep_from, publish=publish)
            self._link.submit((command,), self._on_reply, patience=patience)
        else:
            self._change(after=first - 1)

    @property
    def _ends(self) -> bool:
        return self._record is not None and self._record.ended is not None

    def _change(self, after: int, before: Sequence[Command] = ()) -> None:
        """Write the frames with the record, if any.

        Args:
            after: The newest frame of the log, from where there may be a gap.
            before: Commands to run first.
        """
        run, record, ends = self._run.commands, self._record, self._ends
        commands = list(before)
        if record is not None:
            commands += run.entries(run.seconds_after_end if ends else run.seconds_now)
        if ends:
            commands += run.uncount()
        change = run.change(
            self._first,
            self._frames,
            self._keep_from,
            after=after,
            publish=self._run.is_read_elsewhere,
            record=b"" if record is None else encode_record(record, self._link.server),
            ends=ends,
        )
        # An urgent request may overtake a beat, which must not replace this record by an older one.
        at_once = self._first == 1 and not ends
        self._link.submit(
            [*commands, change], self._on_reply, patience=self._patience, at_once=at_once
        )

    def _on_reply(self, replies: list[Any] | Exception) -> None:
        if isinstance(replies, Exception):
            return self._worker.give_up(self._run, replies)
        status = replies[-1]
        if not isinstance(status, int):
            raise WrongReply
        if status > 0:
            return self._written()
        if status == 0:
            return self._worker.give_up(self._run, OwnershipLost())
        # Redis has older data than this worker: rewrite what is held first.
        newest = -1 - status
        self._recovery.start()
        rewrite = self._recovery.rewrite(self._run, newest)
        return self._change(after=self._first - 1 if self._run.held else newest, before=rewrite)

    def _written(self) -> None:
        worker, run, record = self._worker, self._run, self._record
        producer = run.producer
        worker.on_written(run, self._first, self._frames, self._keep_from, self._ends)
        if record is not None and self._ends:
            worker.finish(run, record)
        producer.written()
