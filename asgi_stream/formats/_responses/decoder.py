"""Decodes the stream of a response of OpenAI's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...events import (
    Event,
    ModelFinished,
    ReasoningDelta,
    RunError,
    RunFinished,
    RunStarted,
    TextDelta,
)
from .._decoded import MODEL, RUN, ToolCallDecoder, error_event
from .._frame import Frame
from .._openai.usage import decode_usage
from .object import LIMITED, TOO_MANY
from .questions import QUESTION, decoded_question

INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
"""Why a response is incomplete, by the reason for which its last model stopped."""
REASONS = {cut: reason for reason, cut in INCOMPLETE.items()}
CALLS = ("function_call", "mcp_call")


class ResponseDecoder:
    """Makes events of the frames of one response."""

    def __init__(self) -> None:
        self._calls = ToolCallDecoder()
        self._ids: dict[str, str] = {}

    def decode(self, frame: Frame) -> Iterator[Event]:
        """Yield the events of a frame."""
        value: Any = frame.json() if frame.data.startswith("{") else None
        match value:
            case {"type": "response.output_text.delta", "delta": str(text)}:
                yield TextDelta(MODEL, text)
            case {"type": "response.reasoning_summary_text.delta", "delta": str(text)}:
                yield ReasoningDelta(MODEL, text, str(value.get("item_id") or ""))
            case {"type": "response.created", "response": {"id": str(id_)}}:
                yield RunStarted(id_)
            case {"type": "response.output_item.added", "item": {"type": kind} as item}:
                if kind in CALLS and item.get("name") != QUESTION:
                    id_ = self._ids[item["id"]] = str(item.get("call_id") or item["id"])
                    yield self._calls.started(id_, str(item.get("name") or ""))
            case {
                "type": "response.function_call_arguments.delta"
                | "response.mcp_call_arguments.delta",
                "item_id": id_,
                "delta": str(text),
            } if id_ in self._ids:
                yield self._calls.delta(self._ids[id_], text)
            case {
                "type": "response.function_call_arguments.done"
                | "response.mcp_call_arguments.done",
                "item_id": id_,
            } if id_ in self._ids:
                yield self._calls.ended(self._ids[id_])
            case {"type": "response.output_item.done", "item": {"type": "mcp_call"} as item}:
                yield self._result(self._ids.get(item["id"], item["id"]), item)
            case {"type": "response.completed" | "response.incomplete", "response": response}:
                yield _counted(response)
                questions = map(decoded_question, response.get("output") or ())
                yield RunFinished(RUN, None, tuple(filter(None, questions)))
            case {"type": "response.failed", "response": {"error": error}}:
                yield _failed(error)
            case {"type": "error"} | {"error": dict()}:
                yield error_event(value.get("error") or value)

    def _result(self, call_id: str, item: dict[str, Any]) -> Event:
        if item.get("error") is None:
            return self._calls.finished(call_id, item.get("output"))
        content = item["error"].get("content") or []
        texts = [each.get("text", "") for each in content if isinstance(each, dict)]
        return self._calls.failed(call_id, "".join(texts))


def _counted(response: dict[str, Any]) -> ModelFinished:
    reason = REASONS.get(str((response.get("incomplete_details") or {}).get("reason")), "stop")
    counts = response.get("usage")
    return ModelFinished(MODEL, reason, decode_usage(counts, "input", "output") if counts else {})


def _failed(error: Any) -> RunError:
    """Return the error of a failed response, by this server's own code where it has one."""
    error = error if isinstance(error, dict) else {}
    status = {"status_code": TOO_MANY} if error.get("code") == LIMITED else {}
    return error_event({**error, **status, "code": error.get("type") or error.get("code")})
