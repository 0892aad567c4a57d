"""Frames on their way to a log on Redis, until they are there or cannot be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .protocol import OwnershipLost, RunRecord
from .redis_commands import Made
from .redis_link import Command
from .redis_request import WrongReply
from .redis_worker import Worker


class Append:
    """Frames of a run on their way to its log.

    Args:
        here: The worker that makes the run.
        patience: Seconds for which a Redis that does not answer or refuses is tried.
        made: The run.
        first: The id of the first of `frames`.
        frames: The frames.
        keep_from: Frames before this id may be dropped.
        record: What is known of the run now, if that has changed.
    """

    __slots__ = ("_first", "_frames", "_here", "_keep_from", "_made", "_patience", "_record")

    def __init__(
        self,
        here: Worker,
        patience: float,
        made: Made,
        first: int,
        frames: Sequence[bytes],
        keep_from: int,
        record: RunRecord | None,
    ) -> None:
        self._here, self._patience, self._made = here, patience, made
        self._first, self._frames = first, frames
        self._keep_from, self._record = keep_from, record
        if record is None:
            command = made.write(first, frames, keep_from)
            here.link.ask((command,), self._answered, patience=patience)
        else:
            self._ask(first - 1)

    @property
    def _ends(self) -> bool:
        return self._record is not None and self._record.ended is not None

    def _ask(self, after: int, before: Sequence[Command] = ()) -> None:
        """Append across a gap or with a record, `before` which other commands have to run."""
        made, record, ends = self._made, self._record, self._ends
        commands = list(before)
        if record is not None:
            commands += made.entries(made.keep_after_end if ends else made.keep_now)
        if ends and made.quota is not None:
            commands.append(("ZREM", made.quota, made.run_id))
        data = b"" if record is None else self._here.packed(record)
        first, frames, keep_from = self._first, self._frames, self._keep_from
        commands.append(made.change(first, frames, keep_from, after=after, record=data, ends=ends))
        # What is at once may overtake a beat, which must not write an older record over this one.
        at_once = first == 1 and not ends
        self._here.link.ask(commands, self._answered, patience=self._patience, at_once=at_once)

    def _answered(self, replies: list[Any] | Exception) -> None:
        if isinstance(replies, Exception):
            return self._over(replies)
        written = replies[-1]
        if not isinstance(written, int):
            raise WrongReply
        if written >= 0:
            return self._over(None if written else OwnershipLost())
        # Redis has older data than this worker: write again what is held, and then these frames.
        newest = -1 - written
        self._here.changed()
        again = self._here.restoring(self._made, newest)
        return self._ask(self._first - 1 if self._made.held else newest, again)

    def _over(self, error: Exception | None) -> None:
        here, made, record = self._here, self._made, self._record
        if error is not None:
            return here.give_up(made, error)
        producer = made.producer
        here.backlog.add(made, self._frames, self._keep_from)
        here.readers.on_frames(made.run_id, self._first, self._frames, self._ends)
        if record is not None and self._ends:
            here.finish(made, record)
        return producer.written()
