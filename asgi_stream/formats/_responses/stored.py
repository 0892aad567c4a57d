"""Stored responses: a stored run as OpenAI's ``/responses/{response_id}`` has it.

https://platform.openai.com/docs/api-reference/responses/get, read in PyPI ``openai`` 3.57.0. The
event with the ``sequence_number`` n is frame n + 1 of the run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import InvalidInput
from ...events import RunError
from .._sse import named_frame
from .._stored_run import RunResource, StoredRun
from .object import response_error, response_id, response_of, run_of_response

RESPONSES: Mapping[tuple[str, str], str] = {
    ("GET", "/responses/{run_id}"): "retrieve",
    ("DELETE", "/responses/{run_id}"): "delete",
    ("POST", "/responses/{run_id}/cancel"): "cancel",
}
"""The endpoints for stored responses, with their operations."""


class ResponseResource(RunResource):
    """A stored run as a response."""

    uuids = False

    def path(self, run_id: str) -> str:
        return f"responses/{response_id(run_id)}"

    def run_id(self, name: str) -> str:
        return run_of_response(name) or ""

    def position(self, query: Mapping[str, str]) -> int | None:
        if query.get("stream", "").lower() not in ("1", "true"):
            return None
        number = query.get("starting_after")
        if number is None:
            return 0
        if not (number.isascii() and number.isdecimal() and len(number) < 16):
            raise InvalidInput.at("starting_after", "expected the sequence_number of an event")
        return int(number) + 1

    def document(self, run: StoredRun) -> object:
        response = _latest(run)
        if not response:
            return response_of(run.record)
        if run.last is None:
            known = response_of(run.record)
            response |= {key: known[key] for key in ("status", "error")}
        return response

    def deleted(self, run_id: str) -> object:
        return {"id": response_id(run_id), "object": "response", "deleted": True}


def _latest(run: StoredRun) -> dict[str, Any]:
    """Return the response in the last frame that is known of a run; empty if there is none."""
    frame = run.last or run.first
    return ((frame and frame.json()) or {}).get("response") or {}


def cut_response(error: RunError, run: StoredRun, number: int, *, ended: bool) -> bytes:
    """Return the event with which the stream of a response breaks off; see `Format.cut`."""
    kind = "response.failed" if ended else "error"
    about: dict[str, Any] = {"type": kind, "sequence_number": number - 1}
    if ended:
        known = {**response_of(run.record), **_latest(run), "status": "failed"}
        about |= {"response": {**known, "error": response_error(error)}}
    else:
        about |= {"code": error.code, "message": error.message, "param": None}
    return named_frame(kind, about)
