"""The output of a served Runnable, read from the events of its stream or from a document."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from ..errors import StreamError
from ..events import Custom, Event, LangChainEvent, OutputChunk, RunError, TextDelta
from ..formats import load, names
from ..formats.chunks import chunk_object
from ..formats.events import event_of, is_event
from ._errors import error_from, error_in, error_of, httpx
from ._messages import revived

NO_OUTPUT = "The events do not include the output: a filter excludes the end of the run."


class RemoteOutput:
    """The output in a JSON document, and the events that the document may have.

    Attributes:
        output: The output.
        events: The events of the run's steps; empty if the format has none.

    Raises:
        StreamError: The run has failed, or the output is not among the events.
        httpx.DecodingError: The document is from another kind of server.
    """

    def __init__(self, document: Any) -> None:
        if not isinstance(document, dict) or "output" not in document:
            if (error := error_in(document)) is not None:
                raise error_of(error)  # behind the whitespace of `json_pings`
            raise httpx.DecodingError(
                "The response has no output: it is from another kind of server."
            )
        output = document["output"]
        try:
            self.events = [event_of(value) for value in output] if _are_events(output) else []
        except ValueError as error:
            raise httpx.DecodingError(str(error)) from None
        if self.events:
            ends = [e for e in self.events if not e.parent_ids and e.event.endswith("_end")]
            if not ends:
                raise StreamError(NO_OUTPUT)
            output = ends[-1].data.get("output")
        self.output = revived(output)
        if document.get("interrupted") and isinstance(self.output, dict):
            self.output["__interrupt__"] = document["interrupted"]  # as LangGraph has it


class OutputReader:
    """Reads the chunks of the output from the events of one stream."""

    def __init__(self) -> None:
        self._has_output = False
        self._only_events = False

    def read(self, event: Event) -> Iterator[Any]:
        """Yield the chunks of the output that an event has.

        Raises:
            StreamError: The run has failed, or a part of its output is lost.
        """
        match event:
            case RunError():
                raise error_from(event)
            case Custom(name="gap"):
                raise error_of(
                    {"code": "gap", "message": "Part of the answer is no longer stored."}
                )
            case TextDelta(text=text):
                yield text
            case OutputChunk():
                yield revived(chunk_object(event))
            case LangChainEvent(event=name) if not event.parent_ids:
                # The end has the whole output of a run that does not stream.
                whole = name.endswith("_end") and not self._has_output
                if whole or name.endswith("_stream"):
                    self._has_output = True
                    yield revived(event.data.get("output" if whole else "chunk"))
        if isinstance(event, LangChainEvent | OutputChunk | TextDelta):
            self._only_events = isinstance(event, LangChainEvent) and not self._has_output

    def check_end(self) -> None:
        """Check that the stream of a run that has ended had its output.

        Raises:
            StreamError: There were only events without it.
        """
        if self._only_events:
            raise StreamError(NO_OUTPUT)


@cache
def readable() -> list[str]:
    """Return the names of the formats that carry the output of a Runnable."""
    return [name for name in names() if load(name).carries_output]


def check_format(format: str | None) -> None:
    """Check that a format carries the output of a Runnable.

    Raises:
        StreamError: It does not.
    """
    if format not in readable():
        raise StreamError(f"The route's format, {format!r}, needs its own client.")


def _are_events(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(is_event, value))
