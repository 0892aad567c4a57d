"""The requests about threads, and about their runs, of LangGraph's SDKs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from .._content import refused
from .._spec import FormatRequest
from .._threads import MOST, STORED_THREAD, ThreadQuery, count_of
from .run import object_of, position_of

THREAD = f"/threads/{{{STORED_THREAD}}}"

COMMANDS = f"{THREAD}/commands"

LANGGRAPH_THREADS: Mapping[tuple[str, str], str] = {
    ("POST", "/threads"): "create",
    ("POST", "/threads/search"): "list",
    ("POST", "/threads/count"): "count",
    ("POST", "/threads/prune"): "prune",
    ("GET", THREAD): "show",
    ("PATCH", THREAD): "change",
    ("DELETE", THREAD): "delete",
    ("POST", f"{THREAD}/copy"): "copy",
    ("GET", f"{THREAD}/state"): "state",
    ("POST", f"{THREAD}/state"): "update",
    ("POST", f"{THREAD}/state/checkpoint"): "state",
    ("GET", f"{THREAD}/state/{{checkpoint_id}}"): "state",
    ("GET", f"{THREAD}/history"): "history",
    ("POST", f"{THREAD}/history"): "history",
    ("POST", f"{THREAD}/runs/stream"): "run",
    ("POST", f"{THREAD}/runs/wait"): "run",
}
"""The endpoints for threads, with their operations."""

LANGGRAPH_THREAD_RUNS: Mapping[tuple[str, str], str] = {
    ("POST", f"{THREAD}/runs"): "start",
    ("GET", f"{THREAD}/runs"): "list",
    ("GET", f"{THREAD}/runs/{{run_id}}"): "state",
    ("DELETE", f"{THREAD}/runs/{{run_id}}"): "delete",
    ("GET", f"{THREAD}/runs/{{run_id}}/join"): "result",
    ("GET", f"{THREAD}/runs/{{run_id}}/stream"): "join",
    ("POST", f"{THREAD}/runs/{{run_id}}/cancel"): "stop",
    ("POST", COMMANDS): "command",
    ("POST", f"{THREAD}/stream/events"): "events",
}
"""The endpoints for the stored runs of a thread, with their operations."""

NO_CRONS = "This server has no crons; a scheduler of yours can start runs."
NO_STORE = "This server does not serve the items of a graph's store."
NO_BATCH = "This server starts one run for each request."
NO_THREADLESS = "A run in the background needs a thread: POST /threads/{thread_id}/runs."
ONE_BY_ONE = "Cancel runs one by one: POST /threads/{thread_id}/runs/{run_id}/cancel."
JOIN_RUNS = (
    "Join a run of the thread, GET /threads/{thread_id}/runs/{run_id}/stream, or read the events of"
    " all its runs, POST /threads/{thread_id}/stream/events."
)

NOT_OFFERED: Mapping[tuple[str, str], str] = {
    ("POST", "/runs/crons"): NO_CRONS,
    ("POST", "/runs/crons/search"): NO_CRONS,
    ("POST", "/runs/crons/count"): NO_CRONS,
    ("GET", "/runs/crons/{cron_id}"): NO_CRONS,
    ("PATCH", "/runs/crons/{cron_id}"): NO_CRONS,
    ("DELETE", "/runs/crons/{cron_id}"): NO_CRONS,
    ("POST", f"{THREAD}/runs/crons"): NO_CRONS,
    ("PUT", "/store/items"): NO_STORE,
    ("GET", "/store/items"): NO_STORE,
    ("DELETE", "/store/items"): NO_STORE,
    ("POST", "/store/items/search"): NO_STORE,
    ("POST", "/store/namespaces"): NO_STORE,
    ("POST", "/runs"): NO_THREADLESS,
    ("POST", "/runs/batch"): NO_BATCH,
    ("POST", "/runs/cancel"): ONE_BY_ONE,
    ("GET", "/threads/{thread_id}/stream"): JOIN_RUNS,
}
"""What the LangGraph Server has besides, and why it is not offered."""

THREAD_STATUS = ("idle", "busy", "interrupted", "error")

SORTS: Mapping[str, Literal["thread_id", "status", "created", "updated"]] = {
    "thread_id": "thread_id",
    "status": "status",
    "created_at": "created",
    "updated_at": "updated",
    "state_updated_at": "updated",
}

SORT_ORDERS = ("asc", "desc")

FILTERS = {"source": str, "step": int, "run_id": str}
"""The keys of metadata by which checkpoints can be searched: some checkpointers know no others."""


def thread_query(operation: str, request: FormatRequest) -> ThreadQuery:
    """Return what a request about threads asks for.

    Raises:
        InvalidInput: A field is not valid, or not supported.
    """
    body = request.body
    if not isinstance(body, dict):
        raise refused("body", "expected an object")
    match operation:
        case "prune":
            return _prune(body)
        case "create":
            return _create(body)
        case "list" | "count":
            return _search(body)
        case "change":
            return ThreadQuery(metadata=object_of("metadata", body.get("metadata")))
        case "update":
            if request.user_messages_only:
                raise refused("values", "this route accepts messages in runs only")
            return ThreadQuery(
                values=body.get("values"),
                as_node=_text("as_node", body.get("as_node")),
                checkpoint=position_of(
                    "checkpoint", body.get("checkpoint"), body.get("checkpoint_id")
                ),
            )
        case "history":
            return _history(body)
        case "state":
            checkpoint_id = request.params.get("checkpoint_id")
            return ThreadQuery(
                checkpoint=position_of("checkpoint", body.get("checkpoint"), checkpoint_id),
                subgraphs=body.get("subgraphs") in (True, "true", "1"),
            )
    return ThreadQuery()


def _create(body: Mapping[str, Any]) -> ThreadQuery:
    if body.get("supersteps"):
        raise refused("supersteps", "not supported")
    if_exists = body.get("if_exists")
    if if_exists not in (None, "raise", "do_nothing"):
        raise refused("if_exists", "expected raise or do_nothing")
    thread_id = _text("thread_id", body.get("thread_id"))
    if thread_id is not None and ("/" in thread_id or thread_id in (".", "..")):
        raise refused("thread_id", "expected what can be part of a URL's path")
    return ThreadQuery(
        thread_id=thread_id,
        may_exist=if_exists == "do_nothing",
        metadata=object_of("metadata", body.get("metadata")),
    )


def _prune(body: Mapping[str, Any]) -> ThreadQuery:
    ids, strategy = texts_of("thread_ids", body.get("thread_ids")), body.get("strategy", "delete")
    if not ids or len(ids) > MOST:
        raise refused("thread_ids", f"expected 1 to {MOST} ids")
    if strategy not in ("delete", "keep_latest"):
        raise refused("strategy", "expected delete or keep_latest")
    return ThreadQuery(ids=ids, keep_latest=strategy == "keep_latest")


def _search(body: Mapping[str, Any]) -> ThreadQuery:
    for key in ("values", "extract"):
        if body.get(key):
            raise refused(key, "not supported")
    status, by, order = body.get("status"), body.get("sort_by"), body.get("sort_order")
    ids, select = texts_of("ids", body.get("ids")), texts_of("select", body.get("select"))
    check_choice("status", status, THREAD_STATUS)
    check_choice("sort_by", by, tuple(SORTS))
    check_choice("sort_order", order, SORT_ORDERS)
    limit, offset = page_of(body)
    return ThreadQuery(
        metadata=object_of("metadata", body.get("metadata")),
        status=status,
        ids=ids,
        sort_by=SORTS[by or "updated_at"],
        ascending=order == "asc",
        with_state=select is None or not {"values", "interrupts"}.isdisjoint(select),
        limit=limit,
        offset=offset,
    )


def page_of(body: Mapping[str, Any]) -> tuple[int, int]:
    """Return the limit and the offset of a request.

    Raises:
        InvalidInput: One of them is not valid.
    """
    limit, offset = body.get("limit"), body.get("offset")
    return (
        10 if limit is None else count_of("limit", limit, 1),
        0 if offset is None else count_of("offset", offset, 0, most=10**9),
    )


def check_choice(path: str, value: Any, known: Sequence[str]) -> None:
    """Check that a field is absent, or has one of the known values.

    Raises:
        InvalidInput: It has another one.
    """
    if value is not None and value not in known:
        raise refused(path, f"expected one of {', '.join(known)}")


def _history(body: Mapping[str, Any]) -> ThreadQuery:
    before = body.get("before")
    if isinstance(before, dict):
        before = before.get("configurable", before)
        before = position_of("before", before).get("checkpoint_id")
    metadata = object_of("metadata", body.get("metadata"))
    for key, value in metadata.items():
        if key not in FILTERS or type(value) is not FILTERS[key]:
            raise refused(f"metadata.{key}", f"expected one of {', '.join(FILTERS)} only")
    namespace = position_of("checkpoint", body.get("checkpoint")).get("checkpoint_ns")
    return ThreadQuery(
        limit=page_of(body)[0],
        before=_text("before", before),
        metadata=metadata,
        checkpoint={"checkpoint_ns": namespace} if namespace else None,
    )


def _text(path: str, value: Any) -> str | None:
    if not isinstance(value, str | None):
        raise refused(path, "expected text")
    return value or None


def texts_of(path: str, value: Any) -> list[str] | None:
    """Return a list of texts in a request; None if it is absent.

    Raises:
        InvalidInput: It is something else.
    """
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise refused(path, "expected a list of texts")
    return value
