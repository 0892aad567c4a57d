"""The plan of a Runnable: determined once, before any request, and used by all its runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.runnables import Runnable

from .graph_parts import LIBRARIES, graphs_in, settled_graphs, with_output_only
from .graphs import graph_of
from .inline_parser import with_inline_parser
from .runnables import innermost


@dataclass(frozen=True, slots=True)
class RunnablePlan:
    """How a Runnable is run.

    Attributes:
        runnable: What runs: the Runnable with an inline parser, its graphs bound to their output.
        name: The name that the Runnable goes by.
        graph: The LangGraph graph that it is or wraps, None if it is no graph.
        graphs: The graphs in it, itself included. None if it contains functions: they may refer to
            graphs that are made later, so the graphs are searched for in each run.
        is_custom: Whether code of the user's runs it, which may report no step of its own.
    """

    runnable: Runnable[Any, Any]
    name: str
    graph: Any
    graphs: tuple[Any, ...] | None
    is_custom: bool = False

    def current_graphs(self) -> Sequence[Any]:
        """Return the graphs in what runs, as of now."""
        return graphs_in(self.runnable) if self.graphs is None else self.graphs


def plan_of(runnable: Runnable[Any, Any]) -> RunnablePlan:
    """Return the plan for a Runnable.

    It depends on nothing but the Runnable, so it can be cached for as long as the Runnable lives.
    """
    graph = graph_of(runnable)
    runs = runnable if graph is not None else with_output_only(with_inline_parser(runnable))
    custom = graph is None and any(map(_is_custom, innermost(runnable)))
    return RunnablePlan(runs, runnable.get_name(), graph, settled_graphs(runs), custom)


def _is_custom(runnable: Runnable[Any, Any]) -> bool:
    """Return whether the method that runs a Runnable is not LangChain's or LangGraph's."""
    names = ("astream", "ainvoke", "invoke")  # the default of each calls the next one
    defaults = [getattr(Runnable, name) for name in names]
    methods = (getattr(type(runnable), name) for name in names)
    runs = next((method for method in methods if method not in defaults), Runnable.invoke)
    return str(getattr(runs, "__module__", "")).partition(".")[0] not in LIBRARIES
