"""Documents about a graph: its nodes and edges, and its JSON Schemas.

https://docs.langchain.com/langsmith/server-api-ref (``Graph``, ``GraphSchema``), read in PyPI
``langgraph-sdk`` 0.4.14.
"""

from __future__ import annotations

from typing import Any

from ..errors import NotFound
from ..formats import GraphQuery
from .graphs import graph_of
from .schemas.runnable import first_schema, schema_of
from .served_runnable import ServedRunnable

BREAKPOINT = "__interrupt"
"""The key of a node's metadata that says whether the graph stops before or after it."""


def graph_document(served: ServedRunnable, query: GraphQuery) -> object:
    """Return what a query asks for, as JSON.

    Args:
        served: The graph.
        query: The query.

    Raises:
        NotFound: The graph has no such subgraph.
    """
    graph = graph_of(served.runnable)
    match query.part:
        case "drawing":
            return _drawing(graph.get_graph(xray=query.xray).to_json())
        case "schemas":
            schemas = _schemas(graph)
            return {"graph_id": query.model, **schemas, "input_schema": served.schema.json_schema()}
    subgraphs = dict(graph.get_subgraphs(namespace=query.namespace, recurse=query.recurse))
    if query.namespace is not None and not subgraphs:
        raise NotFound("The graph has no such subgraph.")
    return {namespace: _schemas(graph_of(each)) for namespace, each in subgraphs.items()}


def _drawing(drawn: dict[str, Any]) -> dict[str, Any]:
    """Return a drawing without what only the server's code and operators need to know."""
    return {**drawn, "nodes": [_node(each) for each in drawn["nodes"]]}


def _node(node: dict[str, Any]) -> dict[str, Any]:
    public: dict[str, Any] = {key: node[key] for key in ("id", "type", "data") if key in node}
    if isinstance(node.get("data"), dict):
        # The rest says in which modules its class is.
        public["data"] = {"name": node["data"].get("name")}
    if (stops := node.get("metadata", {}).get(BREAKPOINT)) is not None:
        public["metadata"] = {BREAKPOINT: stops}
    return public


def _schemas(graph: Any) -> dict[str, Any]:
    output = schema_of(graph, "output")
    return {
        "input_schema": schema_of(graph, "input"),
        "output_schema": output,
        "state_schema": output,  # what a client sees of a state
        "config_schema": schema_of(graph, "config"),
        "context_schema": first_schema(lambda: graph.get_context_jsonschema()),
    }
