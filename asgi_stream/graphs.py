"""What ``astream()`` of a LangGraph graph yields, in its several shapes, and its stream writer.

LangGraph is not imported: a graph is known by what it has, and what it yields by what was asked for
(https://docs.langchain.com/oss/python/langgraph/streaming, langgraph 1.2).
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from contextlib import suppress
from functools import partial
from inspect import signature
from itertools import islice
from types import CodeType, FunctionType, MethodType
from typing import Any

from .events import BREAKPOINT, Interrupt, OutputChunk, Step

MANY_PARTS = 100
"""How many items of one list or mapping are looked at for a graph; documents may be many more."""

MOST_PARTS = 500
"""How many parts of a Runnable are looked at for graphs."""

LOOKED_INTO = (FunctionType, MethodType, partial, dict, list, tuple)
"""Types of what a graph is looked for in, besides Runnables."""

LIBRARIES = ("langchain_core", "langchain", "langgraph")
"""Whose functions name no graph."""

COORDINATES = frozenset({"thread_id", "checkpoint_id", "checkpoint_ns", "checkpoint_map"})
"""Keys of ``configurable`` that say where in a thread a run is, and not what it runs with."""


class Shape:
    """How a run is asked for its chunks, and where in a chunk its parts stand.

    LangGraph tells of every interrupt in the stream mode ``updates`` only, so a graph is always
    asked for that, and for no more of its state than its output schema has. The same is left of the
    states of its subgraphs; one that a tool calls is not known, and its state is passed on whole.

    Args:
        runnable: What is run.
        asked: The route's keyword arguments for ``astream``.
        narrated: Whether all that happens in the run is told of. Then LangGraph's stream writer is
            heard where it is used (see `stream_writer`), and not in the mode ``custom``.
        configurable: What the run is configured with.

    Attributes:
        stream: Keyword arguments for ``astream``.
        plain: Whether a chunk is what it is, without its mode and its namespace.
        interrupts: What the graph waits for, by id.
        secret: Keys of metadata that come from what the run is configured with.
    """

    def __init__(
        self,
        runnable: Any,
        asked: Mapping[str, Any],
        *,
        narrated: bool,
        configurable: Mapping[str, Any],
    ) -> None:
        self.stream = dict(asked)
        self.interrupts: dict[str, Interrupt] = {}
        self.secret = configurable.keys() - COORDINATES
        self._metadata: tuple[Any, dict[str, Any]] = None, {}
        self._added: set[str] = set()
        modes = asked.get("stream_mode")
        several = isinstance(modes, (list, tuple))
        self._shown = narrated or several
        self._outputs: dict[str, Any] | None = None
        self._graph = graph = graph_of(runnable)
        if graph is not None:
            modes = modes or graph.stream_mode
            wanted = [modes] if isinstance(modes, str) else list(modes)
            if narrated:
                wanted = [mode for mode in wanted if mode != "custom"]
            self._added = {"updates"} - {*wanted}
            if narrated or self._added:
                self.stream["stream_mode"] = [*wanted, *self._added]
                several = True
            if graph.output_channels != graph.stream_channels:
                self.stream.setdefault("output_keys", graph.output_channels)
        self._parts = graph is not None and asked.get("version") == "v2"
        self._mode_at = -2 if several and not self._parts else None
        self._namespace_at = 0 if asked.get("subgraphs") and not self._parts else None
        self.plain = not self._parts and self._mode_at is None and self._namespace_at is None

    def read(self, step: Step, given: Any) -> OutputChunk | None:
        """A chunk with its labels; None if the route has not asked for it."""
        if self.plain:
            chunk = OutputChunk(step, given)
        elif self._parts:
            namespace = tuple(given["ns"]) if self.stream.get("subgraphs") else None
            chunk = OutputChunk(step, given["data"], given["type"], namespace, given)
            self._stops(given.get("interrupts"))
        else:
            mode = None if self._mode_at is None else given[self._mode_at]
            namespace = None if self._namespace_at is None else tuple(given[self._namespace_at])
            chunk = OutputChunk(step, given[-1], mode, namespace)
        if isinstance(chunk.data, dict) and "__interrupt__" in chunk.data:
            found = chunk.data["__interrupt__"]
            self._stops([BREAKPOINT] if found == () else found)
        if chunk.mode in self._added:
            return None
        return chunk if self.plain else self._public(chunk)

    def _stops(self, found: Any) -> None:
        """Take note of what the graph says that it has stopped on."""
        for each in found if isinstance(found, (list, tuple)) else ():
            interrupt = Interrupt(str(getattr(each, "id", "")), getattr(each, "value", each))
            self.interrupts[interrupt.id] = interrupt

    def _public(self, chunk: OutputChunk) -> OutputChunk:
        """`chunk` without what the run is configured with."""
        data = chunk.data
        match chunk.mode:
            case "messages" if self.secret:
                data = data[0], self._public_metadata(data[1])
            case "checkpoints":
                data = self._public_checkpoint(data)
            case "debug" if data.get("type") == "checkpoint":
                data = {**data, "payload": self._public_checkpoint(data["payload"])}
            case "values" | "updates" if chunk.namespace:
                data = self._public_state(chunk.namespace, chunk.mode, data)
        part = None if chunk.part is None else {**chunk.part, "data": data}
        mode = chunk.mode if self._shown else None
        return OutputChunk(chunk.step, data, mode, chunk.namespace, part)

    def _public_metadata(self, metadata: Mapping[str, Any]) -> Mapping[str, Any]:
        """Of a message's metadata what the run is not configured with."""
        known, public = self._metadata
        if metadata is not known:  # each piece of a message has the same
            public = without(metadata, self.secret)
            self._metadata = metadata, public
        return public

    def _public_state(self, namespace: Sequence[str], mode: str, data: Any) -> Any:
        """Of a subgraph's state what its own output schema has, as far as the subgraph is known."""
        path = "|".join(part.partition(":")[0] for part in namespace)
        if self._outputs is None:
            subgraphs = self._graph.get_subgraphs(recurse=True)
            self._outputs = {at: graph_of(each) for at, each in subgraphs}
        graph = self._outputs.get(path)
        if graph is None or isinstance(graph.output_channels, str):
            return data
        keys = {*graph.output_channels, "__interrupt__"}
        if mode == "values":
            return only(data, keys)
        return {
            node: [only(each, keys) for each in update]
            if isinstance(update, list)
            else only(update, keys)
            for node, update in data.items()
        }

    def _public_checkpoint(self, checkpoint: Mapping[str, Any]) -> dict[str, Any]:
        public = dict(checkpoint)
        public["metadata"] = without(public.get("metadata") or {}, self.secret)
        for key in ("config", "parent_config"):
            if config := public.get(key):
                configurable = without(config.get("configurable") or {}, self.secret)
                public[key] = {"configurable": configurable}
        return public


def without(metadata: Mapping[str, Any], keys: Set[str]) -> dict[str, Any]:
    """`metadata` without `keys`, and without those that LangGraph keeps for itself."""
    return {
        key: value
        for key, value in metadata.items()
        if key not in keys and not key.startswith("__")
    }


def only(state: Any, keys: Set[str]) -> Any:
    """`state`, or an update of it, with no other keys than these."""
    if not isinstance(state, Mapping):
        return state
    return {key: value for key, value in state.items() if key in keys}


def graph_of(runnable: Any) -> Any:
    """The LangGraph graph that `runnable` is or wraps; None if there is none."""
    runnable = _unbound(runnable)
    mode = getattr(runnable, "stream_mode", None)
    return runnable if isinstance(mode, str) and hasattr(runnable, "stream_channels") else None


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


def stream_writer(runnable: Any, write: Callable[[Any], None]) -> dict[str, Any]:
    """What in a run's ``configurable`` makes `write` the stream writer of the graphs in it.

    A graph that is not asked for the mode ``custom`` takes its writer from the run that it is part
    of, as a subgraph does; so what is written is heard at once, wherever it is written. But it
    takes its store from there too. So graphs that have several stores are left alone, and so is a
    Runnable in which no graph is found: it may build one, with a store of its own.

    Args:
        runnable: What is run.
        write: Called with the data, from whichever thread.
    """
    runtime = sys.modules.get("langgraph.runtime")
    protocol = sys.modules.get("langgraph.pregel.protocol")
    if runtime is None or protocol is None or not (graphs := graphs_in(runnable)):
        return {}
    stores = {id(graph.store): graph.store for graph in graphs if graph.store is not None}
    if len(stores) > 1:
        return {}
    [store] = stores.values() or [None]
    return {
        "__pregel_runtime": runtime.Runtime(store=store, stream_writer=write),
        "__pregel_stream": protocol.StreamProtocol(lambda chunk: None, frozenset()),
    }


def takes_context(runnable: Any) -> bool:
    """Whether a context can be passed to a run, as to a graph since LangGraph 0.6."""
    return "context" in signature(_unbound(runnable).astream).parameters


def merged_context(*contexts: Any) -> Any:
    """Return the contexts as one: mappings key by key, the last one over those before it.

    Anything else, an instance of a graph's ``context_schema`` perhaps, replaces what is before it.
    """
    merged: Any = None
    for context in contexts:
        if isinstance(merged, Mapping) and isinstance(context, Mapping):
            merged = {**merged, **context}
        elif context is not None:
            merged = context
    return merged


def _unbound(runnable: Any) -> Any:
    while hasattr(runnable, "bound"):
        runnable = runnable.bound
    return runnable
