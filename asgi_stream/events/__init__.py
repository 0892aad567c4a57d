"""The events of a run: a closed set of classes that every format matches on.

The names follow LangChain's stream protocol (package ``langchain-protocol``). Filters match an
event's ``step`` and its ``event``, the name of the corresponding event of ``astream_events``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, get_args

from .ends import BREAKPOINT, Approval, Interrupt, RunError, RunFinished
from .models import (
    BlockFinished,
    BlockKind,
    BlockStarted,
    FileMade,
    MessageStarted,
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
    "ALL_EVENTS",
    "BREAKPOINT",
    "AnswerEvent",
    "Approval",
    "BlockFinished",
    "BlockKind",
    "BlockStarted",
    "Custom",
    "Event",
    "FileMade",
    "Interrupt",
    "LangChainEvent",
    "MessageStarted",
    "ModelFinished",
    "ModelStarted",
    "NodeFinished",
    "NodeStarted",
    "OutputChunk",
    "ReasoningDelta",
    "RunError",
    "RunFinished",
    "RunStarted",
    "SourceFound",
    "Step",
    "StepEvent",
    "TextDelta",
    "TextDiscarded",
    "ThreadSnapshot",
    "ToolCallDelta",
    "ToolCallResumed",
    "ToolCallStarted",
    "ToolCalled",
    "ToolFailed",
    "ToolFinished",
]


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The first event of a run.

    Attributes:
        run_id: The run's id.
    """

    run_id: str


@dataclass(frozen=True, slots=True)
class NodeStarted:
    """A graph's node started."""

    step: Step
    event: ClassVar[str] = "on_chain_start"


@dataclass(frozen=True, slots=True)
class NodeFinished:
    """A graph's node ended, successfully or not."""

    step: Step
    event: ClassVar[str] = "on_chain_end"


@dataclass(frozen=True, slots=True)
class SourceFound:
    """A source of the answer: a retrieved document or a citation.

    Attributes:
        step: The retriever, or the model that cites.
        source_id: The source's id, unique in the run.
        title: The source's title, never empty.
        url: The source's URL, if it is on the web.
        media_type: The document's media type, ``text/plain`` if unknown.
    """

    step: Step
    source_id: str
    title: str
    url: str | None = None
    media_type: str = "text/plain"
    event: ClassVar[str] = "on_retriever_end"


@dataclass(frozen=True, slots=True)
class Custom:
    """An event that the Runnable's own code dispatched.

    Attributes:
        step: Where it was dispatched.
        name: The name passed to ``adispatch_custom_event``; ``custom`` for data written to
            LangGraph's stream writer.
        data: Any value.
    """

    step: Step
    name: str
    data: Any
    event: ClassVar[str] = "on_custom_event"


@dataclass(frozen=True, slots=True)
class OutputChunk:
    """A chunk that the Runnable's ``astream()`` yielded.

    Attributes:
        step: The run itself.
        data: The chunk.
        mode: LangGraph's stream mode, if the route requests several.
        namespace: The subgraph that the chunk comes from, if the route requests subgraphs.
        part: The whole chunk with LangGraph's labels, if the route requests its version 2.
    """

    step: Step
    data: Any
    mode: str | None = None
    namespace: tuple[str, ...] | None = None
    part: Any = None

    @property
    def yielded(self) -> Any:
        """Return the chunk as ``astream()`` yields it with the route's own arguments."""
        if self.part is not None:
            return self.part
        labels = [label for label in (self.namespace, self.mode) if label is not None]
        return (*labels, self.data) if labels else self.data

    event: ClassVar[str] = "on_chain_stream"


@dataclass(frozen=True, slots=True)
class LangChainEvent:
    """An event of ``astream_events``, version 2.

    https://reference.langchain.com/python/langchain-core/runnables/schema

    Attributes:
        step: The step that the event is about.
        event: The event's name.
        data: The event's data; that of a custom event is any value.
        metadata: The step's metadata, without what is not for the client.
        parent_ids: Run ids of the enclosing steps, outermost first.
    """

    step: Step
    event: str
    data: Any
    metadata: Mapping[str, Any] = field(default_factory=dict)
    parent_ids: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ThreadSnapshot:
    """What a thread has: when a run on it starts, with what the request adds, and at the run's end.

    Attributes:
        messages: Its messages, in the form of `formats.RunSpec.messages`, where files have a
            ``url``; None if the graph's output has none.
        state: The other fields of the graph's output.
    """

    messages: Sequence[Mapping[str, Any]] | None
    state: Mapping[str, Any]


AnswerEvent = BlockStarted | TextDelta | ReasoningDelta | FileMade | BlockFinished | TextDiscarded
"""A part of the answer, from a step that `Sink.accepts`."""

StepEvent = (
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
)
"""What happened in a step of the run, if `Sink.admits` it."""

ThreadEvent = MessageStarted | ThreadSnapshot
"""What a client needs for a thread whose messages it has."""

Event = (
    RunStarted
    | AnswerEvent
    | StepEvent
    | ThreadEvent
    | OutputChunk
    | LangChainEvent
    | RunFinished
    | RunError
)
"""Any event. The last one of a run is a `RunFinished` or a `RunError`."""

ALL_EVENTS = frozenset(get_args(AnswerEvent) + get_args(StepEvent))
"""All classes of events of the answer and the steps, without raw chunks and LangChain's events."""
