"""The callback handler that hears what a run's models say, as they say it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from uuid import UUID, uuid4

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from ..events import Event, Step, TextDelta, TextDiscarded, ToolFinished
from ..serialize import to_json
from .messages import (
    NOT_STREAMED,
    ToolMessageError,
    handed_up,
    is_no_failure,
    last_answers,
    messages_in,
    text_of,
    text_of_chunk,
    text_of_content,
)
from .pacing import Pacer
from .sink import Sink
from .tracker import RunTracker

Item = TypeVar("Item")

MODELS = ("chat_model", "llm")


@dataclass(slots=True)
class Speaker:
    """A model whose text is passed on."""

    step: Step
    heard: bool = False


class TextHandler(RunTracker):
    """Emits what the run's models say, each piece once.

    By its two ``tap_`` methods LangChain knows it for a streaming handler (the runtime protocol
    ``langchain_core.tracers._streaming._StreamingCallbackHandler``), so that a model which a node
    calls with ``ainvoke`` streams too.
    """

    def __init__(self, root_id: UUID, sink: Sink, pacer: Pacer) -> None:
        super().__init__(root_id, sink, pacer)
        self._speakers: dict[UUID, Any] = {}
        self._said = False
        self._answered: set[str] = set()
        """The ids of the models, and of the messages of nodes, whose text is the answer so far."""
        self._around: dict[UUID, UUID | None] = {}
        """Of each open step the one that it is a part of."""
        self._said_in: dict[UUID | None, list[Step]] = {}
        """The models, and the messages, of each open step, as far as they have ended well."""
        self._known: set[str | None] = set()
        """The ids of messages that were there before the run, or that it has made."""
        self._results: set[str] = set()
        """The ids of the calls that the run's nodes have answered."""

    def tap_output_aiter(self, run_id: UUID, output: AsyncIterator[Item]) -> AsyncIterator[Item]:
        return output

    def tap_output_iter(self, run_id: UUID, output: Iterator[Item]) -> Iterator[Item]:
        return output

    def yielded(self, step: Step, chunk: Any) -> bool:
        """Take text for the answer while no model has spoken.

        So a plain Runnable has an answer too, and a chain that repeats its model's chunks does not
        double them.
        """
        if self.model_spoke:
            return False
        text = text_of_chunk(chunk)
        if not text or not self._sink.accepts(step):
            return False
        self._say(step, text)
        return True

    def concluded(self, step: Step, output: Any) -> None:
        """Take the output for the answer if there has been none, or if a tool has given it."""
        if direct := self._direct_answer(step, output):
            self._say(step, direct)
        elif not self.model_spoke and not self._said:
            text = text_of(output)
            self._say(step, to_json(output).decode() if text is None else text)

    def _direct_answer(self, step: Step, output: Any) -> str:
        """What a tool has answered to the client and not to its model: the end of a graph's output.

        A client that is told of tools has it with their results.
        """
        if ToolFinished in self._sink.wants or not self._sink.accepts(step):
            return ""
        new = (each for each in last_answers(output) if each.tool_call_id in self._results)
        return "\n".join(map(self._text_of_answer, new))

    def _text_of_answer(self, message: ToolMessage) -> str:
        text = text_of_content(message.content)
        return (
            self._sink.public_message(ToolMessageError(text)) if message.status == "error" else text
        )

    def _say(self, step: Step, text: str) -> None:
        """Say `text` for the run itself."""
        self._said = True
        if text:
            self._sink.put(TextDelta(step, text))

    def _speaker(self, step: Step) -> Any:
        """What is kept of a model while it runs; None if what it says is not for the client."""
        return Speaker(step) if self._hears(step) else None

    def _hears(self, step: Step) -> bool:
        return NOT_STREAMED.isdisjoint(step.tags) and self._sink.accepts(step)

    def _say_message(self, speaker: Any, message: AIMessage) -> None:
        """Say what no model has, but the code of a node."""
        self._say_whole(speaker, message)

    def _say_whole(self, speaker: Any, output: Any) -> None:
        """Say what a model has answered in one piece."""
        if text := text_of(output):
            self.model_spoke = True
            self._emit(TextDelta(speaker.step, text))

    def on_chain_start(self, serialized: Any, inputs: Any, *, run_id: UUID, **kwargs: Any) -> None:
        super().on_chain_start(serialized, inputs, run_id=run_id, **kwargs)
        step = self.steps.get(run_id)
        if step is not None and step.is_node:
            self._node_started(inputs)

    def cached(self, namespace: str, node: str, output: Any) -> None:
        """Tell of it as of a node that has run."""
        if self.refusing:
            return
        graph = self.root_id
        for step_id, step in tuple(self.steps.items()):  # threads start and end steps meanwhile
            if step.type == "chain" and step.namespace == namespace:
                graph = step_id
        about = {
            "langgraph_node": node,
            "langgraph_checkpoint_ns": f"{namespace}|{node}".lstrip("|"),
            "lc_agent_name": self._agents[graph][1],
        }
        told: Any = {"name": node, "tags": ["graph:step:0"], "metadata": about}
        run_id = uuid4()
        self.on_chain_start(None, {}, run_id=run_id, parent_run_id=graph, **told)
        self.on_chain_end(output, run_id=run_id)

    def _node_started(self, inputs: Any) -> None:
        """A node begins with a state, or a part of it."""
        for message in messages_in(inputs):
            self._had(message)

    def _had(self, message: BaseMessage) -> None:
        """A message was there before the node."""
        self._known.add(message.id)

    def _update(self, step: Step, messages: list[BaseMessage]) -> None:
        """A node ends with these messages."""
        for message in messages:
            self._made(step, message)

    def _made(self, step: Step, message: BaseMessage) -> None:
        """A node ends with a message, as a model has streamed it or as the node's code wants it.

        LangGraph's own stream of messages has those of the second kind too.
        """
        if isinstance(message, ToolMessage):
            self._results.add(message.tool_call_id)
        if not isinstance(message, AIMessage):
            return
        if message.id is None:
            message.id = str(uuid4())  # as LangGraph will, when it takes the message
        if message.id not in self._known:
            self._known.add(message.id)
            author = replace(step, run_id=message.id, type="chat_model")
            if speaker := self._speaker(author):
                self._say_message(speaker, message)
                self._keep(UUID(step.run_id), author)

    def _started(
        self, run_id: UUID, type_: str, serialized: dict[str, Any] | None, **about: Any
    ) -> Step:
        step = super()._started(run_id, type_, serialized, **about)
        self._around[run_id] = about.get("parent_run_id")
        if type_ in MODELS and (speaker := self._speaker(step)):
            self._speakers[run_id] = speaker
        return step

    def _heard(self, run_id: UUID, token: Any, chunk: Any) -> Event | None:
        speaker = self._speakers.get(run_id)
        if speaker is None:
            return None
        speaker.heard = True
        message = getattr(chunk, "message", None)
        said = token if message is None else message.content
        text = said if isinstance(said, str) else text_of_content(said)
        if not text:
            return None
        self.model_spoke = True
        return TextDelta(speaker.step, text)

    def _ended(self, run_id: UUID, output: Any) -> None:
        speaker = self._speakers.pop(run_id, None)
        step = self.steps.get(run_id)
        if step is not None and step.type in MODELS:
            self._known.add(getattr(output, "id", None))
        elif step is not None and step.is_node:
            self._update(step, list(messages_in(output)))
        # A model that streams without telling of it has been heard in what the run yields.
        if speaker is not None and not speaker.heard and not self._said:
            self._say_whole(speaker, output)
        if speaker is not None:
            self._keep(run_id, speaker.step)
        self._pass_up(run_id)
        super()._ended(run_id, output)

    def _failed(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        speaker = self._speakers.pop(run_id, None)
        step = self.steps.get(run_id)
        if step is not None and step.is_node:
            self._update(step, list(handed_up(error)))
        if speaker is not None and speaker.heard:
            self._said_in[run_id] = [speaker.step]
        if speaker is None and is_no_failure(error):
            self._pass_up(run_id)
        else:
            self._discard(run_id)
        super()._failed(error, run_id=run_id)

    def _keep(self, run_id: UUID, author: Step) -> None:
        """`author` has said its part in a step."""
        self._said_in.setdefault(run_id, []).append(author)
        if self.model_spoke:
            self._answered.add(author.run_id)

    def _pass_up(self, run_id: UUID) -> None:
        """A step has not failed, but what it is a part of may do so yet."""
        around = self._around.pop(run_id, None)
        if said := self._said_in.pop(run_id, None):
            self._said_in.setdefault(around, []).extend(said)

    def _discard(self, run_id: UUID) -> None:
        """A step has failed: it may be tried again, and says all of it again then."""
        self._around.pop(run_id, None)
        if said := self._said_in.pop(run_id, None):
            for author in said:
                self._emit(TextDiscarded(author))
                self._answered.discard(author.run_id)
            speaking = (other.heard for other in self._speakers.values())
            self.model_spoke = bool(self._answered) or any(speaking)

    on_chain_error = on_llm_error = on_tool_error = on_retriever_error = _failed
