"""A run that this worker produces, and the frames held in case Redis loses them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice

from ..protocol import Producer
from .commands import Command, RunCommands
from .encoding import encode_record

FRAMES_PER_COMMAND = 500
"""The most frames that one command rewrites."""


class OwnedRun:
    """A run that is produced here, or was until it ended.

    Args:
        producer: Produces its frames.
        commands: Builds the commands that write it.
    """

    def __init__(self, producer: Producer, commands: RunCommands) -> None:
        self.producer = producer
        self.commands = commands
        self.record = producer.record
        """The record at the run's end; until then `producer.record` is newer."""
        self.run_id = self.record.run_id
        self.read_at: dict[str, float] = {}
        """When other workers last announced that they have readers, by worker id."""
        self.first = 1
        """The id of the first frame of `held`."""
        self.held: deque[bytes] = deque()
        """The newest frames that have been written, for a rewrite if Redis loses them."""
        self.size = 0
        """The bytes of `held`."""
        self.server = ""
        """The Redis server that is known to have the whole run."""

    @property
    def last(self) -> int:
        """The id of the newest frame that has been written."""
        return self.first + len(self.held) - 1

    @property
    def ended(self) -> bool:
        return self.record.ended is not None

    @property
    def is_read_elsewhere(self) -> bool:
        """Whether frames have to be published."""
        return bool(self.read_at)

    def hold(self, frames: Sequence[bytes], keep_from: int) -> int:
        """Hold frames that have been written, and drop those before the id `keep_from`.

        Returns:
            By how many bytes `size` has grown.
        """
        held = self.held
        held.extend(frames)
        size = len(frames[0]) if len(frames) == 1 else sum(map(len, frames))
        while self.first < keep_from and held:
            size -= len(held.popleft())
            self.first += 1
        self.size += size
        return size

    def drop(self, size: int) -> int:
        """Drop the oldest held frames, at least `size` bytes if there are so many.

        Returns:
            How many bytes were dropped.
        """
        dropped = 0
        while dropped < size and self.held:
            dropped += len(self.held.popleft())
            self.first += 1
        self.size -= dropped
        return dropped

    def renew(self, *, overwrite: bool, extend: bool) -> list[Command]:
        """Build the commands that renew the lease and what the run counts against.

        Args:
            overwrite: Replace the record. It names the server that has the whole run.
            extend: Extend the expiry of the log too.
        """
        record = encode_record(self.producer.record, self.server)
        lease = self.commands.own(record, overwrite=overwrite, extend=extend)
        return [lease, *self.commands.count(check=False)]

    def rewrite(self, newest: int, record: bytes, seconds: int) -> Iterator[Command]:
        """Build the commands that rewrite the held frames that Redis lacks.

        The record comes last, because it implies that all frames are there.

        Args:
            newest: The id of the newest frame in the log.
            record: The record to write.
            seconds: When the run expires.
        """
        yield from self.commands.entries(seconds)
        if not self.ended:
            yield from self.commands.set_origin()
        number, after = max(newest + 1, self.first), newest
        while frames := list(
            islice(self.held, number - self.first, number - self.first + FRAMES_PER_COMMAND)
        ):
            last = number + len(frames) - 1
            is_last = last == self.last
            yield self.commands.change(
                number,
                frames,
                1,
                after=after,
                publish=self.is_read_elsewhere,
                record=record if is_last else b"",
                ends=self.ended and is_last,
                seconds=seconds,
            )
            number, after = last + 1, last
