"""The Redis commands that write a run: its frames, its lease and the entries that lead to it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..protocol import Quota
from .keys import Keys
from .name_scripts import COUNT, LIST, NAME, RELEASE
from .scripts import CHANGE, OWN, TAKE, WRITE

Command = tuple[Any, ...]
"""The name of a Redis command and its arguments."""

MARGIN_SECONDS = 60
"""How much longer than its `keep` an unfinished run stays on Redis if its worker dies."""

YES, NO = b"1", b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What leads to a run besides its id, and for how long.

    Attributes:
        keep: Seconds that the run is kept after its end.
        key: An idempotency key, which stays the run's.
        conversation_id: A name that is the run's until a newer run takes it.
        quota: What the run counts against.
    """

    keep: float
    key: str | None = None
    conversation_id: str | None = None
    quota: Quota | None = None


def encode_origin(names: Names, origin: bytes) -> bytes:
    """Return what is stored of a run for a worker that takes it over."""
    return json.dumps(asdict(names)).encode() + b"\n" + origin


def decode_origin(data: bytes) -> tuple[Names, bytes]:
    """Return what `encode_origin` was called with."""
    head, _, origin = data.partition(b"\n")
    values = json.loads(head)
    quota = values["quota"] and Quota(**values["quota"])
    return Names(**{**values, "quota": quota}), origin


def worker_message(channel: bytes, *words: str) -> Command:
    """Publish ``stop RUN``, ``read RUN WORKER`` or ``left RUN WORKER`` to another worker."""
    return ("PUBLISH", channel, " ".join(words))


class RunCommands:
    """Builds the commands that write one run. It sends nothing.

    Args:
        keys: The names of keys.
        run_id: The run.
        worker_id: The worker that produces it.
        lease: Seconds until the lease expires unless renewed.
        owner: The run's owner.
        names: What else leads to the run.
        origin: What another worker needs to take the run over.
    """

    def __init__(
        self,
        keys: Keys,
        run_id: str,
        *,
        worker_id: str,
        lease: float,
        owner: str | None,
        names: Names,
        origin: bytes | None,
    ) -> None:
        self.run_id = run_id
        keep, key, conversation_id = names.keep, names.key, names.conversation_id
        quota = names.quota
        self.keys = keys.of_run(run_id)
        self.seconds_after_end = max(1, int(keep))
        self.seconds_now = int(keep) + MARGIN_SECONDS
        self._key = None if key is None else keys.name(key)
        self._conversation = None if conversation_id is None else keys.name(conversation_id)
        self._owner = None if owner is None else keys.owner(owner)
        self._quota = None if quota is None else keys.quota(quota.name)
        self._limit = None if quota is None else quota.limit
        self._channel = keys.frames(run_id)
        self._id, self._worker_id = run_id.encode(), worker_id.encode()
        self._lease_milliseconds = int(lease * 1000)
        self._origin = None if origin is None else encode_origin(names, origin)

    def append(
        self, first: int, frames: Sequence[bytes], keep_from: int, *, publish: bool
    ) -> Command:
        """Append frames, nothing else."""
        channel = self._channel if publish else NO
        return ("EVALSHA", WRITE.digest, 1, self.keys.log, first, keep_from, channel, *frames)

    def change(
        self,
        first: int,
        frames: Sequence[bytes],
        keep_from: int,
        *,
        after: int,
        publish: bool,
        record: bytes = b"",
        ends: bool = False,
        seconds: int | None = None,
    ) -> Command:
        """Append frames with a new record, across a gap behind `after`, or as the run's last."""
        channel = self._channel if publish else NO
        seconds = seconds or (self.seconds_after_end if ends else self.seconds_now)
        head = ("EVALSHA", CHANGE.digest, 5, *self.keys, first, after, keep_from, channel)
        return (*head, YES if ends else NO, record, seconds, *frames)

    def own(self, record: bytes, *, overwrite: bool, extend: bool) -> Command:
        """Take or renew the lease.

        Args:
            record: The run's record.
            overwrite: Replace a record that exists.
            extend: Extend the expiry of the log too.
        """
        head = ("EVALSHA", OWN.digest, 5, *self.keys, self._worker_id, self._lease_milliseconds)
        return (*head, record, self.seconds_now, YES if overwrite else NO, YES if extend else NO)

    def take(self, after: int, frames: Sequence[bytes], record: bytes) -> Command:
        """Take the lease of a run that no worker owns, and append frames behind `after`."""
        head = ("EVALSHA", TAKE.digest, 5, *self.keys, after, self._worker_id)
        lease, channel = self._lease_milliseconds, self._channel
        return (*head, lease, channel, record, self.seconds_now, *frames)

    def set_origin(self) -> Iterator[Command]:
        """Store what another worker needs to take the run over."""
        if self._origin is not None:
            yield ("SET", self.keys.origin, self._origin, "EX", self.seconds_now)

    def name(self, name: bytes, seconds: int) -> Command:
        """Give a name to the run, unless another run has it."""
        return ("EVALSHA", NAME.digest, 1, name, self._id, seconds)

    def confirm_key(self) -> Iterator[Command]:
        """Turn the claim of the run's idempotency key into a name."""
        if self._key is not None:
            yield self.name(self._key, self.seconds_now)

    def set_conversation(self) -> Iterator[Command]:
        """Make the run the newest of its conversation."""
        if self._conversation is not None:
            yield ("SET", self._conversation, self.run_id, "EX", self.seconds_now)

    def count(self, *, check: bool) -> Iterator[Command]:
        """Count the run against its quota for as long as the lease lives.

        Args:
            check: Refuse if the quota's limit is reached.
        """
        if self._quota is not None:
            head = ("EVALSHA", COUNT.digest, 1, self._quota, self._id, self._lease_milliseconds)
            yield (*head, self._limit if check else NO)

    def uncount(self) -> Iterator[Command]:
        """Remove the run from its quota."""
        if self._quota is not None:
            yield ("ZREM", self._quota, self.run_id)

    def list(self, seconds: int) -> Iterator[Command]:
        """List the run among its owner's."""
        if self._owner is not None:
            yield ("EVALSHA", LIST.digest, 1, self._owner, self._id, seconds)

    def entries(self, seconds: int) -> Iterator[Command]:
        """Write the run's names and its owner's entry, to expire after `seconds`."""
        for name in (self._key, self._conversation):
            if name is not None:
                yield self.name(name, seconds)
        yield from self.list(seconds)

    def undo(self) -> Iterator[Command]:
        """Remove what a run that failed to begin has written."""
        yield ("DEL", self.keys.record, self.keys.lease, self.keys.origin)
        for name in (self._key, self._conversation):
            if name is not None:
                yield ("EVALSHA", RELEASE.digest, 1, name, self._id)
        if self._owner is not None:
            yield ("ZREM", self._owner, self.run_id)
        yield from self.uncount()

    def probe(self, record: bytes) -> Iterator[Command]:
        """Write everything that a run needs, for a run that is never visible."""
        yield ("DEL", *self.keys)
        yield self.own(record, overwrite=True, extend=True)
        yield from self.count(check=True)
        yield self.change(1, [b"ready"], 1, after=0, publish=False)
        yield from self.entries(MARGIN_SECONDS)
        yield ("XRANGE", self.keys.log, 1, "+", "COUNT", 1)
        yield from self.uncount()
        yield ("PUBLISH", self._channel, b"")
