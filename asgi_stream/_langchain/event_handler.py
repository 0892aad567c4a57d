"""The callback handler that tells all of a run that a front end can show, as it happens."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import get_ident
from typing import Any
from urllib.parse import unquote
from uuid import UUID, uuid4

from langchain_core.documents import Document
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.runnables.config import var_child_runnable_config

from ..events import (
    BlockFinished,
    BlockKind,
    BlockStarted,
    Custom,
    Event,
    FileMade,
    ModelFinished,
    ModelStarted,
    NodeFinished,
    NodeStarted,
    ReasoningDelta,
    SourceFound,
    Step,
    TextDelta,
)
from .messages import MEDIA, calls_in, messages_in, model_finished, resumes, url_of
from .text_handler import MODELS, Speaker, TextHandler
from .tool_calls import Calls

WEB = re.compile(r"https?://", re.IGNORECASE)
PATH = re.compile(r"[/\\]|~\w*[/\\]|[a-z]:\S|file:|(?!https?:)[a-z][\w+.-]*://", re.IGNORECASE)
"""How a title begins that is a place on the server; what is relative may be just a title."""


@dataclass(slots=True)
class _Voice(Speaker):
    """A model that is told of, or the run itself.

    Attributes:
        audible: Whether what it says is for the client.
        block: The open block's id.
        kind: The open block's kind, if one is open.
        index: Which of the model's own blocks that is.
        counted: How many blocks of each kind there have been.
    """

    audible: bool = True
    block: str = ""
    kind: BlockKind | None = None
    index: Any = None
    counted: dict[BlockKind, int] = field(default_factory=dict)


class EventHandler(TextHandler):
    """Emits blocks of text and reasoning, tool calls, tools, sources, files, nodes and usage."""

    _itself: _Voice | None = None
    _resumed = False

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._calls = Calls(self._sink, self._emit)
        self._nodes: dict[UUID, Step] = {}
        self._sources: set[tuple[str, str | None]] = set()

    def take(self, given: Any, client_tools: frozenset[str]) -> None:
        """Take note of the run's input, and of the tools whose calls the client is to answer."""
        self._calls.client_tools = client_tools
        for message in messages_in(given):
            self._in_history(message)

    def concluded(self, step: Step, output: Any) -> None:
        super().concluded(step, output)
        for voice in tuple(self._speakers.values()):
            self._finish(voice)
        self._calls.conclude()
        if self._itself is not None:
            self._close_block(self._itself)
        for node in tuple(self._nodes.values()):
            self._emit(NodeFinished(node))

    def abandoned(self) -> None:
        for voice in tuple(self._speakers.values()):
            self._calls.finish(voice.step, ())
        self._calls.conclude()

    def written(self, data: Any) -> None:
        config = var_child_runnable_config.get() or {}
        node = (config.get("metadata") or {}).get("langgraph_node")
        name = self.root.name if self.root else "Unnamed"
        step = Step(str(self.root_id), name, "chain", (), node)
        self._emit(Custom(step, "custom", data))

    @property
    def on_custom_event(self) -> Any:  # as `on_llm_new_token`
        paced = get_ident() == self._thread and self._pacer.due()
        return self._custom_and_pause if paced else self._custom

    async def _custom_and_pause(self, *args: Any, **about: Any) -> None:
        self._custom(*args, **about)
        if get_ident() == self._thread:  # else a sync call on the loop's thread stands until then
            await self._pacer.pause()

    def _custom(self, name: str, data: Any, *, run_id: UUID, **about: Any) -> None:
        node = (about.get("metadata") or {}).get("langgraph_node")
        step = Step(str(run_id), name, "custom", about.get("tags") or (), node)
        self._emit(Custom(step, name, data))

    # What starts and ends.

    def _started(
        self, run_id: UUID, type_: str, serialized: dict[str, Any] | None, **about: Any
    ) -> Step:
        step = super()._started(run_id, type_, serialized, **about)
        if type_ in MODELS:
            self._emit(ModelStarted(step))
        elif type_ == "tool":
            self._calls.tool_started(step, about.get("tool_call_id"), about.get("inputs"))
        elif step.is_node:
            self._nodes[run_id] = step
            self._emit(NodeStarted(step))
        return step

    def _ended(self, run_id: UUID, output: Any) -> None:
        step, voice = self.steps.get(run_id), self._speakers.get(run_id)
        super()._ended(run_id, output)
        if voice is not None:
            self._finish(voice, output)
            self._emit(model_finished(voice.step, output))
        elif step is not None and step.type == "tool":
            self._calls.tool_ended(step, output)
        elif step is not None and step.type == "retriever":
            self._found(step, output)
        elif node := self._nodes.pop(run_id, None):
            self._calls.settle(node)
            self._emit(NodeFinished(node))

    def _failed(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        step, voice = self.steps.get(run_id), self._speakers.get(run_id)
        super()._failed(error, run_id=run_id)
        if voice is not None:
            self._finish(voice)
            self._emit(ModelFinished(voice.step, "error"))
        elif step is not None and step.type == "tool":
            self._calls.tool_ended(step, error)
        elif node := self._nodes.pop(run_id, None):
            self._emit(NodeFinished(node))

    def on_chain_start(self, serialized: Any, inputs: Any, *, run_id: UUID, **kwargs: Any) -> None:
        in_node = "langgraph_node" in (kwargs.get("metadata") or {})
        self._resumed = self._resumed or resumes(inputs, in_node=in_node)
        super().on_chain_start(serialized, inputs, run_id=run_id, **kwargs)

    def _node_started(self, inputs: Any) -> None:
        super()._node_started(inputs)
        if self._resumed:
            for call in calls_in(inputs):
                self._calls.had(call)

    def _had(self, message: BaseMessage) -> None:
        if message.id is None or message.id not in self._known:
            self._in_history(message)
        super()._had(message)

    def _in_history(self, message: BaseMessage) -> None:
        if isinstance(message, AIMessage):
            for call in message.tool_calls:
                self._calls.had(call)
        elif isinstance(message, ToolMessage):
            self._calls.had_answer(message.tool_call_id)

    def _update(self, step: Step, messages: list[BaseMessage]) -> None:
        news = [each for each in messages if each.id is None or each.id not in self._known]
        answers = [each for each in news if isinstance(each, ToolMessage)]
        coming = Counter(each.tool_call_id for each in answers)
        for message in news:
            if isinstance(message, ToolMessage):
                message.id = message.id or str(uuid4())  # as LangGraph will, when it takes it
                self._known.add(message.id)
                coming[message.tool_call_id] -= 1
                self._calls.message(step, message, coming[message.tool_call_id])
            self._made(step, message)

    def _say_message(self, speaker: Any, message: AIMessage) -> None:
        self._say_whole(speaker, message)
        self._finish(speaker, message)

    on_chain_error = on_llm_error = on_tool_error = on_retriever_error = _failed

    # What a model says.

    def _speaker(self, step: Step) -> Any:
        return _Voice(step, audible=self._hears(step))

    def _heard(self, run_id: UUID, token: Any, chunk: Any) -> Event | None:
        voice = self._speakers.get(run_id)
        if voice is None:
            return None
        voice.heard = True
        message = getattr(chunk, "message", None)
        if message is None:
            return self._text(voice, token)
        content = message.content
        if (
            type(content) is str
            and not message.additional_kwargs
            and not getattr(message, "tool_call_chunks", None)
        ):
            return self._text(voice, content)
        self._blocks(voice, message)
        return None

    def _say(self, step: Step, text: str) -> None:
        self._said = True
        self._itself = self._itself or _Voice(step)
        if said := self._text(self._itself, text):
            self._sink.put(said)

    def _say_whole(self, speaker: Any, output: Any) -> None:
        if isinstance(output, BaseMessage):
            self._blocks(speaker, output)
        elif said := self._text(speaker, output or ""):
            self._emit(said)

    def _text(self, voice: _Voice, text: str, index: Any = None) -> Event | None:
        if not text or not voice.audible:
            return None
        if voice.kind != "text" or (index is not None and voice.index != index):
            self._open_block(voice, "text", index)
        return TextDelta(voice.step, text, voice.block)

    def _blocks(self, voice: _Voice, message: BaseMessage) -> None:
        calls: list[Any] = list(getattr(message, "tool_call_chunks", ()))
        for block in message.content_blocks:
            self._block(voice, block)
            if block["type"] == "tool_call_chunk":
                calls = []
        for call in calls:
            self._close_block(voice)
            self._calls.grow(voice.step, call)

    def _block(self, voice: _Voice, block: Any) -> None:
        type_ = block["type"]
        if type_ == "non_standard":
            # Anthropic's own, from a model that does not say whose it is.
            block = block["value"]
            block = {**block, "reasoning": block.get("thinking")}
            type_ = "reasoning" if block.get("type") == "thinking" else type_
        if type_ == "text":
            if said := self._text(voice, block.get("text") or "", block.get("index")):
                self._emit(said)
            for note in block.get("annotations") or () if voice.audible else ():
                if note["type"] == "citation":
                    self._source(voice.step, note.get("title"), str(note.get("url") or ""))
        elif type_ == "reasoning":
            self._reasoning(voice, block.get("reasoning") or "", block.get("index"))
        elif type_ in ("tool_call_chunk", "server_tool_call_chunk"):
            self._close_block(voice)
            self._calls.grow(voice.step, block)
        elif type_ == "server_tool_call":
            self._close_block(voice)
            self._calls.made(voice.step, block)
        elif type_ == "server_tool_result":
            self._calls.answered(voice.step, block)
        elif type_ in MEDIA and voice.audible and (url := url_of(block)):
            self.model_spoke = True
            self._emit(FileMade(voice.step, block.get("mime_type") or MEDIA[type_], url))

    def _reasoning(self, voice: _Voice, text: str, index: Any) -> None:
        if not text or not voice.audible:
            return
        if voice.kind != "reasoning" or (index is not None and voice.index != index):
            self._open_block(voice, "reasoning", index)
        self._emit(ReasoningDelta(voice.step, text, voice.block))

    def _open_block(self, voice: _Voice, kind: BlockKind, index: Any) -> None:
        self._close_block(voice)
        if voice is not self._itself and kind == "text":
            self.model_spoke = True
        number = voice.counted[kind] = voice.counted.get(kind, 0) + 1
        voice.kind, voice.index, voice.block = kind, index, voice.step.run_id
        if kind == "reasoning" or number > 1:
            voice.block += f"-{kind}-{number}"
        self._emit(BlockStarted(voice.step, voice.block, kind))

    def _close_block(self, voice: _Voice) -> None:
        if voice.kind is not None:
            self._emit(BlockFinished(voice.step, voice.block, voice.kind))
            voice.kind = None

    def _finish(self, voice: _Voice, output: Any = None) -> None:
        """The model has said all: its last block ends, and its calls have their arguments."""
        self._close_block(voice)
        self._calls.finish(voice.step, getattr(output, "tool_calls", ()))

    # What the answer rests on.

    def _found(self, step: Step, documents: Iterable[Document]) -> None:
        for document in documents:
            about = document.metadata
            place = str(about.get("url") or about.get("source") or "")
            self._source(step, about.get("title") or _file_name(place), place)

    def _source(self, step: Step, title: Any, place: str) -> None:
        title, url = str(title or ""), place if WEB.match(place) else None
        if PATH.match(title) or title == place != url:
            title = _file_name(title)
        known = title or url or _file_name(place) or "Source", url
        if known not in self._sources:
            self._sources.add(known)
            self._emit(SourceFound(step, f"source-{len(self._sources)}", *known))


def _file_name(place: str) -> str:
    """What a client sees of a path on the server, whose ever separators it has."""
    if "://" in place:
        place = re.split(r"[?#]", place, maxsplit=1)[0]  # a signed address holds a secret there
    if place[:5].lower() == "file:":
        place = unquote(place[5:])
    name = re.split(r"[/\\]", place.rstrip("/\\"))[-1]
    return re.sub(r"^[A-Za-z]:", "", name)
