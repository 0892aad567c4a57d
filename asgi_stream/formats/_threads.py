"""Requests about threads, and what is returned of a thread."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ..errors import InvalidInput
from ..events import Interrupt
from ..stores import ThreadRecord, ThreadStatus
from ._spec import FormatRequest
from ._sse import time_of

STORED_THREAD = "stored_thread"
"""The path parameter of endpoints for one thread (`Format.threads`)."""

THREADS: Mapping[tuple[str, str], str] = {
    ("GET", "/threads"): "list",
    ("GET", "/threads/{stored_thread}"): "show",
    ("POST", "/threads/{stored_thread}"): "run",
    ("DELETE", "/threads/{stored_thread}"): "delete",
    ("GET", "/threads/{stored_thread}/state"): "state",
    ("GET", "/threads/{stored_thread}/history"): "history",
    ("GET", "/threads/{stored_thread}/messages"): "messages",
}
"""The endpoints for threads of the native formats, below a route's path, with their operations."""

THREADS_WITHOUT_RUNS = {
    endpoint: operation for endpoint, operation in THREADS.items() if operation != "run"
}
"""The same for formats whose runs have endpoints of their own."""

QUERIES: Mapping[str, Collection[str]] = {
    "list": ("limit", "offset"),
    "history": ("limit", "before"),
}
"""The keys in the query of those operations that have any."""

MOST = 1000
"""How many threads, or states of a thread, a request may ask for at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadQuery:
    """A request about threads, in neutral terms.

    Attributes:
        thread_id: The id of a thread to be created; None: a new one.
        may_exist: Whether it may exist already.
        metadata: Metadata of a thread to be created or changed, or that threads or checkpoints to
            be returned must have.
        status: The status of threads to be returned.
        ids: Their ids, if only some are asked for.
        keep_latest: Whether only what is not their newest state is deleted.
        limit: How many threads or states to return.
        offset: How many threads to leave out.
        sort_by: A field of `asgi_stream.stores.ThreadRecord`.
        ascending: Whether the lowest comes first.
        with_state: Whether the state of each thread is asked for, too.
        with_messages: Whether its messages are.
        checkpoint: The ``configurable`` keys of a checkpoint of the thread.
        before: The id of a checkpoint that the states to be returned must be older than.
        subgraphs: Whether the states of subgraphs are asked for, too.
        values: What to write to the state of the thread.
        as_node: The node in whose name it is written.
    """

    thread_id: str | None = None
    may_exist: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)
    status: str | None = None
    ids: Sequence[str] | None = None
    keep_latest: bool = False
    limit: int = 10
    offset: int = 0
    sort_by: Literal["thread_id", "status", "created", "updated"] = "updated"
    ascending: bool = False
    with_state: bool = False
    with_messages: bool = False
    checkpoint: Mapping[str, Any] | None = None
    before: str | None = None
    subgraphs: bool = False
    values: Any = None
    as_node: str | None = None


@dataclass(frozen=True, slots=True)
class ThreadView:
    """A thread as its owner may see it.

    Attributes:
        record: What the store of threads has of it.
        state: Its state, as LangGraph's ``ThreadState``, if that was asked for.
        messages: Its messages, in the form of `RunSpec.messages`, if they were asked for; files
            have a ``url``, and results ``denied`` if a person has rejected the call.
        interrupts: What it waits for, if its state was asked for: its interrupts, with the calls
            that they are about, or a breakpoint, which the state does not have.
    """

    record: ThreadRecord
    state: Mapping[str, Any] | None = None
    messages: Sequence[Mapping[str, Any]] = ()
    interrupts: Sequence[Interrupt] = ()

    @property
    def status(self) -> ThreadStatus:
        """The status of the thread, from its state if that is known."""
        if self.state is None or self.record.status == "busy":
            return self.record.status
        if self.interrupts:
            return "interrupted"
        failed = any(task["error"] for task in self.state["tasks"])
        return "error" if failed else "idle"


def plain_query(
    request: FormatRequest, accepted: Collection[str] = ("limit", "offset", "before")
) -> ThreadQuery:
    """Return the query of a GET request: ``?limit=20&offset=40&before=CHECKPOINT``.

    Args:
        request: The request.
        accepted: The keys that it may have.

    Raises:
        InvalidInput: A key is unknown, or not what was expected.
    """
    keys = request.body if isinstance(request.body, dict) else {}
    for key in keys:
        if key not in accepted:
            raise InvalidInput.at(key, "this endpoint does not accept it")
    before = keys.get("before")
    return ThreadQuery(
        limit=count_of("limit", keys.get("limit", 10), 1),
        offset=count_of("offset", keys.get("offset", 0), 0),
        before=None if before is None else str(before),
    )


def count_of(path: str, value: Any, least: int, most: int = MOST) -> int:
    """Return a whole number in a request.

    Raises:
        InvalidInput: It is none, or out of bounds.
    """
    text = value if isinstance(value, str) else str(value) if type(value) is int else ""
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else -1
    if not least <= number <= most:
        raise InvalidInput.at(path, f"expected a number from {least} to {most}")
    return number


def plain_document(operation: str, result: Any) -> object:
    """Return the JSON of a result for the native formats.

    Args:
        operation: The operation, one of `THREADS`.
        result: A `ThreadView` for ``show``, a list of them for ``list``, a state for ``state`` and
            ``messages``, a list of them for ``history``.
    """
    match operation:
        case "list":
            return {"threads": [_thread(each) for each in result]}
        case "show":
            return _thread(result)
        case "history":
            return {"states": result}
        case "messages":
            values = result["values"]
            messages = values.get("messages") if isinstance(values, Mapping) else values
            # Until a run has begun to write, the newest state is that of the run before it.
            return {"messages": messages or [], "run_id": result["metadata"].get("run_id")}
    return result


def _thread(view: ThreadView) -> dict[str, Any]:
    record = view.record
    thread: dict[str, Any] = {
        "thread_id": record.thread_id,
        "created_at": time_of(record.created),
        "updated_at": time_of(record.updated),
        "status": view.status,
        "metadata": record.metadata,
        # Who loads a page again in the middle of an answer joins its run.
        "run_id": record.runs[0] if view.status == "busy" and record.runs else None,
    }
    return {**thread, "interrupts": [each.document for each in view.interrupts]}
