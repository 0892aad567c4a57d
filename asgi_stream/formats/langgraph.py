"""The LangGraph Server's API, for ``useStream``, ``RemoteGraph`` and the SDKs.

https://docs.langchain.com/langsmith/server-api-ref, read in npm ``@langchain/langgraph-sdk`` 2.0.0
and 1.15.0 and in PyPI ``langgraph-sdk`` 0.4.14. The SDKs use the paths below the route's; a
``FetchStreamTransport`` uses the route's own path only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from json.encoder import encode_basestring_ascii
from typing import Any, ClassVar
from urllib.parse import quote

from ..events import Event, Interrupt, OutputChunk, RunError, RunFinished, RunStarted
from ..serialize import to_json
from ..stores import RunRecord
from ._decoded import RUN
from ._format import RUNS, Format
from ._frame import Frame
from ._langgraph_commands import command_spec
from ._langgraph_documents import run_document, runs_document, thread_document
from ._langgraph_protocol import ProtocolEncoder
from ._langgraph_request import assistant_of, graph_name, page_of
from ._langgraph_request import search as search_assistants
from ._langgraph_run import run_spec
from ._langgraph_threads import COMMANDS, LANGGRAPH_THREAD_RUNS, LANGGRAPH_THREADS, thread_query
from ._spec import Document, FormatRequest, RunSpec
from ._sse import decode_interrupts
from ._threads import ThreadQuery

LIBRARIES = ("langgraph_", "lc_", "ls_")
PUBLIC = ("checkpoint_ns", "tags", "thread_id", "run_id", "graph_id", "assistant_id")
"""The keys of a message's metadata that are sent; other keys are the server's own."""


class LangGraphFormat(Format):
    """``POST ""``, ``/runs/stream`` and ``/runs/wait``; ``/info``, ``/ok``, ``/assistants/search``.

    The assistants are the names of the route's graphs. On a route without threads each run starts
    with its input alone; with threads there is all that is below ``/threads``.
    """

    endpoints = (
        ("POST", ""),
        ("POST", "/runs/stream"),
        ("POST", "/runs/wait"),
        ("POST", "/assistants/search"),
        ("POST", "/assistants/count"),
        ("GET", "/assistants/{assistant_id}"),
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
    multitask = "enqueue"
    wants = frozenset({OutputChunk})

    def __init__(self) -> None:
        self._modes: tuple[str, ...] = ()
        self._request = FormatRequest()
        self._messages: dict[str, Any] = {}
        self._stopped = False
        self._last_piece: tuple[Any, bytes, bytes] = None, b"", b""
        self._interrupts: Sequence[Interrupt] = ()
        self._protocol: ProtocolEncoder | None = None

    def parse(self, request: FormatRequest) -> RunSpec | Document:
        match request.endpoint:
            case "/ok":
                return Document({"ok": True})
            case "/info":
                return Document({"version": "0", "flags": {"assistants": True, "crons": False}})
            case "/assistants/search":
                return page_of(search_assistants(request), request.body)
            case "/assistants/count":
                return Document(len(search_assistants(request)))
            case "/assistants/{assistant_id}":
                name = graph_name(request.params["assistant_id"], request)
                return Document(assistant_of(str(name)))
            case str(endpoint) if endpoint == COMMANDS:
                command, self._protocol = command_spec(request)
                return command
        spec, self._modes = run_spec(request)
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
        return {"Content-Location": path} | ({"Location": f"{path}/stream"} if resumable else {})

    def id_prefix(self, run_id: str) -> str:
        return ""

    def gap(self, run_id: str, first: int, last: int) -> bytes:
        return b""

    def run_object(self, record: RunRecord) -> object:
        return run_document(record)

    def runs_document(self, records: Sequence[RunRecord], request: FormatRequest) -> object:
        return runs_document(records, request.body)

    def encode(self, event: Event) -> bytes:
        if self._protocol is not None:
            return self._protocol.encode(event)
        match event:
            case RunStarted(run_id=run_id):
                return _frame("metadata", {"run_id": run_id, "attempt": 1})
            case OutputChunk(mode="messages", data=(message, metadata)):
                path = _subgraph_path(event)
                if self._modes == ("messages-tuple",):
                    return self._piece(path, message, metadata)
                return b"".join(self._message_frames(path, message, metadata))
            case OutputChunk(mode="checkpoints" | "tasks" | "debug" as mode, data=data):
                return _frame(f"{mode}{_subgraph_path(event)}", _public_payload(mode, data))
            case OutputChunk(data=data):
                self._stopped |= isinstance(data, Mapping) and "__interrupt__" in data
                return _frame(f"{event.mode}{_subgraph_path(event)}", data)
            case RunFinished(interrupts=interrupts):
                # As the LangGraph Server does if none of the stream modes has the interrupts.
                unsent = interrupts and not self._stopped
                documents = [each.document for each in event.graph_interrupts]
                values = _frame("values", {"__interrupt__": documents}) if unsent else b""
                return values + _frame("end", None)
            case RunError():
                error = {"error": event.code, "message": event.message, "id": event.id}
                return _frame("error", error)
        return b""

    def decode(self, frame: Frame) -> Iterator[Event]:
        name, *namespace = frame.event.split("|")
        value = frame.json()
        match name, value:
            case "metadata", {"run_id": run_id}:
                yield RunStarted(str(run_id))
            case "end", _:
                yield RunFinished(RUN, None, self._interrupts)
            case "error", {"message": message}:
                code, id_ = str(value.get("error") or ""), str(value.get("id") or "")
                yield RunError(code, str(message), id_, status=0)
            case "values" | "updates", {"__interrupt__": list(interrupts)}:
                self._interrupts = decode_interrupts(interrupts)
                if len(value) > 1:
                    yield OutputChunk(RUN, value, name, tuple(namespace) or None)
            case (
                ("values" | "updates" | "custom" | "messages" | "checkpoints" | "tasks" | "debug"),
                _,
            ):
                yield OutputChunk(RUN, value, name, tuple(namespace) or None)

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
        if not _is_text_only(message):
            return _frame(f"messages{path}", [message, _public(metadata)])
        last, before, after = self._last_piece
        if last is None or last[0] != message.id or last[1] is not metadata:
            empty = message.model_copy(update={"content": "\0"})
            frame = _frame(f"messages{path}", [empty, _public(metadata)])
            before, after = frame.split(b'"\\u0000"', 1)  # the content comes first
            self._last_piece = (message.id, metadata), before, after
        return before + encode_basestring_ascii(message.content).encode() + after

    def _message_frames(self, path: str, message: Any, metadata: Any) -> Iterator[bytes]:
        if "messages-tuple" in self._modes:
            yield self._piece(path, message, metadata)
        if "messages" in self._modes:
            known = self._messages.get(message.id)
            if known is None:
                about = {message.id: {"metadata": _public(metadata)}}
                yield _frame("messages/metadata", about)
            is_chunk = type(message).__name__.endswith("Chunk")
            whole = known + message if known is not None and is_chunk else message
            self._messages[message.id] = whole
            yield _frame("messages/partial" if is_chunk else "messages/complete", [whole])


def _frame(name: str, value: Any) -> bytes:
    return f"event: {name}\ndata: ".encode() + to_json(value) + b"\n\n"


def _subgraph_path(chunk: OutputChunk) -> str:
    """Return what the API appends to the event name of a subgraph's chunk."""
    return "".join(f"|{part}" for part in chunk.namespace) if chunk.namespace else ""


def _public(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: value for key, value in metadata.items() if key.startswith(LIBRARIES) or key in PUBLIC
    }


def _public_payload(mode: str, data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what is sent of a checkpoint or a task, whose metadata is as a message's."""
    if mode == "debug":
        return {**data, "payload": _public_payload("", data["payload"])}
    metadata = data.get("metadata") or {}
    about = {key: metadata[key] for key in ("source", "step", "parents") if key in metadata}
    return {**data, "metadata": {**about, **_public(metadata)}}


def _is_text_only(message: Any) -> bool:
    """Return whether a chunk of a message has nothing but text."""
    return isinstance(message.content, str) and not (
        message.additional_kwargs
        or message.response_metadata
        or getattr(message, "tool_call_chunks", True)
        or message.usage_metadata
        or message.chunk_position
    )
