"""The handler for formats that show everything a person may want to see of a run."""

from __future__ import annotations

from collections import Counter
from typing import Any
from uuid import UUID, uuid4

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from ...events import (
    Custom,
    Event,
    MessageStarted,
    ModelFinished,
    ModelStarted,
    NodeFinished,
    NodeStarted,
    Step,
    TextDiscarded,
)
from ..messages import MODELS, model_finished
from .answer import Answer
from .content_blocks import Author, ContentBlocks
from .emitter import Emitter
from .graph_messages import calls_in, is_no_failure, messages_in, resumes
from .sent import sent_of
from .sink import Sink
from .sources import Sources
from .tool_calls import ToolCalls


class EventHandler:
    """Emits blocks of text and reasoning, tool calls and results, sources, files, nodes and usage.

    Args:
        answer: Decides which text is part of the answer.
        emitter: Emits events from threads.
        sink: Takes events on the event loop.
        input: The run's input.
        client_tools: The names of the tools that the client runs.
    """

    takes_custom = True

    def __init__(
        self,
        answer: Answer,
        emitter: Emitter,
        sink: Sink,
        input: Any = None,
        client_tools: frozenset[str] = frozenset(),
    ) -> None:
        self._answer = answer
        self._emit = emit = emitter.emit
        self._put = sink.put
        self._names_messages = MessageStarted in sink.wants
        self._calls = ToolCalls(sink, emit, client_tools)
        self._sources = Sources(emit)
        self._content = ContentBlocks(answer, self._calls, self._sources, emit)
        self._text = self._content.text
        self._models: dict[UUID, Author] = {}
        self._nodes: dict[UUID, Step] = {}
        self._run: Author | None = None
        """The author of text that the run itself yields."""
        self._resumed = False
        for message in messages_in(input):
            self._add_history(message)

    def remember(self, message: BaseMessage) -> None:
        if self._answer.note_history(message):
            self._add_history(message)

    # Steps.

    def started(
        self, run_id: UUID, step: Step, parent_id: UUID | None, inputs: Any, call_id: str | None
    ) -> None:
        self._answer.step_started(run_id, parent_id)
        if step.type in MODELS:
            self._models[run_id] = Author(step, accepted=self._answer.accepts(step))
            self._emit(ModelStarted(step))
        elif step.type == "tool":
            self._calls.tool_started(step, call_id, inputs)
        else:
            self._resumed = self._resumed or resumes(inputs, in_node=step.node is not None)
            self._calls.chain_started(run_id, step, parent_id)
            if step.is_node:
                self._node_started(run_id, step, inputs)

    def structured(self, step: Step) -> None:
        self._calls.hide(step)

    def delta(self, run_id: UUID, token: Any, chunk: Any) -> Event | None:
        model = self._models.get(run_id)
        if model is None:
            return None
        message = getattr(chunk, "message", None)
        if not model.streamed:
            model.streamed = True
            self._message_started(model.step, message)
        if message is None:
            return self._text(model, token)
        content = message.content
        if (
            type(content) is str
            and not message.additional_kwargs
            and not getattr(message, "tool_call_chunks", None)
        ):
            return self._text(model, content)
        self._content.add(model, message)
        return None

    def ended(self, run_id: UUID, step: Step, output: Any) -> None:
        if step.type in MODELS:
            self._model_ended(run_id, step, output)
            return
        if step.is_node:
            self._node_returned(run_id, step, self._answer.returned(run_id, step, output))
        self._answer.step_ended(run_id)
        if step.type == "tool":
            self._calls.tool_ended(step, output)
        elif step.type == "retriever":
            self._sources.add_documents(step, output)
        else:
            self._calls.chain_ended(run_id, output)
            if self._nodes.pop(run_id, None):
                self._emit(NodeFinished(step))

    def failed(self, run_id: UUID, step: Step, error: BaseException) -> None:
        model = self._models.pop(run_id, None)
        if model is not None:
            self._finish(model)  # so that nothing of what is discarded comes after it
        if step.is_node:
            self._node_returned(run_id, step, self._answer.handed_up(run_id, step, error))
        if model is not None and model.streamed:
            self._answer.contributed(run_id, step)
        if model is None and is_no_failure(error):
            self._answer.step_ended(run_id)
        else:
            streaming = any(each.streamed for each in tuple(self._models.values()))
            for author in self._answer.step_failed(run_id, streaming=streaming):
                self._emit(TextDiscarded(author))
        if model is not None:
            self._emit(ModelFinished(step, "error"))
        elif step.type == "tool":
            self._calls.tool_ended(step, error)
        elif self._nodes.pop(run_id, None):
            self._emit(NodeFinished(step))

    def pushed(self, run_id: UUID, step: Step, message: BaseMessage) -> None:
        if not self._answer.knows(message):
            self._node_returned(run_id, step, [message])

    def custom(self, step: Step, name: str, data: Any) -> None:
        self._emit(Custom(step, name, data))

    # The run.

    def yielded(self, step: Step, chunk: Any) -> bool:
        text = self._answer.chunk_text(step, chunk)
        if text:
            self._put_text(step, text)
        return text != ""

    def concluded(self, step: Step, output: Any) -> None:
        if text := self._answer.final_text(step, output):
            self._put_text(step, text)
        for model in tuple(self._models.values()):
            self._finish(model)
        self._calls.conclude()
        if self._run is not None:
            self._content.close(self._run)
        for node in tuple(self._nodes.values()):
            self._emit(NodeFinished(node))

    def abandoned(self) -> None:
        for model in tuple(self._models.values()):
            self._calls.finish(model.step, ())
        self._calls.conclude()

    def _put_text(self, step: Step, text: str) -> None:
        """Put text of the run itself into its block."""
        self._run = self._run or Author(step, is_model=False)
        event: Any = self._text(self._run, text)  # never None, for the text is not empty
        self._put(event)

    # Models.

    def _model_ended(self, run_id: UUID, step: Step, output: Any) -> None:
        model = self._models.pop(run_id)
        self._answer.note(output)
        # The text of a model that streams without callbacks came with the run's chunks.
        if not model.streamed and not self._answer.has_run_text:
            self._message_started(step, output)
            self._content.add_whole(model, output)
        self._answer.contributed(run_id, step, sent_of(step, output, accepted=model.accepted))
        self._answer.step_ended(run_id)
        self._finish(model, output)
        self._emit(model_finished(step, output))

    def _message_started(self, model: Step, message: Any) -> None:
        message_id = getattr(message, "id", None)
        if message_id is not None and self._names_messages:
            self._emit(MessageStarted(model, message_id))

    def _finish(self, model: Author, output: Any = None) -> None:
        """End a model's last block, and complete its calls."""
        self._content.close(model)
        self._calls.finish(model.step, getattr(output, "tool_calls", ()))

    # Nodes.

    def _node_started(self, run_id: UUID, step: Step, inputs: Any) -> None:
        self._nodes[run_id] = step
        self._emit(NodeStarted(step))
        for message in self._answer.taken(step, inputs):
            self._add_history(message)
        if self._resumed:
            for call in calls_in(inputs):
                self._calls.add_history(call)

    def _add_history(self, message: BaseMessage) -> None:
        if isinstance(message, AIMessage):
            for call in message.tool_calls:
                self._calls.add_history(call)
        elif isinstance(message, ToolMessage):
            self._calls.answer_history(message.tool_call_id)

    def _node_returned(self, run_id: UUID, node: Step, messages: list[BaseMessage]) -> None:
        """Emit the answers to calls that a node returned, and the text that its code made."""
        following = Counter(each.tool_call_id for each in messages if isinstance(each, ToolMessage))
        for message in messages:
            if isinstance(message, ToolMessage):
                message.id = message.id or str(uuid4())  # as LangGraph does when it takes it
                self._answer.note(message)
                following[message.tool_call_id] -= 1
                self._calls.message(node, message, following[message.tool_call_id])
            step = self._answer.author_of(node, message)
            if step is not None:
                author = Author(step, accepted=self._answer.accepts(step))
                self._content.add_whole(author, message)
                self._finish(author, message)
                sent = sent_of(step, message, accepted=author.accepted)
                self._answer.contributed(run_id, step, sent)
