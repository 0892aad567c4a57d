"""OpenAI's Responses: the events and the document of one response.

https://platform.openai.com/docs/api-reference/responses-streaming, read in PyPI ``openai`` 3.54.0,
``openai-agents`` 0.24.0, ``langchain-openai`` 1.7.3 and npm ``@ai-sdk/openai`` 4.0.118.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from json.encoder import encode_basestring_ascii
from math import inf
from time import time
from typing import Any

from ...events import (
    ALL_EVENTS,
    Event,
    ModelFinished,
    RunError,
    RunFinished,
    RunStarted,
    TextDelta,
)
from .._frame import Frame
from .._openai.usage import response_usage
from .._spec import FormatRequest, RunSpec
from .._sse import named_frame
from .decoder import INCOMPLETE, ResponseDecoder
from .items import OutputItems
from .object import response_error, response_id, status_after
from .request import response_request
from .tools import ClientTool


class Response:
    """One response, streamed or not, or one that a client reads."""

    wants = ALL_EVENTS

    def __init__(self) -> None:
        self._about: dict[str, Any] = {}
        self._items = OutputItems("", {})
        self._client_tools: Mapping[str, ClientTool] = {}
        self._approvals: Mapping[str, str] = {}
        self._asks = False
        self._sent = 0
        self._usage: list[Mapping[str, Any]] = []
        self._reason = "stop"
        self._decoder = ResponseDecoder()

    def spec(self, request: FormatRequest) -> RunSpec:
        """Return the run that a request asks for.

        Raises:
            StreamError: The request is not valid.
        """
        parsed = response_request(request)
        self._client_tools, self._approvals = parsed.client_tools, parsed.approvals
        self._asks = request.threads
        self._about = {"id": "", "created_at": int(time()), **parsed.fields}
        return parsed.spec

    def begun(self, run_id: str, created: float = inf) -> dict[str, Any]:
        """Return the response of a run that has not sent anything yet.

        Args:
            run_id: The run.
            created: When it was created, which is long ago for a request that repeats another.
        """
        created_at = int(min(created, self._about["created_at"]))
        self._about |= {"id": response_id(run_id), "created_at": created_at}
        return self._response("queued" if self._about["background"] else "in_progress")

    def encode(self, event: Event) -> bytes:
        if type(event) is TextDelta:
            return self._text(event)
        return b"".join(self._frame(kind, content) for kind, content in self._events(event))

    def gather(self, event: Event) -> object:
        for _, content in self._events(event):
            if "response" in content:
                document = content["response"]
        return document if isinstance(event, RunFinished) else None

    def decode(self, frame: Frame) -> Iterable[Event]:
        return self._decoder.decode(frame)

    def _events(self, event: Event) -> Iterable[tuple[str, dict[str, Any]]]:
        """Yield the type and the content of each event of the stream."""
        match event:
            case RunStarted(run_id=run_id):
                about = self._client_tools, self._approvals
                self._items = OutputItems(run_id.replace("-", ""), *about)
                self.begun(run_id)
                yield from self._created()
                yield "response.in_progress", {"response": self._response("in_progress")}
            case ModelFinished(usage=usage, reason=reason):
                self._reason = reason
                if usage:
                    self._usage.append(usage)
                yield from self._items.of(event)
            case RunFinished(interrupts=interrupts):
                yield from self._items.close(interrupts if self._asks else ())
                cut = INCOMPLETE.get(self._reason)
                status = "incomplete" if cut else "completed"
                details = {"reason": cut} if cut else None
                response = self._response(status, incomplete_details=details)
                yield f"response.{status}", {"response": response}
            case RunError():
                if not self._sent:  # it has been cancelled before it began, or could not begin
                    yield from self._created()
                yield from self._items.cut()
                error = response_error(event)
                response = self._response(status_after(event), error=error)
                yield "response.failed", {"response": response}
            case _:
                yield from self._items.of(event)

    def _created(self) -> Iterable[tuple[str, dict[str, Any]]]:
        waits = self._about["background"]
        response = self._response("queued" if waits else "in_progress")
        yield "response.created", {"response": response}
        if waits:
            yield "response.queued", {"response": response}

    def _response(self, status: str, **about: Any) -> dict[str, Any]:
        done = status not in ("queued", "in_progress")
        return {
            **self._about,
            "object": "response",
            "status": status,
            "output": self._items.output if done else [],
            "usage": response_usage(self._usage) if done and self._usage else None,
            **about,
        }

    def _frame(self, kind: str, content: Mapping[str, Any]) -> bytes:
        self._sent += 1
        return named_frame(kind, {"type": kind, "sequence_number": self._sent - 1, **content})

    def _text(self, event: TextDelta) -> bytes:
        # Of a token's frame only the text and the numbers differ, so no more is serialized.
        item_id, index = self._items.text(event)
        text = encode_basestring_ascii(event.text)
        self._sent += 1
        return (
            'event: response.output_text.delta\ndata: {"type":"response.output_text.delta",'
            f'"sequence_number":{self._sent - 1},"item_id":"{item_id}","output_index":{index},'
            f'"content_index":0,"delta":{text},"logprobs":[]}}\n\n'
        ).encode()
