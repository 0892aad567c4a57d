"""The UI message stream of the Vercel AI SDK, version 1, for ``useChat`` and ``useCompletion``.

https://ai-sdk.dev/docs/ai-sdk-ui/stream-protocol, read in npm ``ai`` 7.0.173. The frames suit
``ai`` 5 and 6 too: every tool part is ``dynamic``, and parts that not all of them know are sent
only where threads make approvals possible, as the route's `sdk_version` says.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from json.encoder import encode_basestring_ascii
from typing import Any, ClassVar

from ..events import (
    ALL_EVENTS,
    BlockFinished,
    BlockStarted,
    Custom,
    Event,
    FileMade,
    ModelFinished,
    ModelStarted,
    ReasoningDelta,
    RunError,
    RunFinished,
    RunStarted,
    SourceFound,
    TextDelta,
)
from ._decoded import object_in
from ._format import Format
from ._frame import Frame
from ._resumable_format import RUNS
from ._spec import FormatRequest, RunSpec
from ._sse import DONE, ShortIds, data_frame, error_text
from ._threads import ThreadQuery, plain_query
from ._usage import add_usage
from ._vercel.decoder import PartDecoder
from ._vercel.history import answer_id, chat_document, chat_summary, source_part
from ._vercel.open import OpenParts
from ._vercel.replay import replay, with_replay
from ._vercel.request import Part, chat_spec
from ._vercel.tools import APPROVALS_SINCE, ToolParts


class VercelFormat(Format):
    """One assistant message: its text, reasoning, tools, sources, files and data as parts.

    Tools that the run executes itself are ``providerExecuted``, so that the browser does not run
    them again; those of a chat model that is served alone are the browser's. Custom events are
    ``data-NAME`` parts, transient unless their data has an ``id``. On a resumable route ``stop()``
    only disconnects: POST or DELETE to ``/{chat}/stream`` stops the run.

    With threads a chat is a thread. GET ``/{chat}`` returns its messages, GET ``/threads`` the
    caller's chats.
    """

    endpoints = (("POST", ""),)
    converses = True
    runs: ClassVar[Mapping[tuple[str, str], str]] = {
        **RUNS,
        ("GET", "/{stored_conversation}/stream"): "join",
        ("POST", "/{stored_conversation}/stream"): "stop",
        ("DELETE", "/{stored_conversation}/stream"): "stop",
    }
    threads: ClassVar[Mapping[tuple[str, str], str]] = {
        ("GET", "/threads"): "list",
        ("GET", "/{stored_thread}"): "show",
        ("DELETE", "/{stored_thread}"): "delete",
    }
    sdk_versions = (5, 6, 7)
    system_messages = False
    continues = answers_with_resume = True
    wants = ALL_EVENTS

    def __init__(self) -> None:
        self._run_id = ""
        self._continues = False
        self._before: Sequence[Part] = ()
        self._tools = ToolParts(FormatRequest(), RunSpec(), None)
        self._ids = ShortIds()
        self._in_step = False
        self._models = 0
        self._reason = "stop"
        self._usage: dict[str, int] = {}
        self._message_id: str | None = None
        self._approves = False
        self._decoder = PartDecoder()
        self._restored = False

    def parse(self, request: FormatRequest) -> RunSpec:
        spec, continued = chat_spec(request)
        self._continues = continued is not None
        self._tools = ToolParts(request, spec, continued)
        if request.threads:
            # The same as after a reload, so that a stream that is read again replaces the message.
            id_ = answer_id(spec.messages or ()) if continued is None else continued.get("id")
            self._message_id = id_ if isinstance(id_, str) else None
            if continued is not None and request.resumable:
                self._before = continued["parts"]
        return spec

    def headers_of(self, run_id: str, **about: object) -> Mapping[str, str]:
        return {"x-vercel-ai-ui-message-stream": "v1"}

    def id_prefix(self, run_id: str) -> None:
        return None  # the client reads a resumed stream from its first frame

    def gap(self, run_id: str, first: int, last: int) -> bytes:
        return b""

    def first_frame(self, frame: bytes) -> bytes:
        return replay(frame)

    def encode(self, event: Event) -> bytes:
        if isinstance(event, TextDelta):
            text = encode_basestring_ascii(event.text)
            id_ = self._ids[event.block]
            return f'data: {{"type":"text-delta","id":"{id_}","delta":{text}}}\n\n'.encode()
        frames = b"".join(map(data_frame, self._parts(event)))
        if isinstance(event, RunStarted) and frames:
            return with_replay(frames, self._before)
        return frames + DONE if isinstance(event, (RunFinished, RunError)) else frames

    def _parts(self, event: Event) -> Iterator[Part]:
        match event:
            case RunStarted(run_id=run_id):
                self._run_id = run_id
                if self._restored:
                    return
                id_ = self._message_id or ("" if self._continues else run_id)
                yield {"type": "start"} | ({"messageId": id_} if id_ else {})
                yield from self._tools.answered
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
            case SourceFound(source_id=id_, title=title, url=source_url):
                yield source_part(id_, title, source_url, event.media_type)
            case FileMade(media_type=media_type, url=url):
                yield {"type": "file", "url": url, "mediaType": media_type}
            case Custom(name=name, data=data):
                own = data.get("id") if isinstance(data, Mapping) else None
                label: Part = {"id": own} if isinstance(own, str) else {"transient": True}
                yield {"type": f"data-{name}", "data": data, **label}
            case RunFinished(interrupts=interrupts):
                yield from self._tools.questions(interrupts)
                yield from self._end_step()
                usage = {"messageMetadata": {"usage": self._usage}} if self._usage else {}
                reason = self._reason.replace("_", "-")
                yield {"type": "finish", "finishReason": reason, **usage}
            case RunError(code="cancelled"):
                yield {"type": "abort"}
            case RunError():
                yield {"type": "error", "errorText": error_text(event)}
            case _:
                yield from self._tools.of(event, self._run_id, in_step=self._in_step)

    def restore(self, frames: Iterable[Frame], attempt: int, calls: Collection[str]) -> bytes:
        stream = OpenParts()
        for frame in frames:
            stream.read(object_in(frame))
        self._restored, self._in_step = stream.started, stream.in_step
        for id_ in stream.ids:
            self._ids[id_]  # numbers it
        parts = *stream.ends(), *self._tools.restore(stream.calls, calls)
        return b"".join(map(data_frame, parts))

    def _end_step(self) -> Iterator[Part]:
        if self._in_step:
            self._in_step = False
            yield {"type": "finish-step"}

    def decode(self, frame: Frame) -> Iterable[Event]:
        return self._decoder.decode(frame)

    def thread_query(self, operation: str, request: FormatRequest) -> ThreadQuery:
        self._approves = request.sdk_version >= APPROVALS_SINCE
        return replace(plain_query(request), with_messages=operation != "delete")

    def thread_document(self, operation: str, result: Any) -> object:
        if operation == "list":
            return {"threads": [chat_summary(each) for each in result]}
        return chat_document(result, approves=self._approves)

    @classmethod
    def recognizes(cls, frame: Frame) -> bool:
        return object_in(frame).get("type") == "start"

    @classmethod
    def refusal(cls, error: RunError) -> tuple[bytes, str]:
        return error_text(error).encode(), "text/plain"
