"""The retention of a run's frames: its store keeps the newest ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from math import inf


class Retention:
    """Counts the frames of one run, and finds the oldest that is within its limits.

    The newest frame is always kept.

    Args:
        frames: How many frames are kept. ``None`` is no limit.
        size: How many bytes of them. ``None`` is no limit.

    Attributes:
        written: The number of frames, the id of the last.
        size: Their bytes, those that are no longer kept included.
    """

    __slots__ = ("_dropped", "_max_frames", "_max_size", "_sizes", "size", "written")

    def __init__(self, frames: int | None, size: int | None) -> None:
        self.written = self.size = self._dropped = 0
        self._sizes: deque[int] = deque()
        self._max_frames = frames or inf
        self._max_size = size or inf

    def add(self, frames: Sequence[bytes]) -> int:
        """Count new frames, and return the id of the oldest that is still kept."""
        sizes = self._sizes
        if len(frames) == 1:
            size = len(frames[0])
            sizes.append(size)
        else:
            sizes.extend(map(len, frames))
            size = sum(map(len, frames))
        self.size += size
        self.written = written = self.written + len(frames)
        if len(sizes) > self._max_frames or self.size - self._dropped > self._max_size:
            self._drop_oldest()
        return written - len(sizes) + 1

    def _drop_oldest(self) -> None:
        sizes = self._sizes
        while len(sizes) > 1 and (
            len(sizes) > self._max_frames or self.size - self._dropped > self._max_size
        ):
            self._dropped += sizes.popleft()
