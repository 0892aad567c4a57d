"""The JSON of threads and their runs, as LangGraph's SDKs read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...stores import RunRecord
from .._content import refused
from .._spec import FormatRequest
from .._sse import time_of
from .._threads import STORED_THREAD, ThreadView
from .request import assistant_of
from .threads import page_of

RUN_STATUS = {"done": "success", "failed": "error", "cancelled": "interrupted"}
RUN_STATUS["interrupted"] = "success"  # the thread's status is "interrupted" then
RUN_STATUS |= {state: state for state in ("pending", "running")}


def thread_document(operation: str, result: Any, request: FormatRequest) -> object:
    """Return the JSON of a result.

    Args:
        operation: The operation, one of `LANGGRAPH_THREADS`.
        result: Its result.
        request: The request.
    """
    match operation:
        case "create" | "change" | "copy" | "show":
            return _thread(result)
        case "prune":
            return {"pruned_count": result}
        case "list":
            threads = [_thread(each) for each in result]
            return [selected(each, request.body.get("select")) for each in threads]
        case "update":
            id_ = result.get("checkpoint_id")
            return {"checkpoint": result, "configurable": result, "checkpoint_id": id_}
        case "state" if request.endpoint.endswith("/checkpoint") and result["checkpoint"] is None:
            # A ``RemoteGraph`` reads these keys; for a ``useStream`` None is a thread without any.
            thread = {"thread_id": request.params[STORED_THREAD]}
            return {**result, "checkpoint": {**thread, "checkpoint_ns": "", "checkpoint_id": None}}
    return result


def selected(document: dict[str, Any], select: Any) -> dict[str, Any]:
    """Return the fields of a document that a request asks for; by default all."""
    return {key: document[key] for key in document if key in select} if select else document


def run_document(record: RunRecord) -> dict[str, Any]:
    """Return a run's JSON."""
    on_thread = record.thread is not None and record.model is not None
    return {
        "run_id": record.run_id,
        "thread_id": record.thread,
        "assistant_id": assistant_of(str(record.model))["assistant_id"] if on_thread else None,
        "created_at": time_of(record.created),
        "updated_at": time_of(record.ended or record.started or record.created),
        "status": RUN_STATUS[record.state],
        "metadata": {},
        "kwargs": {},
        "multitask_strategy": "enqueue",
    }


def runs_document(records: Sequence[RunRecord], query: Mapping[str, Any]) -> object:
    """Return a page of runs.

    Raises:
        InvalidInput: The query is not valid.
    """
    status, select = query.get("status"), query.get("select")
    if status is not None and status not in ("timeout", *RUN_STATUS.values()):
        raise refused("status", "expected the status of a run")
    limit, offset = page_of(query)
    runs = [run_document(each) for each in records]
    chosen = [each for each in runs if status in (None, each["status"])]
    fields = [select] if isinstance(select, str) else select
    return [selected(each, fields) for each in chosen[offset : offset + limit]]


def _thread(view: ThreadView) -> dict[str, Any]:
    record, state = view.record, view.state
    tasks = state["tasks"] if state else []
    return {
        "thread_id": record.thread_id,
        "created_at": time_of(record.created),
        "updated_at": time_of(record.updated),
        "metadata": dict(record.metadata),
        "status": view.status,
        "config": {},
        "values": state["values"] if state else None,
        "interrupts": {task["id"]: task["interrupts"] for task in tasks if task["interrupts"]},
    }
