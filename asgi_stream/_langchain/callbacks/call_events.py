"""Emits the events of single tool calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson

from ..._json import loads
from ...events import (
    Event,
    Step,
    ToolCallDelta,
    ToolCalled,
    ToolCallResumed,
    ToolCallStarted,
    ToolFailed,
    ToolFinished,
)
from ...serialize import to_json
from ..messages import NOT_STREAMED
from .call_registry import CallRegistry, ToolCall
from .sink import Sink


class CallEvents:
    """Emits the events of a call in order, each at most once.

    Args:
        registry: Takes the calls.
        sink: Says which calls are for the client. The others are tracked, but emit nothing.
        emit: Takes the events, from any thread.
        client_tools: The names of the tools that the client runs.
    """

    def __init__(
        self,
        registry: CallRegistry,
        sink: Sink,
        emit: Callable[[Event], None],
        client_tools: frozenset[str],
    ) -> None:
        self._registry = registry
        self._sink = sink
        self._emit = emit
        self._client_tools = client_tools
        self._hidden: set[str] = set()
        """The run ids of the models whose calls are no calls of tools."""

    def hide(self, model: Step) -> None:
        """Keep the calls of a model from the client."""
        self._hidden.add(model.run_id)

    def start(self, model: Step, model_id: str | None, name: str, *, hosted: bool) -> ToolCall:
        """Start a call that a model makes, and return it.

        Args:
            model: The model.
            model_id: The id that the model gives the call, if it has one yet.
            name: The tool's name.
            hosted: Whether the model's provider runs the tool.
        """
        wanted = model_id or f"{model.run_id}-call-{len(self._registry) + 1}"
        step = replace(model, name=name, type="tool")
        call_id = self._registry.free_id(wanted)
        at_client = not hosted and name in self._client_tools
        started = ToolCallStarted(step, call_id, name, model.run_id, hosted, at_client)
        return self._show(model_id, started)

    def start_here(self, tool: Step, model_id: str | None) -> ToolCall:
        """Start a call that code makes, and return it; `tool` is the tool's own step."""
        call_id = self._registry.free_id(model_id or tool.run_id)
        return self._show(model_id, ToolCallStarted(tool, call_id, tool.name))

    def resume(self, call_id: str | None, step: Step) -> ToolCall | None:
        """Return the call of the thread's history with an id, None if it has no open one."""
        earlier = self._registry.take_history(call_id)
        if earlier is None:
            return None
        step, call_id = replace(step, name=earlier["name"], type="tool"), earlier["id"]
        shown = self._admits(ToolCallStarted(step, call_id, step.name))
        call = ToolCall(step, call_id, call_id, shown, complete=True, earlier=earlier["args"])
        self._registry.add(call)
        return call

    def add_arguments(self, call: ToolCall, text: str) -> None:
        """Emit a piece of a call's arguments."""
        call.started = True
        if call.shown:
            self._emit(ToolCallDelta(call.step, call.call_id, text))

    def complete(self, call: ToolCall, arguments: Any) -> None:
        """Emit a call's complete arguments, by name or as JSON text, unless that is done."""
        if call.complete:
            return
        call.complete = valid = True
        if isinstance(arguments, str):
            try:
                arguments = loads(arguments or "{}")
            except orjson.JSONDecodeError:
                valid = False
        call.arguments = arguments
        if not call.started:
            self.add_arguments(call, to_json(arguments).decode())
        if call.shown:
            self._emit(ToolCalled(call.step, call.call_id, call.step.name, arguments, valid))

    def finish(self, call: ToolCall, output: Any) -> None:
        """Emit a call's result, an exception if the tool failed, unless it has been answered."""
        if call.answered:
            return
        call.answered = True
        if not call.shown:
            return
        step, call_id, name = call.tool or call.step, call.call_id, call.step.name
        if call.earlier is not None:
            self._emit(ToolCallResumed(step, call_id, name, call.earlier))
        if isinstance(output, BaseException):
            self._emit(ToolFailed(step, call_id, name, self._sink.public_message(output)))
        else:
            self._emit(ToolFinished(step, call_id, name, output))

    def _show(self, model_id: str | None, event: ToolCallStarted) -> ToolCall:
        call = ToolCall(event.step, event.call_id, model_id, self._admits(event))
        self._registry.add(call)
        if call.shown:
            self._emit(event)
        return call

    def _admits(self, event: ToolCallStarted) -> bool:
        step = event.step
        hidden = step.run_id in self._hidden or not NOT_STREAMED.isdisjoint(step.tags)
        return not hidden and self._sink.admits(event)
