"""What happens in a run, in the words that cross every seam.

The set is closed: a format is a ``match`` over these classes, a filter and a source know no
others. Their names follow LangChain's own stream protocol (package ``langchain-protocol``). What a
filter goes by is the step of an event and its `event`, the word of ``astream_events`` for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, get_args

from .ends import BREAKPOINT, Interrupt, RunError, RunFinished
from .models import (
    BlockFinished,
    BlockKind,
    BlockStarted,
    FileMade,
    ModelFinished,
    ModelStarted,
    ReasoningDelta,
    TextDelta,
    TextDiscarded,
)
from .steps import Step
from .tools import (
    ToolCallDelta,
    ToolCalled,
    ToolCallResumed,
    ToolCallStarted,
    ToolFailed,
    ToolFinished,
)

__all__ = [
    "BREAKPOINT",
    "NARRATED",
    "BlockFinished",
    "BlockKind",
    "BlockStarted",
    "Custom",
    "Event",
    "FileMade",
    "Interrupt",
    "LangChainEvent",
    "ModelFinished",
    "ModelStarted",
    "NodeFinished",
    "NodeStarted",
    "OutputChunk",
    "ReasoningDelta",
    "RunError",
    "RunFinished",
    "RunStarted",
    "Said",
    "SourceFound",
    "Step",
    "TextDelta",
    "TextDiscarded",
    "Told",
    "ToolCallDelta",
    "ToolCallResumed",
    "ToolCallStarted",
    "ToolCalled",
    "ToolFailed",
    "ToolFinished",
]


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The run's first event."""

    run_id: str


@dataclass(frozen=True, slots=True)
class NodeStarted:
    """A node of a graph begins."""

    step: Step
    event: ClassVar[str] = "on_chain_start"


@dataclass(frozen=True, slots=True)
class NodeFinished:
    """A node has ended, well or not."""

    step: Step
    event: ClassVar[str] = "on_chain_end"


@dataclass(frozen=True, slots=True)
class SourceFound:
    """Something that the answer rests on: a retrieved document or a citation.

    Attributes:
        source_id: Of its own in the run.
        title: Never empty.
        url: If it is on the web.
        media_type: The document's, ``text/plain`` if unknown.
    """

    step: Step
    source_id: str
    title: str
    url: str | None = None
    media_type: str = "text/plain"
    event: ClassVar[str] = "on_retriever_end"


@dataclass(frozen=True, slots=True)
class Custom:
    """What the Runnable's own code wants to tell.

    Attributes:
        name: As given to ``adispatch_custom_event``; ``custom`` from LangGraph's stream writer.
        data: Anything.
    """

    step: Step
    name: str
    data: Any
    event: ClassVar[str] = "on_custom_event"


@dataclass(frozen=True, slots=True)
class OutputChunk:
    """What ``astream()`` of the run's Runnable yielded.

    Attributes:
        step: The run itself.
        data: The chunk.
        mode: LangGraph's stream mode, if the route asked for several.
        namespace: The subgraph that it comes from, if the route asked for subgraphs.
        part: All of it, with LangGraph's own labels, if the route asked for its version 2.
    """

    step: Step
    data: Any
    mode: str | None = None
    namespace: tuple[str, ...] | None = None
    part: Any = None

    @property
    def yielded(self) -> Any:
        """The chunk as ``astream()`` yields it to who asks for what the route has asked for."""
        if self.part is not None:
            return self.part
        labels = [label for label in (self.namespace, self.mode) if label is not None]
        return (*labels, self.data) if labels else self.data

    event: ClassVar[str] = "on_chain_stream"


@dataclass(frozen=True, slots=True)
class LangChainEvent:
    """An event of ``astream_events``, version 2.

    https://reference.langchain.com/python/langchain-core/runnables/schema
    """

    step: Step
    event: str
    data: Mapping[str, Any]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    parent_ids: Sequence[str] = ()


Said = (
    BlockStarted | TextDelta | ReasoningDelta | FileMade | BlockFinished | TextDiscarded
)  # if `Sink.accepts`

Told = (
    NodeStarted
    | NodeFinished
    | ModelStarted
    | ModelFinished
    | ToolCallStarted
    | ToolCallDelta
    | ToolCalled
    | ToolCallResumed
    | ToolFinished
    | ToolFailed
    | SourceFound
    | Custom
)  # if `Sink.admits`

Event = RunStarted | Said | Told | OutputChunk | LangChainEvent | RunFinished | RunError
"""Every event. The last of a run is a `RunFinished` or a `RunError`."""

NARRATED = frozenset(get_args(Said) + get_args(Told))
"""All that is told of a run but its raw chunks and events."""
