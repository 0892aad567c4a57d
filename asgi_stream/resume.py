"""Resume: how runs are stored that outlive their readers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from .stores import EventStore, open_store
from .stores.option import StoreOption, without_passwords

__all__ = ["Resume"]

ON_DISCONNECT = ("continue", "cancel")
ON_WORKER_LOST = ("fail", "continue")
WHOLE = ("frames", "size", "per_owner")
STORE = StoreOption("resume", "store", open_store, EventStore)


@dataclass(frozen=True, kw_only=True, repr=False)
class Resume:
    """How the runs of a route are stored, in seconds, bytes and counts. ``None`` means no limit.

    Args:
        store: ``"memory"`` (of this process), ``"redis://host:6379/0"``, or an
            `asgi_stream.stores.EventStore`, which routes may share.
        keep: Seconds that a run is kept after its end.
        on_disconnect: ``"continue"``: a run continues when its readers leave. ``"cancel"``: it is
            cancelled when the last reader leaves, so it can only be joined while another reads it.
        unread_timeout: Seconds without any reader after which a run is cancelled anyway.
        on_worker_lost: What happens to a run whose worker dies. ``"fail"``: its readers get the
            error ``worker_lost``. ``"continue"``: the worker of one of its readers goes on with it,
            from the last checkpoint of its thread. The node that was interrupted runs again. Needs
            `threads`, on stores and a checkpointer that all workers share.
        frames: Frames of one run that are kept, the newest. A reader that asks for older ones gets
            an event that says which are missing.
        size: Bytes of these frames.
        per_owner: Unfinished runs of one owner on this route; more are refused with status 429.

    Example:
        >>> Resume(store="memory", keep=600, unread_timeout=60).keep
        600
    """

    store: str | EventStore = "memory"
    keep: float = 300.0
    on_disconnect: Literal["continue", "cancel"] = "continue"
    unread_timeout: float | None = None
    on_worker_lost: Literal["fail", "continue"] = "fail"
    frames: int | None = 10_000
    size: int | None = 8_388_608
    per_owner: int | None = None

    opened: EventStore = field(init=False, repr=False, compare=False)
    """The store that `store` names."""

    def __post_init__(self) -> None:
        store = STORE.open(self.store)
        if store is not None:
            object.__setattr__(self, "opened", store)

    def within(self, prefix: str, opened: dict[str, EventStore]) -> Resume:
        """Return this with a store that is shared with the app's other routes, if it is a Redis.

        Args:
            prefix: The prefix of its keys, unless the URL of the store has one.
            opened: The stores of the app by their URLs; a new one is added.
        """
        store = STORE.shared(self.store, prefix, opened)
        return self if store is None else replace(self, store=store)

    def __repr__(self) -> str:
        return without_passwords(self)

    @property
    def local(self) -> bool:
        """Whether runs are stored in this process, where other workers do not find them."""
        return bool(getattr(self.opened, "local", False))

    @property
    def continues(self) -> bool:
        """Whether a run goes on with another worker if its own dies."""
        return self.on_worker_lost == "continue"

    @property
    def cancel_after(self) -> float | None:
        """Seconds without any reader after which a run is cancelled; None is never."""
        return 0.0 if self.on_disconnect == "cancel" else self.unread_timeout

    def problems(self) -> Iterator[str]:
        """Yield a sentence for each option that cannot work."""
        yield from STORE.problems(self.store)
        if self.on_disconnect not in ON_DISCONNECT:
            yield f"resume.on_disconnect must be one of {ON_DISCONNECT}, not {self.on_disconnect!r}"
        elif self.on_disconnect == "cancel" and self.unread_timeout is not None:
            yield 'resume.unread_timeout requires on_disconnect="continue"'
        if self.on_worker_lost not in ON_WORKER_LOST:
            choice = self.on_worker_lost
            yield f"resume.on_worker_lost must be one of {ON_WORKER_LOST}, not {choice!r}"
        for each in fields(self):
            value = getattr(self, each.name, None)
            if each.name in WHOLE or each.name in ("keep", "unread_timeout"):
                yield from _wrong_number(each.name, value)


def _wrong_number(name: str, value: Any) -> Iterator[str]:
    if value is None and name != "keep":
        return
    kind = int if name in WHOLE else (int, float)
    if isinstance(value, bool) or not isinstance(value, kind):
        expected = "a whole number" if kind is int else "a number of seconds"
        yield f"resume.{name} must be {expected}, not {value!r}"
    elif not math.isfinite(value) or value <= 0:
        yield f"resume.{name} must be greater than 0 and finite, not {value!r}"
