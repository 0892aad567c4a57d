"""The response object of OpenAI's Responses: its fields, and its ids."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from ...errors import RunCancelled
from ...events import RunError
from ...stores import RunRecord

ECHOED = ("instructions", "max_output_tokens", "temperature", "top_p", "user")
TOO_MANY, LIMITED = 429, "rate_limit_exceeded"

STATUSES = {
    "pending": "queued",
    "running": "in_progress",
    "done": "completed",
    "interrupted": "completed",
    "failed": "failed",
    "cancelled": "cancelled",
}
"""The status of a response by the state of its run."""

_id = re.compile(r"(?P<kind>[a-z]+)_(?P<run>[0-9a-f]{32})(?P<n>[0-9]*)")


def response_id(run_id: str) -> str:
    """Return the id of the response of a run."""
    return f"resp_{run_id.replace('-', '')}"


def run_of_response(id_: Any) -> str | None:
    """Return the id of the run that has made a response; None if it is no id of a response."""
    return _run_of(id_, lambda match: match["kind"] == "resp" and not match["n"])


def run_of_item(id_: Any) -> str | None:
    """Return the id of the run that has made an item; None if it is no id of an item."""
    return _run_of(id_, lambda match: match["kind"] != "resp" and match["n"])


def _run_of(id_: Any, is_one: Any) -> str | None:
    match = _id.fullmatch(id_) if isinstance(id_, str) else None
    return str(UUID(match["run"])) if match and is_one(match) else None


def repeated(body: Mapping[str, Any], model: str | None, *, stored: bool) -> dict[str, Any]:
    """Return the fields of a response that say how it was asked for.

    Args:
        body: The request.
        model: The model.
        stored: Whether the response is stored.
    """
    choice = body.get("tool_choice") or "auto"
    return {
        **{key: body.get(key) for key in ECHOED},
        "tool_choice": choice,
        "background": bool(body.get("background")),
        "error": None,
        "incomplete_details": None,
        "metadata": body.get("metadata") or {},
        "model": model,
        "parallel_tool_calls": body.get("parallel_tool_calls", True) is not False,
        "previous_response_id": body.get("previous_response_id"),
        "reasoning": body.get("reasoning") or {"effort": None, "summary": None},
        "store": stored,
        "text": body.get("text") or {"format": {"type": "text"}},
        "tools": body.get("tools") or [],
        "truncation": "disabled",
    }


def response_of(record: RunRecord) -> dict[str, Any]:
    """Return the response of a stored run of which nothing but its record is known."""
    error = None
    if record.state == "failed":
        error = response_error(RunError(record.code or "", "The response has failed.", ""))
    return {
        "id": response_id(record.run_id),
        "created_at": int(record.created),
        **repeated({}, record.model, stored=True),
        "object": "response",
        "status": STATUSES[record.state],
        "output": [],
        "usage": None,
        "error": error,
    }


def response_error(error: RunError) -> dict[str, Any]:
    """Return the ``error`` of a failed response: one of OpenAI's codes, and this server's own."""
    code = LIMITED if error.status == TOO_MANY else "server_error"
    return {"code": code, "message": error.message, "type": error.code, "id": error.id}


def status_after(error: RunError) -> str:
    """Return the status of a response that has ended with an error."""
    return "cancelled" if error.code == RunCancelled.code else "failed"
