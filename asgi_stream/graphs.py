"""What ``astream()`` of a LangGraph graph yields, in its several shapes.

LangGraph is not imported: a graph is known by what it has, and what it yields by what was asked for
(https://docs.langchain.com/oss/python/langgraph/streaming, langgraph 1.2).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .events import Interrupt, OutputChunk, Step


class Shape:
    """How a run is asked for its chunks, and where in a chunk its parts stand.

    Args:
        runnable: What is run.
        asked: The route's keyword arguments for ``astream``.
        narrated: Whether all that happens in the run is told of. LangGraph tells of its stream
            writer and of interrupts only in stream modes that a route need not ask for.

    Attributes:
        stream: Keyword arguments for ``astream``.
        plain: Whether a chunk is what it is, without its mode and its namespace.
    """

    def __init__(self, runnable: Any, asked: Mapping[str, Any], *, narrated: bool) -> None:
        self.stream = dict(asked)
        self._added: set[str] = set()
        modes = asked.get("stream_mode")
        several = isinstance(modes, (list, tuple))
        labelled = asked.get("version") != "v2"
        if narrated and labelled and (default := default_mode(runnable)):
            wanted = list(modes) if isinstance(modes, (list, tuple)) else [modes or default]
            needed = {"custom"} if {"updates", "values"} & {*wanted} else {"custom", "updates"}
            self._added = needed - {*wanted}
            self.stream["stream_mode"] = wanted + sorted(self._added)
            several = True
        self._mode_at = -2 if several and labelled else None
        self._namespace_at = 0 if asked.get("subgraphs") and labelled else None
        self.plain = self._mode_at is None and self._namespace_at is None

    def read(self, step: Step, chunk: Any) -> OutputChunk:
        """A chunk with its labels."""
        if self.plain:
            return OutputChunk(step, chunk)
        mode = None if self._mode_at is None else chunk[self._mode_at]
        namespace = None if self._namespace_at is None else tuple(chunk[self._namespace_at])
        return OutputChunk(step, chunk[-1], mode, namespace)

    def asked_for(self, chunk: OutputChunk) -> bool:
        """Whether the route has asked for this chunk."""
        return chunk.mode not in self._added


def interrupts_in(data: Mapping[str, Any]) -> Iterator[Interrupt]:
    """What a graph waits for, if this is the chunk that says that it has stopped."""
    found = data.get("__interrupt__")
    for each in found if isinstance(found, (list, tuple)) else ():
        yield Interrupt(str(getattr(each, "id", "")), getattr(each, "value", each))


def default_mode(runnable: Any) -> str | None:
    """The stream mode of a graph; None for what is no graph."""
    while hasattr(runnable, "bound"):
        runnable = runnable.bound
    mode = getattr(runnable, "stream_mode", None)
    return mode if isinstance(mode, str) and hasattr(runnable, "stream_channels") else None
