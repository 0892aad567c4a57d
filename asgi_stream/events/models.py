"""Events of a run's models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from .steps import Step


@dataclass(frozen=True, slots=True)
class ModelStarted:
    """A model call started."""

    step: Step
    event: ClassVar[str] = "on_chat_model_start"


@dataclass(frozen=True, slots=True)
class MessageStarted:
    """A model produced the first piece of its message.

    Attributes:
        step: The model.
        message_id: The id that the message will have in the state of the graph.
    """

    step: Step
    message_id: str


@dataclass(frozen=True, slots=True)
class ModelFinished:
    """A model call ended, successfully or not.

    Attributes:
        step: The model.
        reason: ``stop``, ``length``, ``tool_calls``, ``content_filter``, ``error`` or ``other``.
        usage: LangChain's ``UsageMetadata``: ``input_tokens``, ``output_tokens``,
            ``total_tokens``, ``input_token_details``, ``output_token_details``. Empty if unknown.
        model: The provider's name for the model, if known.
        provider: The provider's name, if known.
    """

    step: Step
    reason: str
    usage: Mapping[str, Any] = field(default_factory=dict)
    model: str | None = None
    provider: str | None = None
    event: ClassVar[str] = "on_chat_model_end"


BlockKind = Literal["text", "reasoning"]
"""What a content block holds."""


@dataclass(frozen=True, slots=True)
class BlockStarted:
    """A block of text or reasoning started; its deltas carry its id.

    Attributes:
        step: The model, or the run itself.
        block: The block's id. The first text block of a model call has the step's run id.
        kind: What the block holds.
    """

    step: Step
    block: str
    kind: BlockKind


@dataclass(frozen=True, slots=True)
class BlockFinished:
    """A block ended. Every block that started ends before the run finishes."""

    step: Step
    block: str
    kind: BlockKind


@dataclass(slots=True)  # freezing it would double what it costs to make one for each token
class TextDelta:
    """A piece of the answer's text, never empty.

    The text comes from the run's models. Until a model produces text, text that the run itself
    yields is used instead; if there is none at all, the run's output, as text or as JSON. A tool's
    direct answer at the end of a graph is text for formats that do not take `ToolFinished`.

    Attributes:
        step: The model, or the run itself.
        text: The piece.
        block: The id of its block; ``""`` for formats that do not take `BlockStarted`.
    """

    step: Step
    text: str
    block: str = ""


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """A piece of a model's reasoning, never empty.

    Attributes:
        step: The model.
        text: The piece.
        block: The id of its block.
    """

    step: Step
    text: str
    block: str


@dataclass(frozen=True, slots=True)
class TextDiscarded:
    """The output of a model call no longer belongs to the answer; the run may go on.

    The call failed, or an enclosing step did: the node, or a chain whose parser raised. A stream
    has shown the output already; an answer in one piece omits it, reasoning and tool calls
    included.

    Attributes:
        step: The model.
        revised: The text that a later step of the graph has put in place of the output's text. Only
            that is discarded then. Runs whose answer is sent in one piece end with such events.
    """

    step: Step
    revised: str | None = None


@dataclass(frozen=True, slots=True)
class FileMade:
    """A model produced an image, audio or another file.

    Attributes:
        step: The model.
        media_type: The file's media type.
        url: The file's URL; a ``data:`` URL if its content is inline.
    """

    step: Step
    media_type: str
    url: str
