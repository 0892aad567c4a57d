"""The nodes whose output a graph takes from LangGraph's cache, for which there is no callback."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

from .graphs import nodes_of

CACHED = {"cached": True}
"""LangGraph's metadata of an update of a node that has not run.

It comes from the cache, or from the checkpoint at which a run goes on, read in langgraph 1.2.24.
"""


class CachedNodes:
    """Tells which updates of graphs come from their cache.

    What a node had returned before its run stopped, because a node beside it asked or failed, is an
    update of the same form in the run that goes on. Its client has it from the run before.

    Args:
        graphs: The graphs in what runs, without the graphs in those.
    """

    def __init__(self, graphs: Sequence[Any]) -> None:
        self._graphs = graphs

    def outputs(self, chunk: Any) -> Iterator[tuple[str, str, Any]]:
        """Yield the namespaces, the names and the outputs of the nodes in a chunk of updates."""
        namespace, _, update = chunk
        if isinstance(update, dict) and update.get("__metadata__") == CACHED:
            for node in [each for each in update if each != "__metadata__"]:
                if self._caches(namespace, node):
                    yield "|".join(namespace), node, update[node]

    def _caches(self, namespace: Sequence[str], node: str) -> bool:
        path = "|".join(nodes_of(namespace))
        # Tasks of an entrypoint are no nodes, and of a graph that code calls no nodes are known.
        return self._nodes.get(path, {}).get(node, self._any_cache)

    @cached_property
    def _all(self) -> list[tuple[str, Any]]:
        """The graphs with the graphs in them, by their paths."""
        return [
            pair
            for graph in self._graphs
            for pair in [("", graph), *graph.get_subgraphs(recurse=True)]
        ]

    @cached_property
    def _any_cache(self) -> bool:
        return any(graph.cache is not None for _, graph in self._all)

    @cached_property
    def _nodes(self) -> dict[str, dict[str, bool]]:
        """Whether a node may be taken from a cache, by the path of its graph and its name."""
        nodes: dict[str, dict[str, bool]] = {}
        for path, graph in self._all:
            known = nodes.setdefault(path, {})
            for name, node in graph.nodes.items():
                policy = node.cache_policy or graph.cache_policy
                caches = self._any_cache and policy is not None
                known[name] = caches or known.get(name, False)
        return nodes
