"""What ``astream()`` of a LangGraph graph yields, in its several shapes.

LangGraph is not imported: a graph is known by what it has, and what it yields by what was asked for
(https://docs.langchain.com/oss/python/langgraph/streaming, langgraph 1.2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from inspect import signature
from typing import Any

from ..events import BREAKPOINT, Interrupt, OutputChunk, Step

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
            heard where it is used (see `graph_parts.heard_by`), and not in the mode ``custom``.
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
