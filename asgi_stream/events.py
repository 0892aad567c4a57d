"""What happens in a run, in the words that cross every seam.

The set is closed: a format is a ``match`` over these classes, a filter and a source know no
others. Their names follow LangChain's own stream protocol (package ``langchain-protocol``). What a
filter goes by is the step of an event and its `event`, the word of ``astream_events`` for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, get_args

from .ends import BREAKPOINT as BREAKPOINT
from .ends import Interrupt as Interrupt
from .ends import RunError as RunError
from .ends import RunFinished as RunFinished
from .steps import Step as Step


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
class ModelStarted:
    """A model is called."""

    step: Step
    event: ClassVar[str] = "on_chat_model_start"


@dataclass(frozen=True, slots=True)
class ModelFinished:
    """A model's call has ended, well or not.

    Attributes:
        reason: ``stop``, ``length``, ``tool_calls``, ``content_filter``, ``error`` or ``other``.
        usage: LangChain's ``UsageMetadata``: ``input_tokens``, ``output_tokens``,
            ``total_tokens``, ``input_token_details``, ``output_token_details``. Empty if unknown.
        model: The name that its provider gives the model, if known.
        provider: The provider's name, if known.
    """

    step: Step
    reason: str
    usage: Mapping[str, Any] = field(default_factory=dict)
    model: str | None = None
    provider: str | None = None
    event: ClassVar[str] = "on_chat_model_end"


BlockKind = Literal["text", "reasoning"]


@dataclass(frozen=True, slots=True)
class BlockStarted:
    """A piece of text or of reasoning begins: the deltas up to its end have its id.

    Attributes:
        step: The model, or the run itself.
        block: The block's id. The first text of a model's call has the id of the call's step.
    """

    step: Step
    block: str
    kind: BlockKind


@dataclass(frozen=True, slots=True)
class BlockFinished:
    """The end of a block. Each that was started is ended before the run finishes."""

    step: Step
    block: str
    kind: BlockKind


@dataclass(slots=True)  # freezing it would double what it costs to make one for each token
class TextDelta:
    """A piece of the answer's text, never empty.

    It is what the run's models say. While none has spoken it is the text that the run itself
    yields, and if nobody has said anything, its output: as text, or as JSON. What a tool answers
    directly, at the end of a graph's run, is text for those who are not told of `ToolFinished`.
    """

    step: Step
    text: str
    block: str = ""


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """A piece of a model's reasoning, never empty."""

    step: Step
    text: str
    block: str


@dataclass(frozen=True, slots=True)
class TextDiscarded:
    """What a model has said is no part of the answer, and the run may go on.

    Its call has failed, or else a step that it was called in: its node, or a chain with a parser
    behind it. A stream has shown it already; an answer in one piece leaves it out, and its
    reasoning and tool calls too.
    """

    step: Step


@dataclass(frozen=True, slots=True)
class ToolCallStarted:
    """A model begins to call a tool.

    Of each call there is one of these, then deltas if its arguments grow, then one `ToolCalled`;
    and after that, if the tool is run here, its `ToolFinished` or `ToolFailed`.

    Attributes:
        step: The tool to be: type ``tool``, with the tags and the node of the model.
        message: The id of the step of the model that calls; ``""`` if code calls the tool.
        hosted: Whether the model's provider runs the tool.
    """

    step: Step
    call_id: str
    name: str
    message: str = ""
    hosted: bool = False
    event: ClassVar[str] = "on_tool_start"


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of a call's arguments, which are JSON when they are all there."""

    step: Step
    call_id: str
    text: str
    event: ClassVar[str] = "on_tool_start"


@dataclass(frozen=True, slots=True)
class ToolCalled:
    """A call whose arguments are all there.

    Attributes:
        arguments: The arguments by name; the text as it is, if that is not JSON.
        valid: Whether they are JSON.
    """

    step: Step
    call_id: str
    name: str
    arguments: Any
    valid: bool = True
    event: ClassVar[str] = "on_tool_start"


@dataclass(frozen=True, slots=True)
class ToolCallResumed:
    """A call of the thread's history, which the client has been told of, is about to be answered.

    Of such a call there is nothing else but this and then its `ToolFinished` or `ToolFailed`.
    """

    step: Step
    call_id: str
    name: str
    arguments: Any
    event: ClassVar[str] = "on_tool_start"


@dataclass(frozen=True, slots=True)
class ToolFinished:
    """A tool that the run has run itself has answered."""

    step: Step
    call_id: str
    name: str
    output: Any
    event: ClassVar[str] = "on_tool_end"


@dataclass(frozen=True, slots=True)
class ToolFailed:
    """A tool that the run has run itself has failed; the run may go on.

    The `message` is safe to show to anyone.
    """

    step: Step
    call_id: str
    name: str
    message: str
    event: ClassVar[str] = "on_tool_error"


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
class FileMade:
    """An image, audio or another file that a model has made.

    Attributes:
        url: Where it is; a ``data:`` URL if it is here.
    """

    step: Step
    media_type: str
    url: str


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
)  # if `Sink.hears`

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
