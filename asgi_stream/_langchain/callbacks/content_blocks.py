"""Turns the content of model messages into events: blocks of text and reasoning, files, calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import BaseMessage

from ...events import (
    BlockFinished,
    BlockKind,
    BlockStarted,
    Event,
    FileMade,
    ReasoningDelta,
    Step,
    TextDelta,
)
from ..messages import MEDIA, refusal_of, url_of
from .answer import Answer
from .sources import Sources
from .tool_calls import ToolCalls


@dataclass(slots=True)
class Author:
    """A model that is running, a node that returned a message, or the run itself.

    Attributes:
        step: The author's step.
        accepted: Whether its text is for the client.
        is_model: Whether it is not the run itself.
        streamed: Whether it has streamed anything.
        block: The id of the open block.
        kind: The open block's kind, None if no block is open.
        index: The model's own index of the open block.
        counts: The number of blocks of each kind so far.
    """

    step: Step
    accepted: bool = True
    is_model: bool = True
    streamed: bool = False
    block: str = ""
    kind: BlockKind | None = None
    index: Any = None
    counts: dict[BlockKind, int] = field(default_factory=dict)


class ContentBlocks:
    """Emits the content of messages, in blocks of which each author has one open at a time.

    Args:
        answer: Notes that a model's text is part of the answer.
        calls: Takes the tool calls.
        sources: Takes the citations.
        emit: Takes the events, from any thread.
    """

    def __init__(
        self, answer: Answer, calls: ToolCalls, sources: Sources, emit: Callable[[Event], None]
    ) -> None:
        self._answer = answer
        self._calls = calls
        self._sources = sources
        self._emit = emit

    def text(self, author: Author, text: str, index: Any = None) -> Event | None:
        """Return the event for a piece of text, after opening a block for it if necessary.

        Args:
            author: Who produced it.
            text: The text, perhaps empty.
            index: The model's own index of the block, if it has one.
        """
        if not text or not author.accepted:
            return None
        if author.kind != "text" or (index is not None and author.index != index):
            self._open(author, "text", index)
        return TextDelta(author.step, text, author.block)

    def add(self, author: Author, message: BaseMessage) -> None:
        """Emit the content of a message, or of a chunk of one."""
        chunks: list[Any] = list(getattr(message, "tool_call_chunks", ()))
        for block in message.content_blocks:
            self._add_block(author, block)
            if block["type"] == "tool_call_chunk":
                chunks = []
        for chunk in chunks:
            self.close(author)
            self._calls.add_chunk(author.step, chunk)

    def add_whole(self, author: Author, output: Any) -> None:
        """Emit what an author produced in one piece: a message or text."""
        if isinstance(output, BaseMessage):
            self.add(author, output)
        elif event := self.text(author, output or ""):
            self._emit(event)

    def close(self, author: Author) -> None:
        """End the open block, if there is one."""
        if author.kind is not None:
            self._emit(BlockFinished(author.step, author.block, author.kind))
            author.kind = None

    def _add_block(self, author: Author, block: Any) -> None:
        match block["type"]:
            case "text":
                if event := self.text(author, block.get("text") or "", block.get("index")):
                    self._emit(event)
                self._add_citations(author, block)
            case "reasoning":
                self._add_reasoning(author, block.get("reasoning") or "", block.get("index"))
            case "non_standard" if block["value"].get("type") == "thinking":
                # Anthropic's own format, from a model that does not name its provider.
                thinking = block["value"]
                self._add_reasoning(author, thinking.get("thinking") or "", thinking.get("index"))
            case "refusal" | "non_standard":
                # As text, for most clients show nothing else.
                if event := self.text(author, refusal_of(block), block.get("index")):
                    self._emit(event)
            case "tool_call_chunk" | "server_tool_call_chunk":
                self.close(author)
                self._calls.add_chunk(author.step, block)
            case "server_tool_call":
                self.close(author)
                self._calls.add(author.step, block)
            case "server_tool_result":
                self._calls.add_hosted_result(author.step, block)
            case type_ if type_ in MEDIA and author.accepted and (url := url_of(block)):
                self._answer.has_model_text = True
                self._emit(FileMade(author.step, block.get("mime_type") or MEDIA[type_], url))

    def _add_citations(self, author: Author, block: Any) -> None:
        for note in block.get("annotations") or () if author.accepted else ():
            if note["type"] == "citation":
                self._sources.add(author.step, note.get("title"), str(note.get("url") or ""))

    def _add_reasoning(self, author: Author, text: str, index: Any) -> None:
        if not text or not author.accepted:
            return
        if author.kind != "reasoning" or (index is not None and author.index != index):
            self._open(author, "reasoning", index)
        self._emit(ReasoningDelta(author.step, text, author.block))

    def _open(self, author: Author, kind: BlockKind, index: Any) -> None:
        self.close(author)
        if author.is_model and kind == "text":
            self._answer.has_model_text = True
        number = author.counts[kind] = author.counts.get(kind, 0) + 1
        author.kind, author.index, author.block = kind, index, author.step.run_id
        if kind == "reasoning" or number > 1:
            author.block += f"-{kind}-{number}"
        self._emit(BlockStarted(author.step, author.block, kind))
