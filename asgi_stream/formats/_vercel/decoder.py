"""Events of the parts of a UI message stream: the reverse of `VercelFormat.encode`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ...events import (
    BlockFinished,
    BlockStarted,
    Custom,
    Event,
    FileMade,
    Interrupt,
    ModelFinished,
    ModelStarted,
    ReasoningDelta,
    RunError,
    RunFinished,
    RunStarted,
    SourceFound,
    TextDelta,
)
from .._decoded import DONE_DATA, MODEL, RUN, ToolCallDecoder
from .._frame import Frame
from .._sse import decode_interrupts, error_from_text
from .._usage import decode_usage
from .approvals import DENIED, ApprovalDecoder


class PartDecoder:
    """Decodes the frames of one stream."""

    def __init__(self) -> None:
        self._calls = ToolCallDecoder()
        self._called: dict[str, tuple[str, Any]] = {}
        self._approvals = ApprovalDecoder()
        self._interrupts: Sequence[Interrupt] = ()

    def decode(self, frame: Frame) -> Iterator[Event]:
        """Return the events of a frame."""
        part: Any = None if frame.data == DONE_DATA else frame.json()
        match part:
            case _ if frame.data == DONE_DATA:
                yield RunFinished(RUN, None, (*self._interrupts, *self._approvals.interrupts()))
            case {"type": "start"}:
                yield RunStarted(str(part.get("messageId", "")))
            case {"type": "start-step"}:
                yield ModelStarted(MODEL)
            case {"type": "text-start" | "reasoning-start" as type_, "id": str(id_)}:
                yield BlockStarted(MODEL, id_, "text" if type_ == "text-start" else "reasoning")
            case {"type": "text-delta", "id": str(id_), "delta": str(text)}:
                yield TextDelta(MODEL, text, id_)
            case {"type": "reasoning-delta", "id": str(id_), "delta": str(text)}:
                yield ReasoningDelta(MODEL, text, id_)
            case {"type": "text-end" | "reasoning-end" as type_, "id": str(id_)}:
                yield BlockFinished(MODEL, id_, "text" if type_ == "text-end" else "reasoning")
            case {"type": "source-url", "sourceId": str(id_), "url": str(url)}:
                yield SourceFound(RUN, id_, str(part.get("title") or url), url)
            case {"type": "source-document", "sourceId": str(id_), "title": str(title)}:
                yield SourceFound(RUN, id_, title, None, str(part.get("mediaType", "")))
            case {"type": "file", "mediaType": str(media_type), "url": str(url)}:
                yield FileMade(MODEL, media_type, url)
            case {"type": "data-interrupt", "data": {"answered": True}}:
                pass
            case {"type": "data-interrupt", "data": {"id": str(), "value": _} as question}:
                self._interrupts = [*self._interrupts, *decode_interrupts([question])]
            case {"type": str(type_), "data": data} if type_.startswith("data-"):
                yield Custom(RUN, type_.removeprefix("data-"), data)
            case {"type": "finish"}:
                usage = (part.get("messageMetadata") or {}).get("usage") or {}
                reason = str(part.get("finishReason", "stop")).replace("-", "_")
                yield ModelFinished(MODEL, reason, decode_usage(usage))
            case {"type": "abort"}:
                yield RunError("cancelled", "The run was stopped.", "", status=0)
            case {"type": "error", "errorText": str(text)}:
                yield error_from_text(text)
            case {"type": str(), "toolCallId": str(id_)}:
                yield from self._of_call(id_, part)

    def _of_call(self, id_: str, part: Any) -> Iterator[Event]:
        match part:
            case {"type": "tool-input-start", "toolName": name}:
                yield self._calls.started(id_, name)
            case {"type": "tool-input-delta", "inputTextDelta": text}:
                yield self._calls.delta(id_, text)
            case {"type": "tool-input-available", "toolName": name}:
                self._called[id_] = name, part.get("input")
                yield self._calls.called(id_, name, part.get("input"))
            case {"type": "tool-input-error", "toolName": name}:
                yield self._calls.called(id_, name, part.get("input"), valid=False)
            case {"type": "tool-output-available", "output": output}:
                yield self._calls.finished(id_, output)
            case {"type": "tool-output-error", "errorText": text}:
                yield self._calls.failed(id_, text)
            case {"type": "tool-output-denied"}:
                yield self._calls.failed(id_, DENIED)
            case {"type": "tool-approval-request"}:
                self._approvals.add(part, *self._called.get(id_, ("", None)))
