"""OpenAI's Chat Completions: the chunks and the document of one answer.

https://platform.openai.com/docs/api-reference/chat, read in PyPI ``openai`` 3.54.0 and npm
``openai`` 7.57.0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from time import time
from typing import Any

from ...events import (
    ALL_EVENTS,
    Event,
    Interrupt,
    ModelFinished,
    ReasoningDelta,
    RunError,
    RunFinished,
    RunStarted,
    TextDelta,
    TextDiscarded,
    ToolCallDelta,
    ToolCallStarted,
    ToolFailed,
    ToolFinished,
)
from .._decoded import DONE_DATA, MODEL, RUN, ToolCallDecoder, error_event
from .._frame import Frame
from .._gathered import Gathered
from .._spec import FormatRequest, RunSpec
from .._sse import DONE, TextTemplate, data_frame, decode_interrupts, short_id
from .messages import conversation
from .request import (
    check_form,
    check_tool,
    error_document,
    model_name,
    offered_tools,
    parameters,
    response_format_of,
    switch,
    tool_choice_of,
    tools_and_options,
)
from .usage import decode_usage, encode_usage

CUT = ("length", "content_filter")
"""The reasons for which a model stops before its answer, or its last call, is complete."""
PIECES = TextDelta | ReasoningDelta | ToolCallStarted | ToolCallDelta | TextDiscarded


class ChatCompletion:
    """One chat completion, streamed or not, or one that a client reads."""

    wants = ALL_EVENTS - {ToolFinished, ToolFailed}

    def __init__(self) -> None:
        self._calls: dict[str, int] = {}
        self._sends_usage = False
        self._usage: list[Mapping[str, Any]] = []
        self._gathered = Gathered()
        self._reason = "stop"
        self._completion: dict[str, Any] = {}
        self._interrupted: dict[str, Any] = {}
        self._decoder = ToolCallDecoder()
        self._call_ids: dict[int, str] = {}
        self._interrupts: Sequence[Interrupt] = ()

    def spec(self, request: FormatRequest) -> RunSpec:
        """Return the run that a request asks for.

        Raises:
            StreamError: The request is not valid.
        """
        body = request.body
        tools, options = tools_and_options(body)
        model = model_name(body.get("model"), request.models)
        check_form(body)
        for n, tool in enumerate(tools):
            check_tool(tool, n)
        streams = switch(body, "stream")
        self._sends_usage = not streams or bool(options.get("include_usage"))
        self._completion = {"created": int(time()), "model": model}
        dropped: set[str] = set()
        return RunSpec(
            messages=conversation(body.get("messages"), dropped),
            dropped=dropped,
            model=model,
            tools=offered_tools(tools, body.get("tool_choice")),
            tool_choice=tool_choice_of(body.get("tool_choice")),
            response_format=response_format_of(body.get("response_format")),
            configurable=parameters(body, request.configurable),
            gathered=not streams,
            stored=False,
            seeds=True,
            ephemeral=request.threads,
        )

    def encode(self, event: Event) -> bytes:
        match event:
            case TextDelta(text=text):
                return self._template.frame(text)
            case RunStarted(run_id=run_id):
                self._begin(run_id)
                return self._delta({"role": "assistant", "content": ""})
            case ReasoningDelta(text=text):
                return self._delta({"reasoning_content": text})
            case ToolCallStarted(at_client=True):
                return self._delta({"tool_calls": [self._started(event)]})
            case ToolCallDelta(call_id=id_, text=text) if id_ in self._calls:
                call = {"index": self._calls[id_], "function": {"arguments": text}}
                return self._delta({"tool_calls": [call]})
            case ModelFinished():
                self._count(event)
            case RunFinished(questions=questions):
                self._interrupted = {"interrupted": questions} if questions else {}
                return b"".join(self._end()) + DONE
            case RunError():
                return data_frame(error_document(event))
        return b""

    def gather(self, event: Event) -> object:
        match event:
            case RunStarted(run_id=run_id):
                self._begin(run_id)
            case _ if isinstance(event, PIECES):
                self._gathered.take(event)
            case ModelFinished():
                self._count(event)
            case RunFinished(questions=questions):
                self._interrupted = {"interrupted": questions} if questions else {}
                return self._document()
        return None

    def _begin(self, run_id: str) -> None:
        self._completion = {"id": f"chatcmpl-{short_id(run_id, 12)}", **self._completion}
        self._template = TextTemplate(self._delta({"content": TextTemplate.TEXT}))

    def _delta(self, delta: Mapping[str, Any], reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return self._chunk([choice])

    def _chunk(self, choices: list[Any], usage: Any = None) -> bytes:
        about = {**self._completion, "object": "chat.completion.chunk"}
        counts = {"usage": usage} if self._sends_usage else {}
        return data_frame({**about, "choices": choices, **counts, **self._interrupted})

    def _started(self, event: ToolCallStarted) -> dict[str, Any]:
        index = self._calls[event.call_id] = len(self._calls)
        function = {"name": event.name, "arguments": ""}
        return {"index": index, "id": event.call_id, "type": "function", "function": function}

    def _count(self, event: ModelFinished) -> None:
        self._usage.append(event.usage)
        self._reason = event.reason

    def _finish_reason(self) -> str:
        if self._reason in CUT:
            return self._reason
        # To the client, a run that called its own tools has just stopped.
        return "tool_calls" if self._calls else "stop"

    def _end(self) -> Iterator[bytes]:
        yield self._delta({}, self._finish_reason())
        if self._sends_usage:
            yield self._chunk([], encode_usage(self._usage))

    def _document(self) -> dict[str, Any]:
        calls: list[dict[str, Any]] = []
        for piece in self._gathered.pieces:
            if isinstance(piece, ToolCallStarted) and piece.at_client:
                calls.append(self._started(piece))
            elif isinstance(piece, ToolCallDelta) and piece.call_id in self._calls:
                calls[self._calls[piece.call_id]]["function"]["arguments"] += piece.text
        message: dict[str, Any] = {
            "role": "assistant",
            "content": self._gathered.text() or (None if calls else ""),
            "refusal": None,
        }
        if reasoning := self._gathered.text(ReasoningDelta):
            message["reasoning_content"] = reasoning
        if calls:
            message["tool_calls"] = [
                {key: value for key, value in call.items() if key != "index"} for call in calls
            ]
        reason = self._finish_reason()
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
        content = {"choices": [choice], "usage": encode_usage(self._usage)}
        about = {**self._completion, "object": "chat.completion"}
        return {**about, **content, **self._interrupted}

    def decode(self, frame: Frame) -> Iterator[Event]:
        value: Any = None if frame.data == DONE_DATA else frame.json()
        match value:
            case _ if frame.data == DONE_DATA:
                yield RunFinished(RUN, None, self._interrupts)
            case {"error": dict() | str() as error}:
                yield error_event(error)
            case {"choices": list(choices)}:
                if "interrupted" in value:
                    self._interrupts = decode_interrupts(value["interrupted"])
                for choice in choices:
                    yield from self._decode_choice(choice, str(value.get("id", "")))
                if value.get("usage"):
                    yield ModelFinished(MODEL, self._reason, decode_usage(value["usage"]))

    def _decode_choice(self, choice: dict[str, Any], id_: str) -> Iterator[Event]:
        delta = choice.get("delta") or choice.get("message") or {}
        if delta.get("role"):
            yield RunStarted(id_)
        if text := delta.get("reasoning_content"):
            yield ReasoningDelta(MODEL, text, "")
        if text := delta.get("content"):
            yield TextDelta(MODEL, text)
        for n, call in enumerate(delta.get("tool_calls") or ()):
            index, function = call.get("index", n), call.get("function") or {}
            if call.get("id"):
                self._call_ids[index] = call["id"]
                yield self._decoder.started(call["id"], str(function.get("name") or ""))
            if text := function.get("arguments"):
                yield self._decoder.delta(self._call_ids.get(index, ""), text)
        if reason := choice.get("finish_reason"):
            self._reason = reason
            yield from map(self._decoder.ended, self._call_ids.values())
            self._call_ids.clear()
