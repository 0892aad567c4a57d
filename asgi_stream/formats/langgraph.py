"""The stateless part of the LangGraph Server's API, for a graph's ``useStream`` and SDK clients.

https://docs.langchain.com/langsmith/server-api-ref, read in npm ``@langchain/langgraph-sdk`` 2.0.0
and 1.15.0 and in PyPI ``langgraph-sdk`` 0.4.14. Below the SDK's URL are its paths; the route's own
path is for a ``FetchStreamTransport``, which knows no others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from json.encoder import encode_basestring_ascii
from typing import Any, ClassVar
from uuid import NAMESPACE_URL, uuid5

from ..errors import NotFound, listed, one_line
from ..events import Event, OutputChunk, RunError, RunFinished, RunStarted
from ..serialize import to_json
from ..stores import RunRecord
from ._content import refused
from ._format import RUNS, Document, Format, FormatRequest, RunSpec
from ._sse import time_of

MODES = {
    "values": "values",
    "updates": "updates",
    "custom": "custom",
    "messages": "messages",
    "messages-tuple": "messages",
}
"""The stream modes of the API that are offered, with those of the graph."""

ALL_AT_ONCE = ("values", "messages-tuple", "updates", "custom")
"""What a ``FetchStreamTransport`` reads, which does not say what it wants."""

THREAD = ("thread_id", "checkpoint_id", "checkpoint_ns", "checkpoint_map")
"""What clients always send of a thread; it matters only where the route lists it."""

LIBRARIES = ("langgraph_", "lc_", "ls_")
PUBLIC = ("checkpoint_ns", "tags", "thread_id", "run_id", "graph_id", "assistant_id")
"""Of a message's metadata what LangGraph and LangChain say; the rest is the server's own."""

NOT_OFFERED = ("command", "checkpoint", "interrupt_before", "interrupt_after", "webhook")


SORTS = ("assistant_id", "graph_id", "name", "created_at", "updated_at")
STATUS = {"done": "success", "failed": "error", "cancelled": "interrupted"}
STATUS |= {state: state for state in ("pending", "running")}


class LangGraphFormat(Format):
    """``POST ""``, ``/runs/stream`` and ``/runs/wait``; ``/info``, ``/ok``, ``/assistants/search``.

    The assistants are the names of the route's graphs. There are no threads: each run begins with
    the input that it is given.
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
    wants = frozenset({OutputChunk})

    def __init__(self) -> None:
        self._asked: tuple[str, ...] = ()
        self._wholes: dict[str, Any] = {}
        self._stopped = False
        self._same: tuple[Any, bytes, bytes] = None, b"", b""

    def parse(self, asked: FormatRequest) -> RunSpec | Document:
        match asked.endpoint:
            case "/ok":
                return Document({"ok": True})
            case "/info":
                return Document({"version": "0", "flags": {"assistants": True, "crons": False}})
            case "/assistants/search":
                return _page(_found(asked), asked.body)
            case "/assistants/count":
                return Document(len(_found(asked)))
            case "/assistants/{assistant_id}":
                return Document(_assistant(str(_named(asked.params["assistant_id"], asked))))
        body = asked.body
        if not isinstance(body, dict):
            raise refused("body", "expected an object")
        for key in NOT_OFFERED:
            if body.get(key):
                raise refused(key, "this server keeps no threads, and does not offer it")
        stream: dict[str, Any] = {}
        if asked.endpoint != "/runs/wait":
            default = ("values",) if asked.endpoint else ALL_AT_ONCE
            self._asked = _modes(body.get("stream_mode"), default)
            stream["stream_mode"] = list(dict.fromkeys(MODES[mode] for mode in self._asked))
            if body.get("stream_subgraphs"):
                stream["subgraphs"] = True
        else:
            stream["stream_mode"] = ["values"]
        if context := _chosen(asked, "context", body.get("context")):
            stream["context"] = context
        config = body.get("config")
        given = config.get("configurable") if isinstance(config, dict) else None
        return RunSpec(
            input=body.get("input"),
            model=_named(body.get("assistant_id"), asked),
            configurable=_chosen(asked, "configurable", given),
            stream=stream,
            gathered=asked.endpoint == "/runs/wait",
            cancel_on_disconnect=body.get("on_disconnect") == "cancel",
        )

    def headers_of(self, run_id: str, *, resumable: bool = False) -> Mapping[str, str]:
        place = f"/runs/{run_id}"  # below the SDK's URL, in front of which clients put that
        return {"Content-Location": place} | ({"Location": f"{place}/stream"} if resumable else {})

    def id_prefix(self, run_id: str) -> str:
        return ""

    def gap(self, run_id: str, first: int, last: int) -> bytes:
        return b""

    def run_object(self, record: RunRecord) -> object:
        return {
            "run_id": record.run_id,
            "thread_id": None,
            "assistant_id": None,
            "created_at": time_of(record.created),
            "updated_at": time_of(record.ended or record.started or record.created),
            "status": STATUS[record.state],
            "metadata": {},
            "kwargs": {},
            "multitask_strategy": "enqueue",
        }

    def encode(self, event: Event) -> bytes:
        match event:
            case RunStarted(run_id=run_id):
                return _frame("metadata", {"run_id": run_id, "attempt": 1})
            case OutputChunk(mode="messages", data=(message, about)):
                place = _place(event)
                if self._asked == ("messages-tuple",):
                    return self._piece(place, message, about)
                return b"".join(self._message(place, message, about))
            case OutputChunk(data=data):
                self._stopped |= isinstance(data, Mapping) and "__interrupt__" in data
                return _frame(f"{event.mode}{_place(event)}", data)
            case RunFinished(interrupts=interrupts):
                # As the LangGraph Server does where no mode that was asked for has told of it.
                untold = interrupts and not self._stopped
                asked = (
                    _frame("values", {"__interrupt__": event.graph_interrupts}) if untold else b""
                )
                return asked + _frame("end", None)
            case RunError():
                told = {"error": event.code, "message": event.message, "id": event.id}
                return _frame("error", told)
        return b""

    def gather(self, event: Event) -> object:
        return event.state if isinstance(event, RunFinished) else None

    def document(self, run_id: str, gathered: object, end: RunFinished) -> object:
        return gathered

    def failure(self, end: RunError) -> object:
        # Of a server's own "error" and "message" the SDKs make the exception that they raise.
        return {"__error__": {"error": end.code, "message": end.message, "id": end.id}}

    @classmethod
    def refusal(cls, error: RunError) -> tuple[bytes, str]:
        told = {"detail": error.message, "code": error.code, "id": error.id}
        return to_json(told), "application/json"

    def _piece(self, place: str, message: Any, about: Mapping[str, Any]) -> bytes:
        """A piece of a message, whose frame is the last one's but for its text, as a rule."""
        if not _is_text_only(message):
            return _frame(f"messages{place}", [message, _for_clients(about)])
        known, before, after = self._same
        if known is None or known[0] != message.id or known[1] is not about:
            empty = message.model_copy(update={"content": "\0"})
            frame = _frame(f"messages{place}", [empty, _for_clients(about)])
            before, after = frame.split(b'"\\u0000"', 1)  # the content comes first
            self._same = (message.id, about), before, after
        return before + encode_basestring_ascii(message.content).encode() + after

    def _message(self, place: str, message: Any, about: Mapping[str, Any]) -> Iterator[bytes]:
        if "messages-tuple" in self._asked:
            yield self._piece(place, message, about)
        about = _for_clients(about)
        if "messages" in self._asked:
            known = self._wholes.get(message.id)
            if known is None:
                yield _frame("messages/metadata", {message.id: {"metadata": about}})
            piece = type(message).__name__.endswith("Chunk")
            whole = known + message if known is not None and piece else message
            self._wholes[message.id] = whole
            yield _frame("messages/partial" if piece else "messages/complete", [whole])


def _frame(name: str, value: Any) -> bytes:
    return f"event: {name}\ndata: ".encode() + to_json(value) + b"\n\n"


def _place(chunk: OutputChunk) -> str:
    """The subgraph that a chunk comes from, as the API writes it."""
    return "".join(f"|{part}" for part in chunk.namespace) if chunk.namespace else ""


def _for_clients(about: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: value for key, value in about.items() if key.startswith(LIBRARIES) or key in PUBLIC
    }


def _is_text_only(message: Any) -> bool:
    """Whether a chunk of a message has nothing but its text that the one before had not."""
    return isinstance(message.content, str) and not (
        message.additional_kwargs
        or message.response_metadata
        or getattr(message, "tool_call_chunks", True)
        or message.usage_metadata
        or message.chunk_position
    )


def _modes(given: Any, default: tuple[str, ...]) -> tuple[str, ...]:
    if given is None:
        return default
    modes = [given] if isinstance(given, str) else given
    known = isinstance(modes, list) and all(mode in list(MODES) for mode in modes)
    if not known or not modes:
        raise refused("stream_mode", f"expected one or more of {', '.join(MODES)}")
    return tuple(modes)


def _named(name: Any, asked: FormatRequest) -> str | None:
    """Which of the route's graphs the client names, by its name or by the id made of that."""
    if name is None and not asked.endpoint:
        return None
    for known in asked.models:
        if name in (known, _assistant(known)["assistant_id"]):
            return known
    there = listed(list(asked.models))
    raise NotFound(f"There is no assistant {one_line(repr(name), 200)} here, only {there}.")


def _chosen(asked: FormatRequest, name: str, given: Any) -> dict[str, Any]:
    """What the client may set, of what it has sent; all else that is not a thread's is refused."""
    chosen = given if isinstance(given, dict) else {}
    for key in chosen:
        if key not in asked.configurable and key not in THREAD:
            raise refused(f"{name}.{key}", "this route does not take it")
    return {key: value for key, value in chosen.items() if key in asked.configurable}


def _found(asked: FormatRequest) -> list[dict[str, Any]]:
    """The assistants that a search is for: by graph, by a part of the name, by metadata."""
    body = asked.body if isinstance(asked.body, dict) else {}
    graph, name, metadata = body.get("graph_id"), body.get("name"), body.get("metadata") or {}
    if not isinstance(metadata, dict) or not isinstance(name, str | None):
        raise refused("metadata or name", "expected an object and a text")
    return [
        each
        for each in map(_assistant, asked.models)
        if graph in (None, each["graph_id"])
        and (name or "").lower() in each["name"].lower()
        and all(each["metadata"].get(key) == value for key, value in metadata.items())
    ]


def _page(found: list[dict[str, Any]], body: Any) -> Document:
    """A part of the assistants that were found, in the order and with the fields asked for."""
    body = body if isinstance(body, dict) else {}
    by, select = body.get("sort_by"), body.get("select")
    first, limit = body.get("offset"), body.get("limit")
    first, limit = 0 if first is None else first, 10 if limit is None else limit
    if type(first) is not int or type(limit) is not int or first < 0 or limit < 1:
        raise refused("limit", "expected a positive number, and offset zero or more")
    if by is not None:
        if by not in SORTS:
            raise refused("sort_by", f"expected one of {', '.join(SORTS)}")
        found = sorted(found, key=lambda each: str(each[by]))
        if body.get("sort_order") != "asc":
            found.reverse()
    last = first + limit
    more = {"X-Pagination-Next": str(last)} if last < len(found) else {}
    found = found[first:last]
    if isinstance(select, list):
        found = [{key: each[key] for key in each if key in select} for each in found]
    return Document(found, headers=more)


def _assistant(name: str) -> dict[str, Any]:
    began = "2026-01-01T00:00:00+00:00"
    return {
        "assistant_id": str(uuid5(NAMESPACE_URL, name)),
        "graph_id": name,
        "name": name,
        "config": {},
        "context": {},
        "metadata": {"created_by": "system"},
        "version": 1,
        "created_at": began,
        "updated_at": began,
    }
