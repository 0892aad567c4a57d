"""The answer of a run: that part of its text which the client gets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from ...events import Step, TextDiscarded, ToolFinished
from ...serialize import to_json
from ..graph_fields import PrivateFields
from ..messages import (
    NOT_STREAMED,
    ToolMessageError,
    stands_for,
    text_of,
    text_of_chunk,
    text_of_content,
)
from .earlier_answers import EarlierAnswers
from .graph_messages import handed_up, last_answers, messages_by_field, messages_in
from .sent import SentMessage, take_repeated, without_repeated
from .sink import Sink


class Answer:
    """Decides which text of a run is part of its answer, so that each piece occurs once.

    The answer is what the run's models produce, and the messages that the code of a graph's nodes
    returns. Until there is any, text that the run yields counts, and at the end its output, but no
    message that existed before the run. What a step has contributed is discarded if the step fails,
    or an enclosing one does.

    Args:
        sink: Says which steps may contribute.
        private: Says which fields of graphs are private: messages in them are no answer.
        revises: Whether the answer is sent in one piece, so that its text may still change.

    Attributes:
        has_model_text: Whether text of a model is part of the answer.
        has_run_text: Whether text that the run itself yielded is.
    """

    def __init__(self, sink: Sink, private: PrivateFields, *, revises: bool = False) -> None:
        self._sink = sink
        self._revises = revises
        self._private = private
        self._earlier = EarlierAnswers(private)
        self.has_model_text = False
        self.has_run_text = False
        self._contributors: set[str] = set()
        """Run ids of models, and ids of nodes' messages, whose text is part of the answer."""
        self._parents: dict[UUID, UUID | None] = {}
        """The enclosing step of each open step."""
        self._authors: dict[UUID | None, list[Step]] = {}
        """For each open step, the models and messages in it that have ended successfully."""
        self._sent: dict[str, SentMessage] = {}
        """What the client has of the authors' messages, by the authors' run ids."""
        self._latest: dict[str | None, str] = {}
        """The texts of messages that were known when a node returned them, by the messages' ids."""
        self._known_messages: set[str | None] = set()
        """Ids of messages that existed before the run, or that its models have produced."""
        self._withheld: set[str] = set()
        """Ids of messages that only private fields have so far."""
        self._answered_calls: set[str] = set()
        """Ids of the tool calls that the run's nodes have answered."""

    def accepts(self, step: Step) -> bool:
        """Return whether the text of a step is for the client."""
        return NOT_STREAMED.isdisjoint(step.tags) and self._sink.accepts(step)

    # Text of the run itself.

    def chunk_text(self, step: Step, chunk: Any) -> str:
        """Return the text of a chunk that the run yielded, while no model has produced any.

        So a plain Runnable has an answer too, and a chain that repeats its model's chunks does not
        duplicate them.
        """
        if self.has_model_text:
            return ""
        text = text_of_chunk(chunk)
        if not text or self._earlier.has(chunk) or not self._sink.accepts(step):
            return ""
        self.has_run_text = True
        return text

    def final_text(self, step: Step, output: Any) -> str:
        """Return the text that the run's output adds: a tool's answer, or all if there is none."""
        direct = self._direct_answer(step, output)
        missing = not (self.has_model_text or self.has_run_text)
        self.has_run_text = True
        if direct or not missing or self._earlier.has(stands_for(output)):
            return direct
        output_text = text_of(output)
        return to_json(output).decode() if output_text is None else output_text

    def _direct_answer(self, step: Step, output: Any) -> str:
        """Return what a tool answered to the client instead of its model, at the end of a graph.

        A client that gets tool results has it already.
        """
        if ToolFinished in self._sink.wants or not self._sink.accepts(step):
            return ""
        messages = last_answers(output)
        new = (each for each in messages if each.tool_call_id in self._answered_calls)
        return "\n".join(map(self._tool_text, new))

    def _tool_text(self, message: ToolMessage) -> str:
        text = text_of_content(message.content)
        if message.status == "error":
            return self._sink.public_message(ToolMessageError(text))
        return text

    # Messages that no model of the run has streamed.

    def knows(self, message: BaseMessage) -> bool:
        """Return whether a message existed before, or comes from one of the run's models."""
        return message.id is not None and message.id in self._known_messages

    def note(self, output: Any) -> None:
        """Remember a message: one that existed before, or the output of one of the run's models."""
        self._known_messages.add(getattr(output, "id", None))

    def note_history(self, message: BaseMessage) -> bool:
        """Remember a message from before the run; return whether it was unknown."""
        self._earlier.add(message)
        return self._note_unknown(message)

    def taken(self, node: Step, inputs: Any) -> Iterator[BaseMessage]:
        """Remember the messages that a node takes; yield those that are from before the run."""
        self._earlier.taken(node, inputs)
        return filter(self._note_unknown, [*messages_in(inputs)])

    def _note_unknown(self, message: BaseMessage) -> bool:
        if message.id is not None and (
            message.id in self._known_messages or message.id in self._withheld
        ):
            return False
        self.note(message)
        return True

    def returned(self, run_id: UUID, node: Step, output: Any) -> list[BaseMessage]:
        """Return what is new of the messages that a node returns, and may be known."""
        return self._new(run_id, node.nodes[:-1], output)

    def handed_up(self, run_id: UUID, node: Step, error: BaseException) -> list[BaseMessage]:
        """Return what `returned` does of the messages that a node passes to its parent graph."""
        return self._new(run_id, node.nodes[:-2], handed_up(error))

    def _new(self, run_id: UUID, graph: list[str], output: Any) -> list[BaseMessage]:
        self._earlier.close()
        for field, message in messages_by_field(output) if self._revises else ():
            if self.knows(message) and not self._stays_private(graph, field, message):
                self._latest[message.id] = text_of_chunk(message)
        returned = [each for each in messages_by_field(output) if not self.knows(each[1])]
        if not any(isinstance(message, AIMessage) for _, message in returned):
            return [message for _, message in returned]
        ids = {message.id for _, message in messages_by_field(output)}
        authors = self._authors.get(run_id, ())
        sent = [self._sent[author.run_id] for author in authors if author.run_id in self._sent]
        sent = [each for each in sent if each.message_id not in ids]
        new: list[BaseMessage] = []
        for field, message in returned:
            part: BaseMessage | None = message
            if isinstance(message, AIMessage):
                message.id = message.id or str(uuid4())  # as LangGraph does when it takes it
                if repeated := take_repeated(message, sent):
                    part = without_repeated(message, repeated)
                    author = repeated.author.run_id
                    self._sent[author] = replace(repeated, message_id=message.id)
            if part is None:
                self.note(message)
            elif self._stays_private(graph, field, part):
                self._withheld.add(str(part.id))
            else:
                new.append(part)
        return new

    def _stays_private(self, graph: list[str], field: str | None, message: BaseMessage) -> bool:
        if field is None or not isinstance(message, AIMessage):
            return False
        return self._private.has(graph, field)

    def author_of(self, node: Step, message: BaseMessage) -> Step | None:
        """Return the author of a message that a node returned; None if it is no new answer.

        A model's message is known from its stream; one that the node's code made is new.
        LangGraph's own message stream has those of the second kind too.
        """
        if isinstance(message, ToolMessage):
            self._answered_calls.add(message.tool_call_id)
        if not isinstance(message, AIMessage) or self.knows(message):
            return None
        self.note(message)
        self._withheld.discard(str(message.id))
        return replace(node, run_id=str(message.id), type="chat_model")

    def revised(self) -> Iterator[TextDiscarded]:
        """Yield what later steps have made of texts, replacing messages under their ids."""
        for sent in self._sent.values():
            text = self._latest.get(sent.message_id, sent.text)
            if sent.text and text.strip() != sent.text:
                yield TextDiscarded(sent.author, text)

    # Who has contributed, in case a step fails.

    def step_started(self, run_id: UUID, parent_id: UUID | None) -> None:
        self._parents[run_id] = parent_id

    def contributed(self, run_id: UUID, author: Step, sent: SentMessage | None = None) -> None:
        """Note that `author` has produced all its output, in a step that is open.

        Args:
            run_id: The step's run id.
            author: A model, or the message of a node.
            sent: What the client has of it, unless it has failed.
        """
        self._authors.setdefault(run_id, []).append(author)
        if sent is not None:
            self._sent[author.run_id] = sent
        if self.has_model_text:
            self._contributors.add(author.run_id)

    def step_ended(self, run_id: UUID) -> None:
        """Note that a step has not failed; the one around it still may."""
        parent = self._parents.pop(run_id, None)
        if authors := self._authors.pop(run_id, None):
            self._authors.setdefault(parent, []).extend(authors)

    def step_failed(self, run_id: UUID, *, streaming: bool) -> list[Step]:
        """Return the authors whose output in a step is to be discarded: it may be tried again.

        Args:
            run_id: The step's run id.
            streaming: Whether a model that is still running has produced output.
        """
        self._parents.pop(run_id, None)
        authors = self._authors.pop(run_id, [])
        if authors:
            self._contributors.difference_update(author.run_id for author in authors)
            self.has_model_text = bool(self._contributors) or streaming
        return authors
