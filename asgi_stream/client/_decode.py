"""What the answers of a served Runnable say: events of its steps, and chunks of its output."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..errors import StreamError
from ._connection import Frame, httpx
from ._errors import error_of, told_in
from ._messages import revived

NO_OUTPUT = "The output is not among the events: a filter leaves out the end of the run."
READABLE = ("tokens", "chunks", "events", "text", "langserve")


class Read:
    """What a JSON answer says: the output, and the events that it was made of, if it has them."""

    def __init__(self, answer: Any) -> None:
        if not isinstance(answer, dict) or "output" not in answer:
            if (error := told_in(answer)) is not None:
                raise error_of(error)  # behind the whitespace of `json_pings`
            raise httpx.DecodingError("The answer has no output: it is of another kind of server.")
        output = answer["output"]
        self.events = output if _are_events(output) else []
        if self.events:
            ends = [e for e in self.events if not e["parent_ids"] and e["event"].endswith("_end")]
            if not ends:
                raise StreamError(NO_OUTPUT)
            output = ends[-1]["data"].get("output")
        self.output = revived(output)
        if answer.get("interrupted") and isinstance(self.output, dict):
            self.output["__interrupt__"] = answer["interrupted"]  # as LangGraph has it


class Said:
    """What the frames of one run hold."""

    def __init__(self) -> None:
        self._spoke = False
        self._silent = False

    def of(self, format: str | None, frame: Frame) -> Iterator[tuple[str, Any]]:
        """Events to be passed on, chunks of the output.

        Raises:
            StreamError: The run has failed, or the format is not one that is read here.
        """
        for kind, value in pieces(format, frame):
            yield kind, value
            if kind == "event" and not value["parent_ids"]:
                whole = value["event"].endswith("_end") and not self._spoke
                if whole or value["event"].endswith("_stream"):
                    # Of what does not stream the end says all.
                    self._spoke = True
                    yield "chunk", revived(value["data"].get("output" if whole else "chunk"))
            self._silent = kind == "event" and not self._spoke

    def check(self) -> None:
        """
        Raises:
            StreamError: Of a run that has ended, no event has told the output.
        """
        if self._silent:
            raise StreamError(NO_OUTPUT)


def _is_event(value: Any) -> bool:
    return isinstance(value, dict) and {"event", "run_id", "parent_ids", "data"} <= value.keys()


def _are_events(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_event, value))


def pieces(format: str | None, frame: Frame) -> Iterator[tuple[str, Any]]:
    """What a frame holds: events to be passed on, chunks of the output.

    Raises:
        StreamError: It says that the run has failed, or the format is not one that is read here.
    """
    if format == "text":
        yield "chunk", frame.data
        return
    if format not in READABLE:
        raise StreamError(f"The route speaks {format!r}; read it with that format's own client.")
    if frame.event == "error":
        raise error_of(frame.json())
    if frame.data in ("", "[DONE]") or frame.event in ("metadata", "end"):
        return
    value = frame.json()
    match value:
        case {"error": {"code": str(), "message": str(), "id": str()} as told} if len(value) == 1:
            raise error_of(told)
        case {"gap": {"first": int(), "last": int()}} if len(value) == 1:
            raise error_of({"code": "gap", "message": "A part of the answer is no longer kept."})
        case {"interrupted": list()} if len(value) == 1:
            return
    if format == "tokens":
        yield "chunk", value["token"]
    elif format == "events" or (format == "langserve" and _is_event(value)):
        yield "event", value
    else:
        yield "chunk", revived(value)
