"""Start a run on Redis: claim its key, count its quota, take its lease."""

from __future__ import annotations

from typing import Any

from ...errors import TooManyOwned
from ..protocol import OwnershipLost, Producer, Quota
from ..record import RunRecord
from .commands import Names
from .encoding import encode_record
from .keys import Keys
from .link import REQUEST_SECONDS
from .lookup import Lookup
from .name_scripts import CLAIM
from .owned_run import OwnedRun
from .worker import Worker


class Creation:
    """Creates runs that one worker produces.

    Args:
        worker: The worker.
        lookup: Finds the run that already has a key.
        keys: The names of keys.
        lease: Seconds until a lease expires.
        patience: Seconds to keep trying while Redis does not respond or rejects commands.
    """

    def __init__(
        self, worker: Worker, lookup: Lookup, keys: Keys, *, lease: float, patience: float
    ) -> None:
        self._worker, self._lookup, self._keys = worker, lookup, keys
        self._link = worker.link
        self._patience = patience
        self._claim_milliseconds = int((patience + 2 * lease) * 1000)

    async def create(self, producer: Producer, names: Names, origin: bytes | None) -> str:
        """Like `EventStore.create`."""
        key = names.key
        run = self._worker.new_run(producer, names, origin)
        await self._link.connect(REQUEST_SECONDS)
        await self._worker.listen()
        if key is not None and (existing := await self._claim(run, key)) is not None:
            return existing
        try:
            await self._count(run)
            await self._begin(run)
        except OwnershipLost:
            raise
        except BaseException:
            self._undo(run)
            raise
        self._worker.add(run)
        # The run has begun, so its claim is confirmed for as long as its frames are tried.
        if confirm := list(run.commands.confirm_key()):
            self._link.submit(confirm, _ignore, patience=self._patience)
        return run.run_id

    async def check(self) -> None:
        """Write what a run with an owner, a key and a quota needs, for a run that is never visible.

        Raises:
            StoreUnavailable: Redis does not respond, or rejects commands.
        """
        await self._link.connect(0.0)
        probe = Probe()
        quota = Quota("ready", 1_000_000)
        run = self._worker.new_run(probe, Names(keep=1, key="ready", quota=quota))
        record = encode_record(probe.record, self._link.server)
        await self._link.execute(*run.commands.probe(record), patience=0.0)

    async def _claim(self, run: OwnedRun, key: str) -> str | None:
        """Claim a key for a run, or return the id of the run that has it."""
        name, own_id, gone = self._keys.name(key), run.run_id.encode(), b""
        while True:
            claim = ("EVALSHA", CLAIM.digest, 1, name, own_id, self._claim_milliseconds, gone)
            [holder] = await self._link.execute(claim, patience=REQUEST_SECONDS, at_once=True)
            if holder == b"?" + own_id:
                return None
            if existing := await self._lookup.named(key):
                return existing
            gone = holder

    async def _count(self, run: OwnedRun) -> None:
        for command in run.commands.count(check=True):
            [counted] = await self._link.execute(command, patience=REQUEST_SECONDS, at_once=True)
            if not counted:
                raise TooManyOwned

    async def _begin(self, run: OwnedRun) -> None:
        """Take the lease, and write the record and what leads to it."""
        record = encode_record(run.producer.record, self._link.server)
        owned, *_ = await self._link.execute(
            run.commands.own(record, overwrite=False, extend=False),
            *run.commands.list(run.commands.seconds_now),
            *run.commands.set_conversation(),
            *run.commands.set_origin(),
            patience=REQUEST_SECONDS,
            at_once=True,
        )
        if not owned:
            raise OwnershipLost

    def _undo(self, run: OwnedRun) -> None:
        """Remove what a run that did not begin has left, if Redis can be reached."""
        self._link.submit(list(run.commands.undo()), _ignore, patience=self._patience)


class Probe:
    """A producer of a run that only tests whether one could be written."""

    record = RunRecord(run_id="ready", route="", owner="ready", fingerprint="", created=0.0)

    def stop(self) -> None: ...

    def written(self, error: Exception | None = None) -> None: ...

    def read_by(self, readers: int) -> None: ...


def _ignore(replies: list[Any] | Exception) -> None:
    """The callback for replies that nothing depends on."""
