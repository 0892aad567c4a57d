"""The LangGraph graphs in a Runnable: found, given a stream writer, and kept to their output.

LangGraph is not imported, nor are LangChain's Runnables, which are known by what they have.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from itertools import islice
from types import CodeType, FunctionType, MethodType
from typing import Any

from .graphs import graph_of

MANY_PARTS = 100
"""How many items of one list or mapping are looked at for a graph; documents may be many more."""

MOST_PARTS = 500
"""How many parts of a Runnable are looked at for graphs."""

LOOKED_INTO = (FunctionType, MethodType, partial, dict, list, tuple)
"""Types of what a graph is looked for in, besides Runnables."""

LIBRARIES = ("langchain_core", "langchain", "langgraph")
"""Whose functions name no graph."""

CACHED = {"cached": True}
"""What LangGraph says of an update that comes from its cache."""


def graphs_in(runnable: Any) -> list[Any]:
    """The graphs that a Runnable is made of or that its functions name; none within another."""
    graphs: list[Any] = []
    known: dict[int, Any] = {}
    parts = deque([runnable])
    while parts and len(known) < MOST_PARTS:
        part = parts.popleft()
        if id(part) in known:
            continue
        known[id(part)] = part  # kept, so that no other part gets its id
        graph = graph_of(part) if _is_runnable(part) else None
        if graph is not None:
            graphs.append(graph)
        else:
            parts += [each for each in _parts_of(part) if _is_looked_into(each)]
    return graphs


def _is_runnable(value: Any) -> bool:
    return hasattr(type(value), "astream")


def _is_looked_into(value: Any) -> bool:
    # Its type is asked, for a proxy would be made to fetch what it stands for.
    return issubclass(type(value), LOOKED_INTO) or _is_runnable(value)


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
    """What the code of a function names: variables around it, and attributes of those."""
    if (function.__module__ or "").partition(".")[0] in LIBRARIES:
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


def _attributes_of(value: Any) -> Mapping[str, Any]:
    attributes: Mapping[str, Any] = {}
    with suppress(Exception):  # it has none, or a proxy stands for nothing
        attributes = vars(value)
    return attributes


def heard_by(
    runnable: Any, write: Callable[[Any], None], cached: Callable[[str, str, Any], None]
) -> dict[str, Any]:
    """What in a run's ``configurable`` makes `write` the stream writer of the graphs in it.

    A graph that is not asked for the mode ``custom`` takes its writer from the run that it is part
    of, as a subgraph does; so what is written is heard at once, wherever it is written. But it
    takes its store from there too. So graphs that have several stores are left alone, and so is a
    Runnable in which no graph is found: it may build one, with a store of its own.

    Args:
        runnable: What is run.
        write: Called with the data, from whichever thread.
        cached: Called with the namespace of a graph, the name of a node that it has taken from its
            cache, for which there is no callback, and with what the node would have returned.
    """
    runtime = sys.modules.get("langgraph.runtime")
    protocol = sys.modules.get("langgraph.pregel.protocol")
    if runtime is None or protocol is None or not (graphs := graphs_in(runnable)):
        return {}
    stores = {id(graph.store): graph.store for graph in graphs if graph.store is not None}
    if len(stores) > 1:
        return {}
    [store] = stores.values() or [None]

    def updated(chunk: Any) -> None:
        namespace, _, update = chunk
        if isinstance(update, dict) and update.get("__metadata__") == CACHED:
            for node in [each for each in update if each != "__metadata__"]:
                cached("|".join(namespace), node, update[node])

    return {
        "__pregel_runtime": runtime.Runtime(store=store, stream_writer=write),
        "__pregel_stream": protocol.StreamProtocol(updated, frozenset({"updates"})),
    }


def public(runnable: Any) -> Any:
    """`runnable`, whose graphs yield no more of their state than is their output.

    A graph that is served itself is asked for that, see `Shape`; one at the end of a chain cannot
    be asked, so it is bound. What it has been bound to before goes before that.
    """
    if not _is_composed(runnable):
        graph = graph_of(runnable)
        if graph is None or graph.output_channels == graph.stream_channels:
            return runnable
        return runnable.bind(output_keys=graph.output_channels)
    parts = vars(runnable)
    if "last" in parts:
        parts = {"last": parts["last"]}  # of a sequence; what its other steps yield is for the next
    mended = {name: _public_part(part) for name, part in parts.items()}
    changed = {name: part for name, part in mended.items() if part is not parts[name]}
    return runnable.model_copy(update=changed) if changed else runnable


def _public_part(part: Any) -> Any:
    """A field of a Runnable that is made of others; itself, if no graph in it is changed."""
    if _is_runnable(part):
        return public(part)
    if type(part) is dict:
        mended: Any = {key: _public_part(each) for key, each in part.items()}
        same = all(mended[key] is part[key] for key in part)
    elif type(part) in (list, tuple):
        mended = type(part)(map(_public_part, part))
        same = all(new is old for new, old in zip(mended, part, strict=True))
    else:
        return part
    return part if same else mended


def _is_composed(runnable: Any) -> bool:
    """Whether it is one of LangChain's Runnables that are made of others, as fields."""
    kind = type(runnable)
    return kind.__module__.startswith("langchain_core.runnables.") and hasattr(kind, "model_copy")
