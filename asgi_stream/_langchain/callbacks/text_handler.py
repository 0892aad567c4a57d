"""The handler for formats that take nothing but the answer's text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from langchain_core.messages import BaseMessage

from ...events import Event, Step, TextDelta, TextDiscarded
from ..messages import MODELS, text_of, text_of_content
from .answer import Answer
from .emitter import Emitter
from .graph_messages import is_no_failure
from .sent import sent_of
from .sink import Sink


@dataclass(slots=True)
class _Model:
    """A running model whose text is part of the answer.

    Attributes:
        step: The model.
        streamed: Whether it has streamed anything.
    """

    step: Step
    streamed: bool = False


class TextHandler:
    """Emits the text of the run's answer as `TextDelta` events.

    Args:
        answer: Decides which text is part of the answer.
        emitter: Emits events from threads.
        sink: Takes events on the event loop.
    """

    takes_custom = False

    def __init__(self, answer: Answer, emitter: Emitter, sink: Sink) -> None:
        self._answer = answer
        self._emit = emitter.emit
        self._put = sink.put
        self._models: dict[UUID, _Model] = {}

    def remember(self, message: BaseMessage) -> None:
        self._answer.note_history(message)

    def started(
        self, run_id: UUID, step: Step, parent_id: UUID | None, inputs: Any, call_id: str | None
    ) -> None:
        self._answer.step_started(run_id, parent_id)
        if step.type in MODELS:
            if self._answer.accepts(step):
                self._models[run_id] = _Model(step)
        elif step.is_node and step.type != "tool":
            for _ in self._answer.taken(step, inputs):
                pass

    def structured(self, step: Step) -> None:
        """Ignore the calls, which are not text."""

    def delta(self, run_id: UUID, token: Any, chunk: Any) -> Event | None:
        model = self._models.get(run_id)
        if model is None:
            return None
        model.streamed = True
        message = getattr(chunk, "message", None)
        content = token if message is None else message.content
        text = content if isinstance(content, str) else text_of_content(content)
        if not text:
            return None
        self._answer.has_model_text = True
        return TextDelta(model.step, text)

    def ended(self, run_id: UUID, step: Step, output: Any) -> None:
        if step.type in MODELS:
            self._answer.note(output)
        elif step.is_node:
            self._node_returned(run_id, step, self._answer.returned(run_id, step, output))
        model = self._models.pop(run_id, None)
        if model is not None:
            # The text of a model that streams without callbacks came with the run's chunks.
            if not model.streamed and not self._answer.has_run_text:
                self._emit_whole(step, output)
            self._answer.contributed(run_id, step, sent_of(step, output, accepted=True))
        self._answer.step_ended(run_id)

    def failed(self, run_id: UUID, step: Step, error: BaseException) -> None:
        model = self._models.pop(run_id, None)
        if step.is_node:
            self._node_returned(run_id, step, self._answer.handed_up(run_id, step, error))
        if model is not None and model.streamed:
            self._answer.contributed(run_id, step)
        if model is None and is_no_failure(error):
            self._answer.step_ended(run_id)
            return
        streaming = any(each.streamed for each in tuple(self._models.values()))
        for author in self._answer.step_failed(run_id, streaming=streaming):
            self._emit(TextDiscarded(author))

    def pushed(self, run_id: UUID, step: Step, message: BaseMessage) -> None:
        if not self._answer.knows(message):
            self._node_returned(run_id, step, [message])

    def custom(self, step: Step, name: str, data: Any) -> None:
        """Ignore the data, which is not part of the answer."""

    def yielded(self, step: Step, chunk: Any) -> bool:
        text = self._answer.chunk_text(step, chunk)
        if text:
            self._put(TextDelta(step, text))
        return text != ""

    def concluded(self, step: Step, output: Any) -> None:
        if text := self._answer.final_text(step, output):
            self._put(TextDelta(step, text))

    def abandoned(self) -> None:
        """Do nothing: text deltas have no end that is missing."""

    def _node_returned(self, run_id: UUID, step: Step, messages: list[BaseMessage]) -> None:
        for message in messages:
            author = self._answer.author_of(step, message)
            if author is not None and self._answer.accepts(author):
                self._emit_whole(author, message)
                sent = sent_of(author, message, accepted=True)
                self._answer.contributed(run_id, author, sent)

    def _emit_whole(self, step: Step, output: Any) -> None:
        """Emit the text of a model, or of a node's message, that was not streamed."""
        if text := text_of(output):
            self._answer.has_model_text = True
            self._emit(TextDelta(step, text))
