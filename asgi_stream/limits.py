"""The limits of a route, with their defaults."""

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
    """The limits of a route, in seconds, bytes and counts. ``None`` means no limit.

    Args:
        run: Seconds that a run may take in total.
        first: Seconds until the first frame of a run's output.
        idle: Seconds without activity of the Runnable, once it has started to answer.
        send: Seconds that one send may block on a client that does not read; then the client is
            dropped.
        ping: Seconds of silence after which a comment is sent; 0 turns pings off.
        hold: Seconds that the response's headers wait for the first frame, so that an early failure
            gets its own HTTP status; 0 sends them at once.
        grace: Seconds that a cancelled run may take to clean up before it is reported in the log.
        receive: Seconds that the request's body may take to arrive.
        body: Bytes of the request's body, and of its query string (at most 65,536).
        inline: Bytes of the files inlined in a conversation's messages.
        depth: Nesting depth of the request's JSON.
        items: Items of all lists and objects in the request's JSON (an empty one counts as one),
            and keys of its query string.
        messages: Messages of one list in a request: a conversation, a graph's state.
        files: Images, audio and other files in the messages of one list.
        tools: Tools that the client defines.
        buffer: Bytes that may be buffered for a slow reader. The run is paused at half of them; a
            run that cannot be paused is ended when they are exceeded, but never for one large
            frame.
        concurrent: Concurrent runs of one route in one process; a batch is one run.
        batch: Inputs of one batch.
        batch_concurrency: Inputs of one batch that run concurrently. A lower ``max_concurrency``
            of the route's config or of the client takes precedence.

    Example:
        >>> Limits(run=60, concurrent=100, buffer=None).run
        60
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
        """Yield a sentence for each limit that cannot work."""
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
                yield f"limits.{field.name} must be greater than 0 (None means no limit)"
