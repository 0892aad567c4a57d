"""Decodes the frames of AG-UI."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...events import (
    BlockFinished,
    BlockStarted,
    Custom,
    Event,
    FileMade,
    ModelFinished,
    NodeFinished,
    NodeStarted,
    OutputChunk,
    ReasoningDelta,
    RunFinished,
    RunStarted,
    SourceFound,
    Step,
    TextDelta,
)
from .._decoded import MODEL, RUN, ToolCallDecoder
from .._frame import Frame
from .._sse import error_from_text
from .._usage import decode_usage
from .interrupts import decode_interrupts


class AguiDecoder:
    """Decodes one stream. What it has of the thread besides the run is left out."""

    def __init__(self) -> None:
        self._calls = ToolCallDecoder()

    def decode(self, frame: Frame) -> Iterator[Event]:
        """Yield the events of a frame."""
        value = frame.json()
        match value:
            case {"type": "RUN_STARTED", "runId": str(run_id)}:
                yield RunStarted(run_id)
            case {"type": str(type_), "messageId": str(id_)} if type_.endswith("_MESSAGE_START"):
                yield BlockStarted(MODEL, id_, "text" if type_.startswith("TEXT") else "reasoning")
            case {"type": "TEXT_MESSAGE_CONTENT", "messageId": str(id_), "delta": str(text)}:
                yield TextDelta(MODEL, text, id_)
            case {"type": "REASONING_MESSAGE_CONTENT", "messageId": str(id_), "delta": str(text)}:
                yield ReasoningDelta(MODEL, text, id_)
            case {"type": str(type_), "messageId": str(id_)} if type_.endswith("_MESSAGE_END"):
                yield BlockFinished(MODEL, id_, "text" if type_.startswith("TEXT") else "reasoning")
            case {"type": "TOOL_CALL_START", "toolCallId": id_, "toolCallName": name}:
                yield self._calls.started(id_, name, value.get("parentMessageId", ""))
            case {"type": "TOOL_CALL_ARGS", "toolCallId": id_, "delta": text}:
                yield self._calls.delta(id_, text)
            case {"type": "TOOL_CALL_END", "toolCallId": id_}:
                yield self._calls.ended(id_)
            case {"type": "TOOL_CALL_RESULT", "toolCallId": id_, "content": text}:
                yield self._calls.finished(id_, text)
            case {"type": "STEP_STARTED", "stepName": str(name)}:
                yield NodeStarted(Step("", name, "chain", node=name))
            case {"type": "STEP_FINISHED", "stepName": str(name)}:
                yield NodeFinished(Step("", name, "chain", node=name))
            case {"type": "STATE_SNAPSHOT", "snapshot": state}:
                yield OutputChunk(RUN, state, "values")
            case {"type": "CUSTOM", "name": str(name), "value": data}:
                yield _decode_custom(name, data)
            case {"type": "RUN_FINISHED"}:
                for usage in value.get("usage") or ():
                    model = usage.get("model"), usage.get("provider")
                    yield ModelFinished(MODEL, "stop", decode_usage(usage), *model)
                yield RunFinished(RUN, None, [*decode_interrupts(value.get("outcome") or {})])
            case {"type": "RUN_ERROR", "message": str(message)}:
                yield error_from_text(message, str(value.get("code") or ""))


def _decode_custom(name: str, data: Any) -> Event:
    match name, data:
        case "source", {"id": str(id_), "title": str(title)}:
            return SourceFound(RUN, id_, title, data.get("url"))
        case "file", {"mediaType": str(media_type), "url": str(url)}:
            return FileMade(MODEL, media_type, url)
    return Custom(RUN, name, data)
