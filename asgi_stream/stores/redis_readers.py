"""Those who read runs on one event loop, wherever the runs are made."""

from __future__ import annotations

from collections.abc import Sequence

from .protocol import Follower, OwnershipLost


class Readers:
    """Followers by their run."""

    def __init__(self) -> None:
        self._followers: dict[str, set[Follower]] = {}

    def __bool__(self) -> bool:
        return bool(self._followers)

    def __contains__(self, run_id: str) -> bool:
        return run_id in self._followers

    def runs(self) -> set[str]:
        return set(self._followers)

    def count(self, run_id: str) -> int:
        return len(self._followers.get(run_id, ()))

    def add(self, run_id: str, follower: Follower) -> None:
        self._followers.setdefault(run_id, set()).add(follower)

    def remove(self, run_id: str, follower: Follower) -> bool:
        """Whether it was there."""
        followers = self._followers.get(run_id, set())
        if follower not in followers:
            return False
        followers.remove(follower)
        if not followers:
            del self._followers[run_id]
        return True

    def on_frames(self, run_id: str, first: int, frames: Sequence[bytes], ended: bool) -> None:
        """Show new frames to those who read a run."""
        for follower in tuple(self._followers.get(run_id, ())):
            follower.on_frames(first, frames, ended)

    def look(self, run_id: str) -> None:
        """Let those who read a run read what may be new."""
        for follower in tuple(self._followers.get(run_id, ())):
            follower.look()

    def lost(self, run_id: str, error: Exception) -> None:
        """Let those who read a run know that its next frames could not be written."""
        for follower in tuple(self._followers.get(run_id, ())):
            if isinstance(error, OwnershipLost):
                follower.look()  # another worker has written others
            else:
                follower.lost(error)
