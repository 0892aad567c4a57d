"""What is written to Redis: names of keys, records, messages, and the commands of one run."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import fields
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl, urlencode

import orjson

from .._logs import logger
from .protocol import Producer, Quota, RunRecord
from .redis_link import Command
from .redis_scripts import CHANGE, COUNT, LIST, NAME, OWN, RELEASE, WRITE

MARGIN_SECONDS = 60
"""How much longer than it is kept all of an unfinished run lives, should its worker die."""

FRAMES_PER_COMMAND = 500
"""When frames are written again."""

YES, NO = b"1", b""

FIELDS = [field.name for field in fields(RunRecord) if field.name != "certain"]


class Keys:
    """The names of keys and channels. In braces is what a cluster puts in one place."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self.server = self._key("server")
        """The Redis process whose data is known to be complete."""
        self.unsettled = self._key("unsettled")
        """There while workers may still have to write again what Redis has lost."""

    def of_run(self, run_id: str) -> tuple[bytes, bytes, bytes, bytes]:
        """The keys of a run.

        Returns:
            A stream, each entry of which has a frame as ``f``, the last of a run an ``e`` too; the
            run's record, as JSON; the id of the worker that makes the run, for as long as that
            lives; and a key that is there if someone has asked for the run's end.
        """
        log, run, lease, stop = (
            self._key(f"{{{run_id}}}:{part}") for part in ("log", "run", "lease", "stop")
        )
        return log, run, lease, stop

    def name(self, name: str) -> bytes:
        return self._key(f"name:{name}")

    def owner(self, owner: str) -> bytes:
        """A sorted set of an owner's runs, by the time when their life is over."""
        return self._key(f"owned:{owner}")

    def quota(self, name: str) -> bytes:
        """A sorted set of unfinished runs, by the time when their lease is over."""
        return self._key(f"quota:{name}")

    def frames(self, run_id: str) -> bytes:
        """The channel of a run's new frames."""
        return self._key(f"frames:{run_id}")

    def worker(self, worker: str) -> bytes:
        """The channel of what one worker is told by the others."""
        return self._key(f"worker:{worker}")

    def _key(self, name: str) -> bytes:
        # An owner's name may come from a token, and JSON lets half of a surrogate pair through.
        return f"{self._prefix}:{name}".encode("utf-8", "surrogatepass")


class Made:
    """A run that is made here, or was: the commands that write it, and the frames it has.

    Args:
        producer: What makes it.
        keys: The names of keys.
        worker: The id of this worker.
        lease: Seconds for which others believe that this worker lives.
        keep: Seconds that the run is kept after its end.
        key: A name that is the run's for good.
        place: A name that is the run's until another has it.
        quota: What it counts against.
    """

    def __init__(
        self,
        producer: Producer,
        keys: Keys,
        *,
        worker: str,
        lease: float,
        keep: float,
        key: str | None,
        place: str | None,
        quota: Quota | None,
    ) -> None:
        self.producer = producer
        self.record = producer.record
        """As it was when the run ended; before that the producer's is newer."""
        self.run_id = self.record.run_id
        owner = self.record.owner
        self.keep_after_end = max(1, int(keep))
        self.keep_now = int(keep) + MARGIN_SECONDS
        self.names = [keys.name(name) for name in (key, place) if name is not None]
        self.owner = None if owner is None else keys.owner(owner)
        self.quota = None if quota is None else keys.quota(quota.name)
        self.keys = self.log, self.run, self.lease, self.stop = keys.of_run(self.run_id)
        self.channel = keys.frames(self.run_id)
        self.read_at: dict[str, float] = {}
        """Other workers that have readers of it, and when they have last said so."""
        self.first = 1
        """The id of the first frame of `held`."""
        self.held: deque[bytes] = deque()
        """The newest frames that are written, to write them again if Redis loses them."""
        self.size = 0
        self.server = ""
        """The Redis that is known to have all of it."""
        self._id = self.run_id.encode()
        self._worker, self._milliseconds = worker.encode(), int(lease * 1000)

    @property
    def last(self) -> int:
        """The id of the newest frame that is written."""
        return self.first + len(self.held) - 1

    @property
    def ended(self) -> bool:
        return self.record.ended is not None

    def hold(self, frames: Sequence[bytes], keep_from: int) -> int:
        """Hold frames that have been written, and drop those before an id.

        Returns:
            How many bytes more are held now.
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
        """Drop frames of about so many bytes, the oldest first. How many bytes that were."""
        dropped = 0
        while dropped < size and self.held:
            dropped += len(self.held.popleft())
            self.first += 1
        self.size -= dropped
        return dropped

    def write(self, first: int, frames: Sequence[bytes], keep_from: int) -> Command:
        """Append frames, and no more."""
        channel = self.channel if self.read_at else NO
        return ("EVALSHA", WRITE.digest, 1, self.log, first, keep_from, channel, *frames)

    def change(
        self,
        first: int,
        frames: Sequence[bytes],
        keep_from: int,
        *,
        after: int,
        record: bytes = b"",
        ends: bool = False,
        lives: int | None = None,
    ) -> Command:
        """Append frames with a new record, across a gap behind `after`, or as the last."""
        channel = self.channel if self.read_at else NO
        lives = lives or (self.keep_after_end if ends else self.keep_now)
        head = ("EVALSHA", CHANGE.digest, 4, *self.keys, first, after, keep_from, channel)
        return (*head, YES if ends else NO, record, lives, *frames)

    def own(self, record: bytes, *, overwrite: bool, extend: bool) -> Command:
        """Take or renew the lease."""
        head = ("EVALSHA", OWN.digest, 4, *self.keys, self._worker, self._milliseconds, record)
        return (*head, self.keep_now, YES if overwrite else NO, YES if extend else NO)

    def name(self, name: bytes, lives: int) -> Command:
        return ("EVALSHA", NAME.digest, 1, name, self._id, lives)

    def release(self, name: bytes) -> Command:
        """Take back what is only a claim."""
        return ("EVALSHA", RELEASE.digest, 1, name, self._id)

    def count(self, limit: int | None = None) -> Command:
        """Count the run against its quota, for as long as the lease lives."""
        most = NO if limit is None else limit
        return ("EVALSHA", COUNT.digest, 1, self.quota, self._id, self._milliseconds, most)

    def list(self, lives: int) -> Iterator[Command]:
        """Put the run among its owner's."""
        if self.owner is not None:
            yield ("EVALSHA", LIST.digest, 1, self.owner, self._id, lives)

    def entries(self, lives: int) -> Iterator[Command]:
        """Let all entries that lead to the run live so long."""
        for name in self.names:
            yield self.name(name, lives)
        yield from self.list(lives)

    def again(self, newest: int, record: bytes, lives: int) -> Iterator[Command]:
        """Write again what is held of the run, when its log ends at `newest`.

        The record comes last: it says that all of it is there.
        """
        yield from self.entries(lives)
        number, after = max(newest + 1, self.first), newest
        while frames := list(
            islice(self.held, number - self.first, number - self.first + FRAMES_PER_COMMAND)
        ):
            last = number + len(frames) - 1
            written = record if last == self.last else b""
            ends = self.ended and last == self.last
            yield self.change(
                number, frames, 1, after=after, record=written, ends=ends, lives=lives
            )
            number, after = last + 1, last


def packed_record(record: RunRecord, server: str) -> bytes:
    """A record as JSON, with the Redis process that it was written to."""
    written = {name: getattr(record, name) for name in FIELDS}
    written["server"] = server
    try:
        return orjson.dumps(written)
    except TypeError:  # half of a surrogate pair
        return json.dumps(written).encode()


def unpacked_record(data: bytes) -> tuple[RunRecord | None, str]:
    """A record, and the Redis that it was written to; None for what is no record.

    Fields that a newer version of this package has written are left out.
    """
    written: Any
    try:
        try:
            written = orjson.loads(data)
        except ValueError:
            written = json.loads(data)
        return RunRecord(**{name: written[name] for name in FIELDS}), str(written["server"])
    except (KeyError, TypeError, ValueError):
        logger.warning("the store has something else where the record of a run should be")
        return None, ""


def unpacked(message: bytes) -> tuple[int, list[bytes], bool]:
    """The frames in a message of `redis_scripts.WRITE`: the first's id, and if they are the last.

    Raises:
        ValueError: It is no such message.
    """
    head, _, body = message.partition(b"\n")
    first, ends, *sizes = map(int, head.split(b" "))
    frames, begin = [], 0
    for size in sizes:
        frames.append(body[begin : begin + size])
        begin += size
    if begin != len(body):
        raise ValueError("the frames of a message do not add up")
    return first, frames, bool(ends)


def number_of(entry: Any) -> int:
    """The number of a log's entry."""
    return int(entry[0].partition(b"-")[0])


def contiguous(entries: Sequence[Any]) -> int:
    """How many of the first entries have numbers without a hole."""
    first = number_of(entries[0])
    if number_of(entries[-1]) == first + len(entries) - 1:
        return len(entries)
    return next(n for n, entry in enumerate(entries) if number_of(entry) != first + n)


class Probe:
    """Stands for a run, to see if one could be written."""

    record = RunRecord(run_id="ready", route="", owner="ready", fingerprint="", created=0.0)

    def stop(self) -> None: ...

    def written(self, error: Exception | None = None) -> None: ...

    def read_by(self, readers: int) -> None: ...


def without_prefix(url: str) -> tuple[str, str]:
    """An address without the ``prefix`` in its query, which redis-py does not know, and that."""
    base, mark, query = url.partition("?")
    if not mark:
        return url, ""
    options = parse_qsl(query, keep_blank_values=True)
    prefix = dict(options).get("prefix", "")
    rest = urlencode([each for each in options if each[0] != "prefix"])
    return f"{base}?{rest}" if rest else base, prefix
