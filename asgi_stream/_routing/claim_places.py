"""The stores in which routes claim threads, so that only one run writes to each thread."""

from __future__ import annotations

from typing import Any, NamedTuple

from .._langchain.graphs import checkpointer_of
from .._langchain.runnables import is_runnable
from ..stores import ThreadStore
from ..stores.shared_claims import Claims, SharedClaims
from ..threads import thread_scope


class _Place(NamedTuple):
    states: Any
    """Where the states of threads are, see `states_of`."""
    path: str
    """The path of the route whose threads they are."""
    store: ThreadStore


class ClaimPlaces:
    """Knows which routes of a table share the states of threads.

    Every worker with the same table finds the same places, because it takes them from the table
    alone.
    """

    def __init__(self) -> None:
        self._places: list[_Place] = []

    def add(self, source: Any, path: str, store: ThreadStore) -> None:
        """Add a graph of a route, or the function that returns it."""
        self._places.append(_Place(states_of(source), path, store))

    def claims(self, source: Any, store: ThreadStore, owner: str | None) -> Claims:
        """Return what claims the threads of a graph.

        Args:
            source: The graph, or the function that returns it.
            store: The store of the route's own records.
            owner: What ``authorize`` returned for the caller.
        """
        states = states_of(source)
        places = [each for each in self._places if each.states == states]
        if len({each.path for each in places}) < 2:
            return store
        first = places[0]
        # No path of a route begins like this.
        return SharedClaims(first.store, thread_scope(f"claims:{first.path}", owner), store)


def states_of(source: Any) -> Any:
    """Return what two graphs have in common that share the states of threads.

    It is the checkpointer. That of a graph that a function returns is known only at a request, so
    there it is the function.
    """
    return checkpointer_of(source) if is_runnable(source) else source
