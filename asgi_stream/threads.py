"""Threads: how a route keeps conversations in the checkpointer of its graph."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, field, replace
from hashlib import sha256

from .serialize import to_json
from .stores import ThreadStore, open_thread_store
from .stores.option import StoreOption, without_passwords

__all__ = ["Threads", "checkpoint_thread_id"]

THREAD_ID = "thread_id"
"""The query parameter, and LangGraph's key, that names a thread."""

STORE = StoreOption("threads", "store of threads", open_thread_store, ThreadStore)

PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}")
"""Ids that every checkpointer can store, and that begin with no mark of ours."""


def checkpoint_thread_id(thread_id: str, owner: str | None = None) -> str:
    """Return the ``thread_id`` under which a graph's checkpointer has a client's thread.

    Two owners may choose the same id, so it is hashed with the owner. Without an owner it stays as
    it is, unless it has characters that not every checkpointer can store.

    Args:
        thread_id: The client's id of the thread.
        owner: What the route's ``authorize`` returned.

    Example:
        >>> checkpoint_thread_id("t1")
        't1'
        >>> checkpoint_thread_id("t1", "ann")[:8]
        '~c20edaa'
    """
    if owner is None and PLAIN.fullmatch(thread_id):
        return thread_id
    return "~" + sha256(to_json([owner, thread_id])).hexdigest()


def thread_scope(route: str, owner: str | None) -> str:
    """Return the `asgi_stream.stores.ThreadRecord.scope` of an owner's threads of a route."""
    return sha256(to_json([route, owner])).hexdigest()


def owner_mark(owner: str) -> str:
    """Return what marks the checkpoints of an owner's threads."""
    return sha256(to_json([owner])).hexdigest()


@dataclass(frozen=True, kw_only=True, repr=False)
class Threads:
    """How a route keeps the conversations of its graph, each of which is a thread.

    The state of a thread is in the graph's own checkpointer. What else is known of it (its owner,
    metadata, when it was updated) is in a store.

    Args:
        store: ``"memory"`` (of this process), ``"redis://host:6379/0"``, or an
            `asgi_stream.stores.ThreadStore`, which routes may share. Of threads that a store in
            memory has no record of any more, a list has what the checkpointer knows.
        user_messages_only: Let clients of the format ``langgraph`` add messages of the user only,
            and no other part of the state. The other formats of front ends always do.

    Example:
        >>> Threads(store="memory").user_messages_only
        False
    """

    store: str | ThreadStore = "memory"
    user_messages_only: bool = False

    opened: ThreadStore = field(init=False, repr=False, compare=False)
    """The store that `store` names."""

    of_route: str | None = field(default=None, init=False, repr=False, compare=False)
    """The path of the route whose threads these are; None: that of the route itself."""

    def __post_init__(self) -> None:
        store = STORE.open(self.store)
        if store is not None:
            object.__setattr__(self, "opened", store)

    def __repr__(self) -> str:
        return without_passwords(self)

    @property
    def local(self) -> bool:
        """Whether claims of threads are in this process, where other workers do not see them."""
        return bool(getattr(self.opened, "local", False))

    def within(self, prefix: str, opened: dict[str, ThreadStore]) -> Threads:
        """Return this with a store that is shared with the app's other routes, if it is a Redis.

        Args:
            prefix: The prefix of its keys, unless the URL of the store has one.
            opened: The stores of the app by their URLs; a new one is added.
        """
        store = STORE.shared(self.store, prefix, opened)
        return self if store is None else replace(self, store=store)

    def shared(self, path: str) -> Threads:
        """Return this for another route with the threads of the one at `path`."""
        policy = copy(self)
        object.__setattr__(policy, "of_route", path)
        return policy

    def problems(self) -> Iterator[str]:
        """Yield a sentence for each option that cannot work."""
        yield from STORE.problems(self.store)
        if not isinstance(self.user_messages_only, bool):
            value = self.user_messages_only
            yield f"threads.user_messages_only must be True or False, not {value!r}"
