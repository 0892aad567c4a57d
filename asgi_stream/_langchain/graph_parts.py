"""The LangGraph graphs in a Runnable: finds them, sets their stream writer, keeps state private.

LangGraph is not imported, nor are LangChain's Runnables: both are recognized by attributes.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from types import CodeType, FunctionType, MethodType
from typing import Any

from .cached_nodes import CachedNodes
from .graphs import graph_of

MANY_PARTS = 100
"""How many items of a list or mapping are searched; there may be many more documents."""

MOST_PARTS = 500
"""How many parts of a Runnable are searched."""

SEARCHED = (FunctionType, MethodType, partial, dict, list, tuple)
"""Types of values that are searched, besides Runnables."""

LIBRARIES = ("langchain_core", "langchain", "langgraph")
"""Packages whose functions refer to no graph of the user's."""


def graphs_in(runnable: Any) -> list[Any]:
    """Return the graphs that a Runnable consists of, or that its functions refer to.

    Graphs within a graph are not included.
    """
    return [graph for _, graph in _parts_in(runnable) if graph is not None]


def settled_graphs(runnable: Any) -> tuple[Any, ...] | None:
    """Return the graphs in a Runnable, None if it contains functions of the user's.

    Functions may refer to graphs that are made later, so then each run has to search for them.
    """
    graphs: list[Any] = []
    for part, graph in _parts_in(runnable):
        if isinstance(part, FunctionType) and not _is_library_s(part):
            return None
        if graph is not None:
            graphs.append(graph)
    return tuple(graphs)


def _parts_in(runnable: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each part of a Runnable with the graph that it is, or None."""
    known: dict[int, Any] = {}
    parts = deque([runnable])
    while parts and len(known) < MOST_PARTS:
        part = parts.popleft()
        if id(part) in known:
            continue
        known[id(part)] = part  # kept alive, so that no other part gets its id
        graph = graph_of(part) if _is_runnable(part) else None
        yield part, graph
        if graph is None:
            parts += [each for each in _parts_of(part) if _is_searched(each)]


def _is_runnable(value: Any) -> bool:
    return hasattr(type(value), "astream")


def _is_searched(value: Any) -> bool:
    # By its type, because a proxy would load what it stands for.
    return issubclass(type(value), SEARCHED) or _is_runnable(value)


def _parts_of(part: Any) -> Iterable[Any]:
    if _is_runnable(part):
        methods = (getattr(part, name, None) for name in ("_run", "_arun"))  # a tool's
        return [*_attributes_of(part).values(), *methods]
    match part:
        case dict():
            return islice(part.values(), MANY_PARTS)
        case list() | tuple():
            return part[:MANY_PARTS]
        case partial():
            return [part.func, *part.args, *part.keywords.values()]
        case MethodType():
            owner = part.__self__
            return [part.__func__, owner, *_attributes_of(owner).values()]
    return _named_in(part)


def _named_in(function: FunctionType) -> list[Any]:
    """Return what a function refers to: variables around it, and attributes of those."""
    if _is_library_s(function):
        return []
    codes = [function.__code__]
    for code in codes:
        codes += [each for each in code.co_consts if isinstance(each, CodeType)]
    names = {name for code in codes for name in code.co_names}
    around = function.__globals__
    named = [around[name] for name in names if name in around]
    for cell in function.__closure__ or ():
        with suppress(ValueError):  # an empty one
            named.append(cell.cell_contents)
    attributes = [_attributes_of(each) for each in named]
    return named + [each[name] for each in attributes for name in names if name in each]


def _is_library_s(function: FunctionType) -> bool:
    return (function.__module__ or "").partition(".")[0] in LIBRARIES


def _attributes_of(value: Any) -> Mapping[str, Any]:
    attributes: Mapping[str, Any] = {}
    with suppress(Exception):  # it has none, or is a proxy for nothing
        attributes = vars(value)
    return attributes


def writer_config(
    graphs: Sequence[Any],
    write: Callable[[Any], None],
    cached: Callable[[str, str, Any], None],
) -> dict[str, Any]:
    """Return the keys of ``configurable`` that make `write` the stream writer of `graphs`.

    A graph that is not run in the mode ``custom`` takes its writer from the run that it is part of,
    as a subgraph does. So data is passed on at once, wherever it is written. But a graph takes its
    store from there too. So graphs with several stores are left alone, and so is a Runnable without
    graphs: it may build one with a store of its own.

    Args:
        graphs: The graphs in what runs.
        write: Called with the data, from any thread.
        cached: Called with the namespace of a graph, the name of a node that the graph takes from
            its cache, for which there is no callback, and what the node would have returned.
    """
    runtime = sys.modules.get("langgraph.runtime")
    protocol = sys.modules.get("langgraph.pregel.protocol")
    if runtime is None or protocol is None or not graphs:
        return {}
    stores = {id(graph.store): graph.store for graph in graphs if graph.store is not None}
    if len(stores) > 1:
        return {}
    [store] = stores.values() or [None]

    nodes = CachedNodes(graphs)

    def updated(chunk: Any) -> None:
        for each in nodes.outputs(chunk):
            cached(*each)

    return {
        "__pregel_runtime": runtime.Runtime(store=store, stream_writer=write),
        "__pregel_stream": protocol.StreamProtocol(updated, frozenset({"updates"})),
    }


def with_output_only(runnable: Any) -> Any:
    """Return `runnable` with its graphs bound to yield no more of their state than their output.

    A graph that runs itself gets that from `ChunkReader`; one at the end of a chain needs a
    binding. A binding that it has already takes precedence.
    """
    if not _is_composed(runnable):
        graph = graph_of(runnable)
        if graph is None or graph.output_channels == graph.stream_channels:
            return runnable
        return runnable.bind(output_keys=graph.output_channels)
    parts = vars(runnable)
    if "last" in parts:
        parts = {"last": parts["last"]}  # of a sequence, whose other steps yield to the next one
    bound = {name: _public_part(part) for name, part in parts.items()}
    changed = {name: part for name, part in bound.items() if part is not parts[name]}
    return runnable.model_copy(update=changed) if changed else runnable


def _public_part(part: Any) -> Any:
    """Return a field of a composed Runnable with its graphs bound; itself if there are none."""
    if _is_runnable(part):
        return with_output_only(part)
    if type(part) is dict:
        bound: Any = {key: _public_part(each) for key, each in part.items()}
        same = all(bound[key] is part[key] for key in part)
    elif type(part) in (list, tuple):
        bound = type(part)(map(_public_part, part))
        same = all(new is old for new, old in zip(bound, part, strict=True))
    else:
        return part
    return part if same else bound


def _is_composed(runnable: Any) -> bool:
    """Return whether `runnable` is one of LangChain's that have other Runnables as fields."""
    kind = type(runnable)
    return kind.__module__.startswith("langchain_core.runnables.") and hasattr(kind, "model_copy")
