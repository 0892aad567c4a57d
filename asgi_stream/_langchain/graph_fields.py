"""Which fields of the states of graphs are their output, and which are private."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .graphs import graph_of


class GraphTree:
    """A graph and its subgraphs, by where they run.

    Args:
        graph: The graph, None if there is none.
    """

    def __init__(self, graph: Any) -> None:
        self._graph = graph
        self._subgraphs: dict[str, Any] | None = None

    def at(self, nodes: Sequence[str]) -> Any:
        """Return the graph that runs in nodes, outermost first; None if it is unknown.

        A subgraph that a tool calls is unknown.
        """
        if self._graph is None or not nodes:
            return self._graph
        if self._subgraphs is None:
            subgraphs = self._graph.get_subgraphs(recurse=True)
            self._subgraphs = {name: graph_of(each) for name, each in subgraphs}
        return self._subgraphs.get("|".join(nodes))


class PrivateFields:
    """Says which fields of the states of graphs are not in the graphs' output schemas.

    Args:
        graphs: Returns the graphs in what runs. It is called once, when there is a question.
    """

    def __init__(self, graphs: Callable[[], Iterable[Any]]) -> None:
        self._graphs = graphs
        self._trees: list[GraphTree] | None = None

    def has(self, nodes: Sequence[str], field: str) -> bool:
        """Return whether a field is private; not if several graphs may be meant, and one shows it.

        Args:
            nodes: The nodes that the graph runs in, outermost first.
            field: The field's name.
        """
        if self._trees is None:
            self._trees = [GraphTree(each) for each in self._graphs()]
        graphs = [tree.at(nodes) for tree in self._trees]
        shown = [
            field in _names(graph.output_channels)
            for graph in graphs
            if graph is not None and field in graph.channels
        ]
        return bool(shown) and not any(shown)


def _names(channels: str | Sequence[str]) -> Sequence[str]:
    return [channels] if isinstance(channels, str) else channels
