"""Tool calls: as a model makes them, a piece at a time, and as tools answer them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from langchain_core.messages import ToolMessage

from .events import (
    Event,
    Step,
    ToolCallDelta,
    ToolCalled,
    ToolCallStarted,
    ToolFailed,
    ToolFinished,
)
from .messages import NOT_STREAMED, ToolMessageError, answer_of, is_no_failure
from .serialize import to_json
from .sink import Sink


@dataclass(slots=True)
class _Call:
    """A tool call whose arguments grow.

    Attributes:
        step: The tool to be.
        shown: Whether the client is told of it.
        complete: Whether its arguments are all there.
    """

    step: Step
    call_id: str
    shown: bool
    complete: bool = False
    pieces: list[str] = field(default_factory=list)


class Calls:
    """All tool calls of a run.

    Of each call, whoever makes it and however it comes, the events are the same and in the same
    order: started, deltas, called, and finished or failed if the tool is run here.

    Args:
        sink: Asked whether a call is for the client.
        emit: Takes the events, from whichever thread.
    """

    def __init__(self, sink: Sink, emit: Callable[[Event], None]) -> None:
        self._sink = sink
        self._emit = emit
        self._shown: dict[str, Step | None] = {}
        """The tools by the ids of their calls; None where the client is not told of the call."""
        self._growing: dict[str, dict[Any, _Call]] = {}
        self._answering: dict[str, str] = {}

    def grow(self, model: Step, chunk: Mapping[str, Any]) -> None:
        """`model` has said a piece of a call: LangChain's ``ToolCallChunk``."""
        growing = self._growing.setdefault(model.run_id, {})
        index, call_id, text = chunk.get("index"), chunk.get("id"), chunk.get("args") or ""
        if index is None:
            # A model that does not count its calls goes on with the last one.
            index = call_id or next(reversed(growing), None)
        call = growing.get(index)
        if call is None or (call_id and call_id != call.call_id):
            if call is not None:
                # Kept, so that the whole call at the end is known for the same.
                self._complete(call, "".join(call.pieces))
                growing[call.call_id] = call
            hosted = chunk.get("type") == "server_tool_call_chunk"
            call = growing[index] = self._begin(model, call_id, chunk.get("name") or "", hosted)
        if text:
            call.pieces.append(text)
            if call.shown:
                self._emit(ToolCallDelta(call.step, call.call_id, text))

    def made(self, model: Step, whole: Mapping[str, Any]) -> None:
        """`model` has made a call, in pieces or in one: LangChain's ``ToolCall``."""
        growing = self._growing.setdefault(model.run_id, {})
        call_id, name, arguments = whole.get("id"), whole["name"], whole["args"]
        for call in growing.values():
            if call.call_id == call_id or (call_id is None and call.step.name == name):
                break
        else:
            hosted = whole.get("type") == "server_tool_call"
            call = growing[call_id or name] = self._begin(model, call_id, name, hosted)
            self._tell_arguments(call, arguments)
        # What the client has seen grow is what counts.
        self._complete(call, "".join(call.pieces) or arguments)

    def finish(self, model: Step, calls: Iterable[Mapping[str, Any]]) -> None:
        """`model` has said all; `calls` are those that LangChain has understood."""
        for call in calls:
            self.made(model, call)
        for rest in self._growing.pop(model.run_id, {}).values():
            self._complete(rest, "".join(rest.pieces))

    def answered(self, model: Step, result: Mapping[str, Any]) -> None:
        """A tool of the model's provider has answered: LangChain's ``ServerToolResult``."""
        call_id = result["tool_call_id"]
        for call in self._growing.get(model.run_id, {}).values():
            if call.call_id == call_id:
                self._complete(call, "".join(call.pieces))
        step = self._shown.get(call_id)
        output = result.get("output")
        failed = result.get("status") == "error"
        if step is not None:
            self._end(step, call_id, ToolMessageError(str(output)) if failed else output)

    def tool_started(self, step: Step, call_id: str | None, arguments: Any) -> None:
        """A tool is run here."""
        call_id = self._answering[step.run_id] = call_id or step.run_id
        if call_id not in self._shown:
            # No model has called it: the code has.
            call = _Call(step, call_id, self._show(ToolCallStarted(step, call_id, step.name)))
            self._tell_arguments(call, arguments or {})
            self._complete(call, arguments or {})

    def tool_ended(self, step: Step, output: Any) -> None:
        """A tool that was run here has answered, or failed if `output` is an exception."""
        call_id = self._answering.pop(step.run_id)
        output = answer_of(output, call_id)
        if isinstance(output, ToolMessage):
            failed = output.status == "error"
            output = ToolMessageError(str(output.content)) if failed else output.content
        if self._shown[call_id] is not None:
            self._end(step, call_id, output)

    def _end(self, step: Step, call_id: str, output: Any) -> None:
        if not isinstance(output, BaseException):
            self._emit(ToolFinished(step, call_id, step.name, output))
        elif not is_no_failure(output):
            self._emit(ToolFailed(step, call_id, step.name, self._sink.told_of(output)))

    def _begin(self, model: Step, call_id: str | None, name: str, hosted: bool) -> _Call:
        call_id = call_id or f"{model.run_id}-call-{len(self._shown) + 1}"
        step = Step(model.run_id, name, "tool", model.tags, model.node)
        started = ToolCallStarted(step, call_id, name, model.run_id, hosted)
        return _Call(step, call_id, self._show(started))

    def _show(self, started: ToolCallStarted) -> bool:
        step = started.step
        shown = NOT_STREAMED.isdisjoint(step.tags) and self._sink.admits(started)
        self._shown[started.call_id] = step if shown else None
        if shown:
            self._emit(started)
        return shown

    def _tell_arguments(self, call: _Call, arguments: Any) -> None:
        if call.shown:
            self._emit(ToolCallDelta(call.step, call.call_id, to_json(arguments).decode()))

    def _complete(self, call: _Call, arguments: Any) -> None:
        if call.complete:
            return
        call.complete = valid = True
        if isinstance(arguments, str):
            try:
                arguments = orjson.loads(arguments or "{}")
            except orjson.JSONDecodeError:
                valid = False
        if call.shown:
            self._emit(ToolCalled(call.step, call.call_id, call.step.name, arguments, valid))
