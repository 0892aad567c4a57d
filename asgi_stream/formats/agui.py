"""The Agent-User Interaction Protocol, AG-UI 1.0, for ``HttpAgent`` and its frameworks.

https://docs.ag-ui.com/concepts/events, read in npm ``@ag-ui/client`` 1.0.0 and 0.0.59. Only events
that both versions know are sent, and absent fields are omitted, never null.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..events import (
    ALL_EVENTS,
    BlockFinished,
    BlockStarted,
    Custom,
    Event,
    FileMade,
    MessageStarted,
    ModelFinished,
    ModelStarted,
    NodeFinished,
    NodeStarted,
    OutputChunk,
    ReasoningDelta,
    RunError,
    RunFinished,
    RunStarted,
    SourceFound,
    TextDelta,
    ThreadSnapshot,
    ToolCallDelta,
    ToolCalled,
    ToolCallStarted,
    ToolFailed,
    ToolFinished,
)
from ..serialize import text_or_json
from ._agui.decoder import AguiDecoder
from ._agui.interrupts import encode_interrupt
from ._agui.messages import ClientThread, encode_messages
from ._agui.request import read_input
from ._decoded import object_in
from ._format import Format
from ._frame import Frame
from ._spec import FormatRequest, RunSpec
from ._sse import OpenNames, ShortIds, TextTemplate, data_frame, error_text, short_id
from ._threads import THREADS, ThreadQuery
from ._usage import encode_usage

Message = dict[str, Any]
BlockEvent = BlockStarted | ReasoningDelta | BlockFinished


OPERATIONS = {**THREADS, ("GET", "/threads/{stored_thread}/messages"): "show"}
"""The endpoints for threads, of which that for messages has AG-UI's."""


class AguiFormat(Format):
    """Messages, reasoning, tool calls and results, steps, custom events, state.

    Sources and files are custom events. With the stream mode ``values``, a graph's state is sent as
    snapshots, without the messages. A call of one of the client's own tools ends it as pending.

    On a thread there are snapshots of the state and of the messages, too: at the start of a run
    whose client has other messages, and at its end. A request that adds nothing to a thread gets
    them alone, with the interrupts that the thread waits at. ``resume`` and, from older clients,
    ``forwardedProps.command.resume`` answer those.
    """

    endpoints = (("POST", ""),)
    converses = True
    system_messages = False
    threads = OPERATIONS
    wants = ALL_EVENTS | {OutputChunk, MessageStarted, ThreadSnapshot}

    def __init__(self) -> None:
        self._run: Message = {}
        self._ids = ShortIds()
        self._models: set[str] = set()  # and the run: no state knows the ids of their messages
        self._templates: dict[str, TextTemplate] = {}
        self._pending: list[str] = []
        self._knows_pending = False
        self._steps = OpenNames()
        self._usage: list[Message] = []
        self._decoder = AguiDecoder()
        self._thread: ClientThread | None = None
        self._shows_messages = False
        self._message_ids: dict[str, str] = {}

    def parse(self, request: FormatRequest) -> RunSpec:
        spec, self._run = read_input(request)
        if request.threads:
            self._thread = ClientThread(request.body["messages"], spec.state)
        # Clients before 1.0 reject fields that they do not know.
        self._knows_pending = "protocolVersion" in request.body
        return spec

    def encode(self, event: Event) -> bytes:
        if isinstance(event, TextDelta):
            template = self._templates.get(event.block) or self._template(event)
            return template.frame(event.text)
        return b"".join(map(data_frame, self._frames(event)))

    def _template(self, event: TextDelta) -> TextTemplate:
        """Return the template of all frames with text of one message."""
        id_ = self._message_id(event.step.run_id, event.block)
        frame = {"type": "TEXT_MESSAGE_CONTENT", "messageId": id_, "delta": TextTemplate.TEXT}
        return self._templates.setdefault(event.block, TextTemplate(data_frame(frame)))

    def _message_id(self, step: str, block: str) -> str:
        """Return a message's id, unique in the thread; one that a node made keeps its own.

        On a thread it is the one that the graph's state has, where that is known.
        """
        if step not in self._models:
            return block
        if self._thread is not None and step in self._message_ids:
            return block.replace(step, self._message_ids[step], 1)
        return self._ids[block]

    def _frames(self, event: Event) -> Iterator[Message]:
        match event:
            case RunStarted(run_id=run_id):
                self._ids.prefix = short_id(run_id, 6)
                self._models.add(run_id)
                yield {"type": "RUN_STARTED", **self._run}
            case ModelStarted(step=step):
                self._models.add(step.run_id)
            case MessageStarted(step=step, message_id=id_):
                self._message_ids[step.run_id] = id_
            case ThreadSnapshot() if self._thread is not None:
                yield from self._thread.frames(event)
            case NodeStarted(step=step):
                yield {"type": "STEP_STARTED", "stepName": self._steps.open(step.run_id, step.name)}
            case NodeFinished(step=step):
                yield {
                    "type": "STEP_FINISHED",
                    "stepName": self._steps.close(step.run_id, step.name),
                }
            case ModelFinished(usage=usage) if usage:
                counts = {"provider": event.provider, "model": event.model, **encode_usage(usage)}
                self._usage.append({key: each for key, each in counts.items() if each is not None})
            case OutputChunk(mode="values", data=data) if isinstance(data, Mapping):
                # Keys with two underscores are LangGraph's own: "__interrupt__" comes at the end.
                hidden = {key for key in data if key == "messages" or str(key).startswith("__")}
                state = {key: value for key, value in data.items() if key not in hidden}
                yield {"type": "STATE_SNAPSHOT", "snapshot": state}
            case Custom(name=name, data=data):
                yield {"type": "CUSTOM", "name": name, "value": data}
            case SourceFound(source_id=id_, title=title, url=url):
                source = {"id": id_, "title": title} | ({"url": url} if url else {})
                yield {"type": "CUSTOM", "name": "source", "value": source}
            case FileMade(media_type=media_type, url=url):
                file = {"mediaType": media_type, "url": url}
                yield {"type": "CUSTOM", "name": "file", "value": file}
            case RunFinished():
                yield self._finished(event)
            case RunError(code=code):
                yield {"type": "RUN_ERROR", "message": error_text(event), "code": code}
            case BlockStarted() | ReasoningDelta() | BlockFinished():
                yield from self._block_frames(event)
            case _:
                yield from self._tool_frames(event)

    def _block_frames(self, event: BlockEvent) -> Iterator[Message]:
        about = {"messageId": self._message_id(event.step.run_id, event.block)}
        match event:
            case BlockStarted(step=step, kind="text"):
                name = {"name": step.agent} if step.agent else {}
                yield {"type": "TEXT_MESSAGE_START", **about, "role": "assistant", **name}
            case BlockFinished(kind="text"):
                yield {"type": "TEXT_MESSAGE_END", **about}
            case BlockStarted():
                yield {"type": "REASONING_START", **about}
                yield {"type": "REASONING_MESSAGE_START", **about, "role": "reasoning"}
            case ReasoningDelta(text=text):
                yield {"type": "REASONING_MESSAGE_CONTENT", **about, "delta": text}
            case _:
                yield {"type": "REASONING_MESSAGE_END", **about}
                yield {"type": "REASONING_END", **about}

    def _tool_frames(self, event: Event) -> Iterator[Message]:
        match event:
            case ToolCallStarted(call_id=id_, name=name, message=message):
                if event.at_client:
                    self._pending.append(id_)
                # Calls of one message stay together, so that their results can follow them.
                parent = {"parentMessageId": self._message_id(message, message)} if message else {}
                call = {"toolCallId": id_, "toolCallName": name}
                yield {"type": "TOOL_CALL_START", **call, **parent}
            case ToolCallDelta(call_id=id_, text=text):
                yield {"type": "TOOL_CALL_ARGS", "toolCallId": id_, "delta": text}
            case ToolCalled(call_id=id_):
                yield {"type": "TOOL_CALL_END", "toolCallId": id_}
            case ToolFinished(call_id=id_, output=output):
                yield self._result(id_, text_or_json(output))
            case ToolFailed(call_id=id_, message=message):
                yield self._result(id_, message)

    def _result(self, call_id: str, content: str) -> Message:
        if call_id in self._pending:  # a graph's own tool with the name of a client's
            self._pending.remove(call_id)
        thread = self._thread
        id_ = f"{call_id}-result" if thread is None else thread.result_id(call_id)
        about = {"messageId": id_, "toolCallId": call_id}
        return {"type": "TOOL_CALL_RESULT", **about, "content": content, "role": "tool"}

    def _finished(self, event: RunFinished) -> Message:
        outcome: Message = {"type": "success"}
        if event.interrupts:
            questions = [encode_interrupt(each) for each in event.interrupts]
            outcome = {"type": "interrupt", "interrupts": questions}
        elif self._pending and self._knows_pending:
            outcome["pendingToolCallIds"] = self._pending
        usage = {"usage": self._usage} if self._usage else {}
        return {"type": "RUN_FINISHED", **self._run, "outcome": outcome, **usage}

    def decode(self, frame: Frame) -> Iterator[Event]:
        return self._decoder.decode(frame)

    def thread_query(self, operation: str, request: FormatRequest) -> ThreadQuery:
        self._shows_messages = request.endpoint.endswith("/messages")
        query = super().thread_query(operation, request)
        return replace(query, with_messages=self._shows_messages)

    def thread_document(self, operation: str, result: Any) -> object:
        if self._shows_messages:
            return {"messages": encode_messages(result.messages)}
        return super().thread_document(operation, result)

    @classmethod
    def recognizes(cls, frame: Frame) -> bool:
        return object_in(frame).get("type") == "RUN_STARTED"
