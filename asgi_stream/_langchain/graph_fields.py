"""The fields of graphs' states: which are output, and which are private."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from typing import Any

from langchain_core.messages import BaseMessage
from pydantic import BaseModel

from .graphs import graph_of

DEEPEST = 8
"""How deep in what a step returns the fields of a state are looked for."""


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

    def private(self, nodes: Sequence[str]) -> frozenset[str]:
        """Return the fields of a graph that are not in its output; none if it is unknown."""
        graph = self.at(nodes)
        if graph is None:
            return frozenset()
        return frozenset(graph.channels) - {*_names(graph.output_channels)}


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


def without_private(value: Any, private: Set[str], depth: int = DEEPEST) -> Any:
    """Return what a step returns, without private fields of a state in it.

    States and updates of them may be mappings, pairs or objects, also in a ``Command`` or ``Send``.
    """
    if not private or not depth or isinstance(value, BaseMessage):
        return value
    match value:
        case [str(field), _] if field in private:
            return []
        case list() | tuple():
            return [without_private(each, private, depth - 1) for each in value]
        case BaseModel() if private.isdisjoint(type(value).model_fields):
            return value
    attributes = _attributes_of(value)
    if attributes is None:
        return value
    return {
        name: without_private(each, private, depth - 1)
        for name, each in attributes.items()
        if name not in private
    }


def _attributes_of(value: Any) -> Mapping[Any, Any] | None:
    """Return what JSON has of a value that may be a state, or have one; None for any other."""
    match value:
        case Mapping():
            return value
        case BaseModel():
            names = [name for name, field in type(value).model_fields.items() if not field.exclude]
        case object(node=_, arg=_):
            names = ["node", "arg"]
        case _ if is_dataclass(value) and not isinstance(value, type):
            names = [each.name for each in fields(value) if not each.name.startswith("_")]
        case _:
            return None
    return {name: getattr(value, name, None) for name in names}


def _names(channels: str | Sequence[str]) -> Sequence[str]:
    return [channels] if isinstance(channels, str) else channels
