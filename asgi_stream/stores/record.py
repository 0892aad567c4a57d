"""The record of a run in a store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["pending", "running", "done", "interrupted", "failed", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """A run's metadata. All times are seconds since the epoch.

    Attributes:
        run_id: The run's id, a UUID that cannot be guessed.
        route: The path of the run's route, with its parameters filled in.
        owner: What the route's ``authorize`` returned for the request that started the run.
        fingerprint: A hash of that request if it had an ``Idempotency-Key``, otherwise "".
        state: ``pending`` until the first frame is written, then ``running``, then how it ended:
            ``interrupted`` if its graph waits for an answer.
        created: When the run was created.
        started: When the first frame was written, if one has been.
        ended: When the last frame was written; None while the run goes on.
        frames: How many frames have been written, which is the id of the last one.
        size: Their total size in bytes.
        code: The code of the error that ended the run, if any.
        thread: The thread that the run belongs to, by the client's id, if it has one.
        model: The name of the Runnable that runs, if the client chose it.
        attempts: How many workers have produced the run, one after the other.
        certain: Whether `frames` counts every frame that any reader may have seen. It can be too
            low after the store has lost data, until the run's worker has rewritten the frames.
    """

    run_id: str
    route: str
    owner: str | None
    fingerprint: str
    created: float
    state: State = "pending"
    started: float | None = None
    ended: float | None = None
    frames: int = 0
    size: int = 0
    code: str | None = None
    thread: str | None = None
    model: str | None = None
    attempts: int = 1
    certain: bool = True
