"""Reads what ``astream()`` yields, in the several forms that LangGraph's options give it.

https://docs.langchain.com/oss/python/langgraph/streaming, langgraph 1.2
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from typing import Any

from ..events import BREAKPOINT, OutputChunk, Step
from .approvals import distinct
from .graph_fields import GraphTree
from .graphs import nodes_of

COORDINATES = frozenset({"thread_id", "checkpoint_id", "checkpoint_ns", "checkpoint_map", "run_id"})
"""Keys of ``configurable`` that locate a run in its thread, and are no secret."""

FAILED = "The run failed."
"""Stands for the text of a task's or a tool's exception, which is for the log."""


class ChunkReader:
    """Decides how a run's chunks are requested, and reads them.

    LangGraph reports every interrupt only in the stream mode ``updates``, so that is always
    requested of a graph. Of its state only the part in its output schema is requested. The states
    of subgraphs are reduced to theirs; the state of a subgraph that a tool calls passes unchanged,
    because its schema is unknown.

    Args:
        graph: The graph that runs, None for any other Runnable.
        options: The route's keyword arguments for ``astream``.
        detailed: Whether everything in the run is turned into events. LangGraph's stream writer is
            then replaced (see `graph_parts.writer_config`), and the mode ``custom`` not requested.
        configurable: The run's ``configurable``.
        thread: The client's id of the run's thread; None: the ``configurable`` has it.

    Attributes:
        stream: The keyword arguments for ``astream``.
        plain: Whether chunks come as they are, without a mode and a namespace.
        interrupts: The interrupts that the graph has reported, LangGraph's own objects, by id.
        secret: Keys of metadata that come from ``configurable``, and are not for the client.
    """

    def __init__(
        self,
        graph: Any,
        options: Mapping[str, Any],
        *,
        detailed: bool,
        configurable: Mapping[str, Any],
        thread: str | None = None,
    ) -> None:
        self.stream = dict(options)
        self._thread = thread
        self.interrupts: dict[str, Any] = {}
        self.secret = configurable.keys() - COORDINATES
        self._graphs = GraphTree(graph)
        self._metadata: tuple[Any, dict[str, Any]] = None, {}
        self._added: set[str] = set()
        """Stream modes that the route has not requested."""
        modes = options.get("stream_mode")
        several = isinstance(modes, (list, tuple))
        self._labelled = detailed or several
        if graph is not None:
            wanted = graph.stream_mode if modes is None else modes
            several = self._request(graph, wanted, detailed) or several
        self._parts = graph is not None and options.get("version") == "v2"
        self._mode_at = -2 if several and not self._parts else None
        self._namespace_at = 0 if options.get("subgraphs") and not self._parts else None
        self.plain = not self._parts and self._mode_at is None and self._namespace_at is None

    def _request(self, graph: Any, modes: Any, detailed: bool) -> bool:
        """Complete the arguments for a graph; return whether they request several modes."""
        wanted = [modes] if isinstance(modes, str) else list(modes)
        if detailed:
            wanted = [mode for mode in wanted if mode != "custom"]
        self._added = {"updates"} - {*wanted}
        if graph.output_channels != graph.stream_channels:
            self.stream.setdefault("output_keys", graph.output_channels)
        if not detailed and not self._added:
            return False
        self.stream["stream_mode"] = [*wanted, *self._added]
        return True

    def read(self, step: Step, value: Any) -> OutputChunk | None:
        """Return a chunk with its labels; None if the route has not requested it.

        Args:
            step: The run itself.
            value: What ``astream`` yielded.
        """
        if self.plain:
            chunk = OutputChunk(step, value)
        elif self._parts:
            namespace = tuple(value["ns"]) if self.stream.get("subgraphs") else None
            chunk = OutputChunk(step, value["data"], value["type"], namespace, value)
            self._add_interrupts(value.get("interrupts"))
        else:
            mode = None if self._mode_at is None else value[self._mode_at]
            namespace = None if self._namespace_at is None else tuple(value[self._namespace_at])
            chunk = OutputChunk(step, value[-1], mode, namespace)
        if isinstance(chunk.data, dict) and "__interrupt__" in chunk.data:
            interrupts = chunk.data["__interrupt__"]
            self._add_interrupts([BREAKPOINT] if interrupts == () else interrupts)
            once = distinct(interrupts) if isinstance(interrupts, list | tuple) else interrupts
            chunk = replace(chunk, data={**chunk.data, "__interrupt__": once})
        if chunk.mode in self._added:
            return None
        return chunk if self.plain else self._public(chunk)

    def private_at(self, namespace: str) -> Set[str]:
        """Return the private fields of the graphs that a step at a checkpoint namespace is part of.

        The step may be a node, something in it, or the subgraph that the node is.
        """
        nodes = nodes_of(namespace.split("|"))
        return self._graphs.private(nodes[:-1]) | self._graphs.private(nodes)

    def _add_interrupts(self, interrupts: Any) -> None:
        for each in interrupts if isinstance(interrupts, (list, tuple)) else ():
            self.interrupts[str(getattr(each, "id", ""))] = each

    def _public(self, chunk: OutputChunk) -> OutputChunk:
        """Return `chunk` without configuration and private state."""
        data = chunk.data
        match chunk.mode:
            case "messages" if self.secret:
                data = data[0], self._public_metadata(data[1])
            case "checkpoints":
                data = self._public_checkpoint(data, self._keys_of(chunk.namespace))
            case "tasks":
                data = self._public_task(data, self._keys_of(chunk.namespace))
            case "debug":
                is_checkpoint = data.get("type") == "checkpoint"
                public = self._public_checkpoint if is_checkpoint else self._public_task
                data = {**data, "payload": public(data["payload"], self._keys_of(chunk.namespace))}
            case "tools" if data.get("event") == "tool-error":
                data = {**data, "message": FAILED}
            case "values" | "updates" if chunk.namespace:
                data = self._public_state(chunk.namespace, chunk.mode, data)
        part = None if chunk.part is None else {**chunk.part, "data": data}
        mode = chunk.mode if self._labelled else None
        return OutputChunk(chunk.step, data, mode, chunk.namespace, part)

    def _public_metadata(self, metadata: Mapping[str, Any]) -> Mapping[str, Any]:
        known, public = self._metadata
        if metadata is not known:  # all chunks of a message share theirs
            public = without(metadata, self.secret)
            self._metadata = metadata, public
        return public

    def _keys_of(self, namespace: Sequence[str] | None) -> Set[str] | None:
        """Return the keys of the output of the graph at a namespace, if they are known."""
        graph = self._graphs.at(nodes_of(namespace or ()))
        if graph is None or isinstance(graph.output_channels, str):
            return None
        return {*graph.output_channels, "__interrupt__"}

    def _public_state(self, namespace: Sequence[str], mode: str, data: Any) -> Any:
        """Return the part of a subgraph's state that is in its output schema, if that is known."""
        keys = self._keys_of(namespace)
        if keys is None:
            return data
        if mode == "values":
            return only(data, keys)
        return {
            node: [only(each, keys) for each in update]
            if isinstance(update, list)
            else only(update, keys)
            for node, update in data.items()
        }

    def _public_checkpoint(
        self, checkpoint: Mapping[str, Any], keys: Set[str] | None
    ) -> dict[str, Any]:
        public = dict(checkpoint)
        public["metadata"] = without(public.get("metadata") or {}, self.secret)
        if keys is not None:
            public["values"] = only(public["values"], keys)
        for key in ("config", "parent_config"):
            if config := public.get(key):
                public[key] = self._public_config(config)
        public["tasks"] = [self._public_task(each, keys) for each in public["tasks"]]
        return public

    def _public_task(self, task: Mapping[str, Any], keys: Set[str] | None) -> dict[str, Any]:
        public = dict(task)
        if keys is not None:
            for key in public.keys() & {"input", "result"}:
                public[key] = only(public[key], keys)
        if "error" in public:
            public["error"] = public_error(public["error"])
        if state := public.get("state"):
            public["state"] = self._public_config(state)
        if metadata := public.get("metadata"):
            public["metadata"] = without(metadata, self.secret)
        return public

    def _public_config(self, config: Mapping[str, Any]) -> dict[str, Any]:
        configurable = without(config.get("configurable") or {}, self.secret)
        if self._thread is not None:
            configurable["thread_id"] = self._thread
        return {"configurable": configurable}


def public_error(error: Any) -> str | None:
    """Return what is sent of the error of a task; None if the task was cancelled.

    Args:
        error: The exception, or its ``repr``, which is what a checkpointer keeps of it.
    """
    if error is None or "CancelledError" in (type(error).__name__, str(error).partition("(")[0]):
        return None
    return FAILED


def without(metadata: Mapping[str, Any], keys: Set[str]) -> dict[str, Any]:
    """Return `metadata` without `keys`, and without LangGraph's internal ones."""
    return {
        key: value
        for key, value in metadata.items()
        if key not in keys and not key.startswith("__")
    }


def only(state: Any, keys: Set[str]) -> Any:
    """Return a state, or an update of one, reduced to `keys`; any other value unchanged."""
    if not isinstance(state, Mapping):
        return state
    return {key: value for key, value in state.items() if key in keys}
