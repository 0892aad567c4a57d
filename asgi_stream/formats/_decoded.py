"""Events as `Format.decode` makes them, for wires that say little about the steps of a run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from .._json import loads
from ..events import (
    Custom,
    Event,
    OutputChunk,
    RunError,
    RunFinished,
    Step,
    ToolCallDelta,
    ToolCalled,
    ToolCallStarted,
    ToolFailed,
    ToolFinished,
)
from ._frame import Frame

DONE_DATA = "[DONE]"
RUN = Step("", "", "chain")
MODEL = Step("", "", "chat_model")


def plain_events(frame: Frame) -> Iterator[Event]:
    """Yield the events of a frame whose format is unknown: its data, an error, or the end."""
    if frame.data == DONE_DATA or frame.event == "end":
        yield RunFinished(RUN, None)
        return
    if not frame.data:
        return
    try:
        value = frame.json()
    except ValueError:
        yield Custom(RUN, frame.event, frame.data)
        return
    if isinstance(value, dict) and isinstance(value.get("error"), dict):
        yield error_event(value["error"])
    elif frame.event == "error":
        yield error_event(value)
    else:
        message = isinstance(value, dict) and isinstance(value.get("content"), str)
        is_text = isinstance(value, str) or (message and isinstance(value.get("type"), str))
        yield OutputChunk(RUN, value, mode=None if is_text else frame.event or None)


def object_in(frame: Frame) -> dict[str, Any]:
    """Return the JSON object of a frame without an event name; ``{}`` for any other frame."""
    if frame.event or not frame.data.startswith("{"):
        return {}
    try:
        return dict(frame.json())
    except ValueError:
        return {}


def error_event(error: Any) -> RunError:
    """Return an error object of a frame as an event; its status is 0 where the wire has none."""
    if not isinstance(error, dict):
        error = {"message": error}
    fields, status = error.get("fields"), error.get("status_code")
    return RunError(
        code=str(error.get("code") or ""),
        message=str(error.get("message") or ""),
        id=str(error.get("id") or ""),
        status=status if type(status) is int else 0,
        detail=error.get("detail"),
        fields=fields if isinstance(fields, dict) else {},
    )


class ToolCallDecoder:
    """Makes the events of tool calls, and remembers the name and arguments of each call."""

    def __init__(self) -> None:
        self._steps: dict[str, Step] = {}
        self._arguments: dict[str, str] = {}

    def started(self, call_id: str, name: str, message: str = "") -> ToolCallStarted:
        """Return the start of a call."""
        self._arguments[call_id] = ""
        return ToolCallStarted(self._named(call_id, name), call_id, name, message)

    def delta(self, call_id: str, text: str) -> ToolCallDelta:
        """Return a piece of a call's arguments."""
        self._arguments[call_id] = self._arguments.get(call_id, "") + text
        return ToolCallDelta(self._step(call_id), call_id, text)

    def ended(self, call_id: str) -> ToolCalled:
        """Return the end of a call, with the arguments that its pieces add up to."""
        text = self._arguments.pop(call_id, "")
        try:
            return self.called(call_id, self._step(call_id).name, loads(text or "{}"))
        except orjson.JSONDecodeError:
            return self.called(call_id, self._step(call_id).name, text, valid=False)

    def called(self, call_id: str, name: str, arguments: Any, *, valid: bool = True) -> ToolCalled:
        """Return the end of a call whose arguments the wire repeats."""
        return ToolCalled(self._named(call_id, name), call_id, name, arguments, valid)

    def finished(self, call_id: str, output: Any) -> ToolFinished:
        """Return the result of a call."""
        step = self._step(call_id)
        return ToolFinished(step, call_id, step.name, output)

    def failed(self, call_id: str, message: str) -> ToolFailed:
        """Return the failure of a call."""
        step = self._step(call_id)
        return ToolFailed(step, call_id, step.name, message)

    def _named(self, call_id: str, name: str) -> Step:
        step = self._steps[call_id] = Step("", name, "tool")
        return step

    def _step(self, call_id: str) -> Step:
        return self._steps.get(call_id) or self._named(call_id, "")
