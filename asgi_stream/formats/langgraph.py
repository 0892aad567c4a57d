"""The LangGraph Server's API, for ``useStream``, ``RemoteGraph`` and the SDKs.

https://docs.langchain.com/langsmith/server-api-ref, read in npm ``@langchain/langgraph-sdk`` 2.0.0
and 1.15.0 and in PyPI ``langgraph-sdk`` 0.4.14. The SDKs use the paths below the route's; a
``FetchStreamTransport`` uses the route's own path only.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import quote

from ..events import Event, LangChainEvent, OutputChunk, RunError, RunFinished, RunStarted
from ..serialize import to_json
from ..stores import RunRecord
from ._format import Format
from ._frame import Frame
from ._langgraph.assistants import ASSISTANTS, assistant_document
from ._langgraph.assistants import NOT_OFFERED as FIXED_ASSISTANTS
from ._langgraph.blocks import is_text_only
from ._langgraph.chunks import client_metadata, public_payload
from ._langgraph.commands import command_spec
from ._langgraph.decoder import LangGraphDecoder
from ._langgraph.documents import run_document, runs_document, thread_document
from ._langgraph.older_frames import joined_frames
from ._langgraph.protocol import ProtocolEncoder
from ._langgraph.request import EVENTS, frame_filter
from ._langgraph.result import LangGraphRun
from ._langgraph.run import run_spec
from ._langgraph.thread_protocol import LangGraphThreads
from ._langgraph.threads import (
    COMMANDS,
    LANGGRAPH_THREAD_RUNS,
    LANGGRAPH_THREADS,
    NOT_OFFERED,
    thread_query,
)
from ._resumable_format import RUNS
from ._spec import Document, FormatRequest, RunSpec
from ._sse import TextTemplate, named_frame
from ._threads import ThreadQuery
from .events import event_object

HIDDEN = "langsmith:hidden"
"""The tag of steps whose events the LangGraph Server does not send either."""


class LangGraphFormat(Format):
    """``POST ""``, ``/runs/stream`` and ``/runs/wait``; ``/info``, ``/ok``, ``/assistants/search``.

    The assistants are the names of the route's graphs. On a route without threads each run starts
    with its input alone; with threads there is all that is below ``/threads``.
    """

    endpoints = (
        ("POST", ""),
        ("POST", "/runs/stream"),
        ("POST", "/runs/wait"),
        *ASSISTANTS,
        ("GET", "/info"),
        ("GET", "/ok"),
    )
    chooses = graphs = True
    runs: ClassVar[Mapping[tuple[str, str], str]] = {
        **RUNS,
        ("GET", "/runs/{run_id}"): "state",
        ("GET", "/runs/{run_id}/stream"): "join",
        ("POST", "/runs/{run_id}/cancel"): "stop",
    }
    threads = LANGGRAPH_THREADS
    thread_runs = LANGGRAPH_THREAD_RUNS
    not_offered: ClassVar[Mapping[tuple[str, str], str]] = {**FIXED_ASSISTANTS, **NOT_OFFERED}
    multitask = "enqueue"
    joins_at_location = False
    run_resource = LangGraphRun()
    thread_protocol = LangGraphThreads(lambda: LangGraphFormat().decode)
    continues = True
    unfiltered = (OutputChunk,)
    wants = frozenset({OutputChunk, LangChainEvent})

    def __init__(self) -> None:
        self.wants = frozenset({OutputChunk})
        self._modes: tuple[str, ...] = ()
        self._request = FormatRequest()
        self._messages: dict[str, Any] = {}
        self._stopped = False
        self._last_piece: tuple[Any, Any, TextTemplate | None] = None, None, None
        self._decoder = LangGraphDecoder()
        self._protocol: ProtocolEncoder | None = None
        self._attempt = 1
        self._waits = False

    def parse(self, request: FormatRequest) -> RunSpec | Document:
        match request.endpoint:
            case "/ok":
                return Document({"ok": True})
            case "/info":
                return Document({"version": "0", "flags": {"assistants": True, "crons": False}})
            case str(endpoint) if (document := assistant_document(request)) is not None:
                return document
            case str(endpoint) if endpoint == COMMANDS:
                command, self._protocol = command_spec(request)
                return command
        spec, self._modes = run_spec(request)
        self._waits = bool(spec.gathered)
        if EVENTS in self._modes:
            self.wants = type(self).wants
        return spec

    def thread_query(self, operation: str, request: FormatRequest) -> ThreadQuery:
        self._request = request
        return thread_query(operation, request)

    def thread_document(self, operation: str, result: Any) -> object:
        return thread_document(operation, result, self._request)

    def headers_of(
        self, run_id: str, *, resumable: bool = False, thread_id: str | None = None
    ) -> Mapping[str, str]:
        # Clients prepend the SDK's URL.
        thread = "" if thread_id is None else f"/threads/{quote(thread_id, safe='')}"
        path = f"{thread}/runs/{run_id}"
        again = f"{path}/{'join' if self._waits else 'stream'}"
        return {"Content-Location": path} | ({"Location": again} if resumable else {})

    def id_prefix(self, run_id: str) -> str:
        return ""

    def gap(self, run_id: str, first: int, last: int) -> bytes:
        return b""

    def run_object(self, record: RunRecord) -> object:
        return run_document(record)

    def runs_document(self, records: Sequence[RunRecord], request: FormatRequest) -> object:
        return runs_document(records, request.body)

    def joined_frames(self, query: Mapping[str, Any]) -> Callable[[bytes], bytes] | None:
        return joined_frames(frame_filter(query))

    def encode(self, event: Event) -> bytes:
        if self._protocol is not None:
            return self._protocol.encode(event)
        match event:
            case RunStarted(run_id=run_id):
                return named_frame("metadata", {"run_id": run_id, "attempt": self._attempt})
            case OutputChunk(mode="messages", data=(message, metadata)):
                path = _subgraph_path(event)
                if self._modes == ("messages-tuple",):
                    return self._piece(path, message, metadata)
                return b"".join(self._message_frames(path, message, metadata))
            case OutputChunk(mode="checkpoints" | "tasks" | "debug" as mode, data=data):
                return named_frame(f"{mode}{_subgraph_path(event)}", public_payload(mode, data))
            case OutputChunk(data=data):
                self._stopped |= isinstance(data, Mapping) and "__interrupt__" in data
                return named_frame(f"{event.mode}{_subgraph_path(event)}", data)
            case LangChainEvent(step=step):
                shown = {**event_object(event), "metadata": client_metadata(event.metadata)}
                return b"" if HIDDEN in step.tags else named_frame(EVENTS, shown)
            case RunFinished(interrupts=interrupts):
                # As the LangGraph Server does if none of the stream modes has the interrupts.
                unsent = interrupts and not self._stopped
                documents = [each.document for each in event.graph_interrupts]
                values = named_frame("values", {"__interrupt__": documents}) if unsent else b""
                return values + named_frame("end", None)
            case RunError():
                error = {"error": event.code, "message": event.message, "id": event.id}
                return named_frame("error", error)
        return b""

    def restore(self, frames: Iterable[Frame], attempt: int, calls: Collection[str]) -> bytes:
        self._attempt = attempt
        return b"" if self._protocol is None else self._protocol.restore(frames, attempt)

    def decode(self, frame: Frame) -> Iterator[Event]:
        return self._decoder.decode(frame)

    @classmethod
    def recognizes(cls, frame: Frame) -> bool:
        name = frame.event.partition("|")[0]
        started = name == "metadata" and '"attempt"' in frame.data
        return started or name in ("values", "updates", "messages")

    def gather(self, event: Event) -> object:
        return event.state if isinstance(event, RunFinished) else None

    def document(self, run_id: str, gathered: object, end: RunFinished) -> object:
        return gathered

    def failure(self, end: RunError) -> object:
        # The SDKs raise an exception made of these fields.
        return {"__error__": {"error": end.code, "message": end.message, "id": end.id}}

    @classmethod
    def refusal(cls, error: RunError) -> tuple[bytes, str]:
        content = {"detail": error.message, "code": error.code, "id": error.id}
        return to_json(content), "application/json"

    def _piece(self, path: str, message: Any, metadata: Mapping[str, Any]) -> bytes:
        """Return the frame of a piece of a message, of which as a rule only the text changes."""
        if not is_text_only(message):
            return named_frame(f"messages{path}", [message, client_metadata(metadata)])
        id_, about, template = self._last_piece
        if template is None or id_ != message.id or about is not metadata:
            marked = message.model_copy(update={"content": TextTemplate.TEXT})
            piece = [marked, client_metadata(metadata)]
            template = TextTemplate(named_frame(f"messages{path}", piece))
            self._last_piece = message.id, metadata, template
        return template.frame(message.content)

    def _message_frames(self, path: str, message: Any, metadata: Any) -> Iterator[bytes]:
        if "messages-tuple" in self._modes:
            yield self._piece(path, message, metadata)
        if "messages" in self._modes:
            known = self._messages.get(message.id)
            if known is None:
                about = {message.id: {"metadata": client_metadata(metadata)}}
                yield named_frame("messages/metadata", about)
            is_chunk = type(message).__name__.endswith("Chunk")
            whole = self._messages[message.id] = known + message if known and is_chunk else message
            # Clients append a message whose type is that of a chunk.
            kind = whole.type.removesuffix("MessageChunk").lower()
            shown = whole.model_copy(update={"type": kind})
            yield named_frame("messages/partial" if is_chunk else "messages/complete", [shown])


def _subgraph_path(chunk: OutputChunk) -> str:
    """Return what the API appends to the event name of a subgraph's chunk."""
    return "".join(f"|{part}" for part in chunk.namespace) if chunk.namespace else ""
