"""A producer and a follower for tests of a store: they record what the store tells them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from inspect import isawaitable
from typing import Any
from uuid import uuid4

from anyio import Event, fail_after, sleep

from ..stores import EventStore, Page, RunRecord

__all__ = ["RecordingFollower", "RecordingProducer", "read_frames"]

APPEND_SECONDS = 15.0
WAIT_SECONDS = 5.0


class RecordingProducer:
    """A `Producer` of a new run, which records the calls of its store.

    Args:
        store: Where its run is created.
        owner: The owner of the run.
        keep: Seconds that the store keeps the run after its end.

    Attributes:
        store: The store.
        keep: Seconds that the store keeps the run after its end.
        record: The record of the run.
        run_id: The id of the run, a UUID.
        frames: All frames that were appended.
        readers: The arguments of each call of `read_by`.
        stopped: How often `stop` was called.
        errors: The arguments of each call of `written`, and None for each append that was written
            at once.
    """

    def __init__(self, store: EventStore, owner: str | None = None, keep: float = 60) -> None:
        self.store = store
        self.keep = keep
        self.record = RunRecord(
            run_id=str(uuid4()), route="/", owner=owner, fingerprint="", created=time.time()
        )
        self.run_id = self.record.run_id
        self.frames: list[bytes] = []
        self.readers: list[int] = []
        self.stopped = 0
        self.errors: list[Exception | None] = []
        self._appended = Event()

    def stop(self) -> None:
        self.stopped += 1

    def read_by(self, readers: int) -> None:
        self.readers.append(readers)

    def written(self, error: Exception | None = None) -> None:
        self.errors.append(error)
        self._appended.set()

    async def create(self, **options: Any) -> str:
        """Create the run and return the store's result; `options` as for `EventStore.create`."""
        return await self.store.create(self, keep=self.keep, **options)

    async def append(self, *frames: bytes, keep_from: int = 1, end: bool = False) -> None:
        """Append frames and wait until the store has written them, or says that it cannot.

        Args:
            *frames: The frames.
            keep_from: Frames before this id may be dropped.
            end: End the run with these frames.

        Raises:
            TimeoutError: The store did not call `written` within 15 seconds.
        """
        first = len(self.frames) + 1
        self.frames += frames
        now = time.time()
        self.record = replace(
            self.record,
            state="done" if end else "running",
            started=self.record.started or now,
            ended=now if end else None,
            frames=len(self.frames),
            size=len(b"".join(self.frames)),
        )
        self._appended = Event()
        record = self.record if end or first == 1 else None
        if self.store.append(self.run_id, first, frames, keep_from=keep_from, record=record):
            self.written()
        with fail_after(APPEND_SECONDS):
            await self._appended.wait()


class RecordingFollower:
    """A `Follower` that records what its store tells it, and checks that no frame is missing.

    Attributes:
        frames: The frames that it was given.
        first: The id of the first of them; None until there is one.
        ended: Whether the run's last frame is among them.
        looks: How often the store asked it to read again.
        errors: The errors that ended the run.
    """

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.first: int | None = None
        self.ended = False
        self.looks = 0
        self.errors: list[Exception] = []

    def on_frames(self, first: int, frames: Sequence[bytes], ended: bool) -> None:
        if self.first is None:
            self.first = first
        expected = self.first + len(self.frames)
        assert first == expected, f"got frame {first}, expected frame {expected}"
        self.frames += frames
        self.ended = ended

    def look(self) -> None:
        self.looks += 1

    def lost(self, error: Exception) -> None:
        self.errors.append(error)


async def read_frames(store: EventStore, run_id: str, after: int = 0) -> list[bytes]:
    """Return all frames of a run after the id `after`, page by page."""
    frames: list[bytes] = []
    while True:
        page = await read_page(store, run_id, after + len(frames))
        assert page.first == after + len(frames) + 1, "frames are missing"
        frames += page.frames
        if not page.more:
            return frames


async def read_page(store: EventStore, run_id: str, after: int) -> Page:
    page = await store.read(run_id, after)
    assert page is not None, f"there is no run {run_id}"
    return page


async def until(condition: Callable[[], Any]) -> None:
    """Wait until `condition`, which may return an awaitable, is true."""
    with fail_after(WAIT_SECONDS):
        while True:
            result = condition()
            if await result if isawaitable(result) else result:
                return
            await sleep(0.01)
