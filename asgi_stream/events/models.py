"""What a run's models say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from .steps import Step


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
class FileMade:
    """An image, audio or another file that a model has made.

    Attributes:
        url: Where it is; a ``data:`` URL if it is here.
    """

    step: Step
    media_type: str
    url: str
