"""The UI message stream of the Vercel AI SDK, version 1, for ``useChat`` and ``useCompletion``.

https://ai-sdk.dev/docs/ai-sdk-ui/stream-protocol, read in npm ``ai`` 7.0.173. The frames suit
``ai`` 5 and 6 too: every tool part is ``dynamic``, and no part is sent that only 7 knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from json.encoder import encode_basestring_ascii
from typing import Any, ClassVar

from ..events import (
    ALL_EVENTS,
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
    ToolCallDelta,
    ToolCalled,
    ToolCallResumed,
    ToolCallStarted,
    ToolFailed,
    ToolFinished,
)
from ._decoded import DONE_DATA, MODEL, RUN, ToolCallDecoder, object_in
from ._format import RUNS, Format
from ._frame import Frame
from ._spec import FormatRequest, RunSpec
from ._sse import DONE, ShortIds, data_frame, decode_interrupts, error_from_text, error_text
from ._usage import add_usage, decode_usage
from ._vercel_request import Part, conversation_of


class VercelFormat(Format):
    """One assistant message: its text, reasoning, tools, sources, files and data as parts.

    Tools that the run executes itself are ``providerExecuted``, so that the browser does not run
    them again; those of a chat model that is served alone are the browser's. Custom events are
    ``data-NAME`` parts, transient unless their data has an ``id``. On a resumable route ``stop()``
    only disconnects: POST or DELETE to ``/{chat}/stream`` stops the run.
    """

    endpoints = (("POST", ""),)
    converses = True
    runs: ClassVar[Mapping[tuple[str, str], str]] = {
        **RUNS,
        ("GET", "/{stored_conversation}/stream"): "join",
        ("POST", "/{stored_conversation}/stream"): "stop",
        ("DELETE", "/{stored_conversation}/stream"): "stop",
    }
    system_messages = False
    wants = ALL_EVENTS

    def __init__(self) -> None:
        self._run_id = ""
        self._continues = False
        self._known_calls: set[str] = set()
        """The calls in the message that the answer continues."""
        self._client_calls: set[str] = set()
        """The calls of a chat model that is served alone, which the client executes."""
        self._ids = ShortIds()
        self._in_step = False
        self._models = 0
        self._reason = "stop"
        self._usage: dict[str, int] = {}
        self._calls = ToolCallDecoder()
        self._interrupts: Sequence[Interrupt] = ()

    def parse(self, request: FormatRequest) -> RunSpec:
        body = request.body if isinstance(request.body, dict) else {}
        dropped: set[str] = set()
        messages, continued = conversation_of(body, dropped)
        self._continues = continued is not None
        self._known_calls = {str(part.get("toolCallId")) for part in continued or ()}
        chat = body.get("id") if isinstance(body.get("id"), str) and body["id"] else None
        return RunSpec(
            messages=messages,
            configurable={key: body[key] for key in request.configurable if key in body},
            gathered=False,
            conversation_id=chat,
            dropped=dropped,
            thread=chat,
        )

    def headers_of(self, run_id: str, **about: object) -> Mapping[str, str]:
        return {"x-vercel-ai-ui-message-stream": "v1"}

    def id_prefix(self, run_id: str) -> None:
        return None  # the client reads a resumed stream from its first frame

    def gap(self, run_id: str, first: int, last: int) -> bytes:
        return b""

    def encode(self, event: Event) -> bytes:
        if isinstance(event, TextDelta):
            text = encode_basestring_ascii(event.text)
            id_ = self._ids[event.block]
            return f'data: {{"type":"text-delta","id":"{id_}","delta":{text}}}\n\n'.encode()
        frames = b"".join(map(data_frame, self._parts(event)))
        return frames + DONE if isinstance(event, (RunFinished, RunError)) else frames

    def _parts(self, event: Event) -> Iterator[Part]:
        match event:
            case RunStarted(run_id=run_id):
                self._run_id = run_id
                yield {"type": "start"} | ({} if self._continues else {"messageId": run_id})
            case ModelStarted():
                # Concurrent models share a step: its end ends every part in it.
                if not self._models:
                    yield from self._end_step()
                    self._in_step = True
                    yield {"type": "start-step"}
                self._models += 1
            case ModelFinished(reason=reason):
                self._models -= 1
                self._reason = reason
                add_usage(self._usage, event.usage)
            case BlockStarted(step=step, block=block, kind=kind):
                agent = {"providerMetadata": {"langchain": {"agent": step.agent}}}
                part = {"type": f"{kind}-start", "id": self._ids[block]}
                yield part | (agent if step.agent else {})
            case ReasoningDelta(block=block, text=text):
                yield {"type": "reasoning-delta", "id": self._ids[block], "delta": text}
            case BlockFinished(block=block, kind=kind):
                yield {"type": f"{kind}-end", "id": self._ids[block]}
            case SourceFound(source_id=id_, title=title):
                source = {"sourceId": id_, "title": title}
                if event.url is None:
                    yield {"type": "source-document", "mediaType": event.media_type, **source}
                else:
                    yield {"type": "source-url", "url": event.url, **source}
            case FileMade(media_type=media_type, url=url):
                yield {"type": "file", "url": url, "mediaType": media_type}
            case Custom(name=name, data=data):
                own = data.get("id") if isinstance(data, Mapping) else None
                label: Part = {"id": own} if isinstance(own, str) else {"transient": True}
                yield {"type": f"data-{name}", "data": data, **label}
            case RunFinished(interrupts=interrupts):
                for each in interrupts:
                    question = {"id": each.id, "value": each.value}
                    yield {"type": "data-interrupt", "id": each.id, "data": question}
                yield from self._end_step()
                usage = {"messageMetadata": {"usage": self._usage}} if self._usage else {}
                reason = self._reason.replace("_", "-")
                yield {"type": "finish", "finishReason": reason, **usage}
            case RunError(code="cancelled"):
                yield {"type": "abort"}
            case RunError():
                yield {"type": "error", "errorText": error_text(event)}
            case _:
                yield from self._tool_parts(event)

    def _tool_parts(self, event: Event) -> Iterator[Part]:
        match event:
            case ToolCallStarted(call_id=id_, name=name, message=message):
                if message == self._run_id and not event.hosted:
                    self._client_calls.add(id_)
                yield {"type": "tool-input-start", "toolName": name, **self._tool(id_)}
            case ToolCallDelta(call_id=id_, text=text):
                yield {"type": "tool-input-delta", "toolCallId": id_, "inputTextDelta": text}
            case ToolCalled(call_id=id_, name=name, arguments=arguments, valid=valid):
                type_, error = "tool-input-available", {}
                if not valid:
                    type_, error = "tool-input-error", {"errorText": "The arguments are not JSON."}
                call = {"toolName": name, "input": arguments}
                yield {"type": type_, **call, **error, **self._tool(id_)}
            case ToolCallResumed(call_id=id_, name=name) if id_ not in self._known_calls:
                # The client looks for the call in the message of the answer, and fails without.
                call = {"toolName": name, "input": event.arguments}
                yield {"type": "tool-input-available", **call, **self._tool(id_)}
            case ToolFinished(call_id=id_, output=output):
                yield {"type": "tool-output-available", "output": output, **self._tool(id_)}
            case ToolFailed(call_id=id_, message=message):
                yield {"type": "tool-output-error", "errorText": message, **self._tool(id_)}

    def _tool(self, call_id: str) -> Part:
        executed = {} if call_id in self._client_calls else {"providerExecuted": True}
        return {"toolCallId": call_id, "dynamic": True, **executed}

    def _end_step(self) -> Iterator[Part]:
        if self._in_step:
            self._in_step = False
            yield {"type": "finish-step"}

    def decode(self, frame: Frame) -> Iterator[Event]:
        part: Any = None if frame.data == DONE_DATA else frame.json()
        match part:
            case _ if frame.data == DONE_DATA:
                yield RunFinished(RUN, None, self._interrupts)
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
            case {"type": "tool-input-start", "toolCallId": id_, "toolName": name}:
                yield self._calls.started(id_, name)
            case {"type": "tool-input-delta", "toolCallId": id_, "inputTextDelta": text}:
                yield self._calls.delta(id_, text)
            case {"type": "tool-input-available", "toolCallId": id_, "toolName": name}:
                yield self._calls.called(id_, name, part.get("input"))
            case {"type": "tool-input-error", "toolCallId": id_, "toolName": name}:
                yield self._calls.called(id_, name, part.get("input"), valid=False)
            case {"type": "tool-output-available", "toolCallId": id_, "output": output}:
                yield self._calls.finished(id_, output)
            case {"type": "tool-output-error", "toolCallId": id_, "errorText": text}:
                yield self._calls.failed(id_, text)

    @classmethod
    def recognizes(cls, frame: Frame) -> bool:
        return object_in(frame).get("type") == "start"

    @classmethod
    def refusal(cls, error: RunError) -> tuple[bytes, str]:
        return error_text(error).encode(), "text/plain"
