"""Every bound of a route, with its default."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields

__all__ = ["Limits"]

MAY_BE_ZERO = ("ping", "hold", "grace")
WHOLE = (
    "body",
    "inline",
    "depth",
    "buffer",
    "concurrent",
    "batch",
    "batch_concurrency",
    "items",
    "messages",
    "files",
    "tools",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """The bounds of a route, in seconds, bytes and counts. ``None`` is no limit.

    Args:
        run: Seconds that a run may take in all.
        first: Seconds to the first frame of a run's output.
        idle: Seconds without a sign of life from the Runnable, once it has begun to answer.
        send: Seconds that one send may wait for a reader that takes nothing; then it is dropped.
        ping: Seconds of silence after which a comment line goes out; 0 turns pings off.
        hold: Seconds that the response's headers wait for the first frame, so that an early
            failure has its own HTTP status; 0 sends them at once.
        grace: Seconds that a cancelled run has to clean up before it is reported as abandoned.
        receive: Seconds for the whole of a request's body to arrive.
        body: Bytes of a request's body, and of its query string, which has at most 65,536.
        inline: Bytes of the files that come within a conversation's messages.
        depth: How deep a request's JSON may be nested.
        items: Items of all lists and objects in a request's JSON (an empty one counts as one),
            and keys of its query string.
        messages: Messages of one list in a request: a conversation, a graph's state.
        files: Images, audio and the like in the messages of one list.
        tools: Tools of its own that a client brings.
        buffer: Bytes that may wait for a slow reader. The run is paused at half of them, and a
            run that cannot be paused is ended when they are full.
        concurrent: Runs of one route at once, in one process; a batch is one run.
        batch: Inputs of one batch.
        batch_concurrency: Inputs of one batch that run at once. A ``max_concurrency`` of the
            route's config or of the client applies where it is lower.
    """

    run: float | None = 600.0
    first: float | None = None
    idle: float | None = None
    send: float | None = 30.0
    ping: float | None = 15.0
    hold: float = 0.5
    grace: float = 2.0
    receive: float | None = 30.0
    body: int | None = 1_048_576
    inline: int | None = None
    depth: int | None = 64
    items: int | None = 20_000
    messages: int | None = 1_000
    files: int | None = 100
    tools: int | None = 128
    buffer: int | None = 262_144
    concurrent: int | None = None
    batch: int | None = 100
    batch_concurrency: int | None = 10

    def problems(self) -> Iterator[str]:
        """What is wrong with these limits, a sentence each; nothing when they can work."""
        for field in fields(self):
            value = getattr(self, field.name)
            if value is None and field.name not in ("hold", "grace"):
                continue
            kind = int if field.name in WHOLE else (int, float)
            if isinstance(value, bool) or not isinstance(value, kind):
                expected = "a whole number" if kind is int else "a number of seconds"
                yield f"limits.{field.name} must be {expected}, not {value!r}"
            elif not math.isfinite(value) or value < 0:
                yield f"limits.{field.name} must not be negative or infinite, not {value!r}"
            elif value == 0 and field.name not in MAY_BE_ZERO:
                yield f"limits.{field.name} must be more than 0 (None is no limit)"
