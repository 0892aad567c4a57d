"""Answers to the interrupts at which a thread waits, with ``asgi-stream call``."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from ..events import Interrupt
from ..formats import load, names


def answering_options(format: str | None, thread_id: str, interrupts: Sequence[Interrupt]) -> str:
    """Return the options of a call that answers interrupts, with an example of each answer.

    It is ``""`` for a format whose answers are requests of another form.
    """
    if format not in names() or not load(format).answers_with_resume:
        return ""
    body = {"resume": {each.id: _example(each.value) for each in interrupts}}
    answer = shlex.quote(json.dumps(body, ensure_ascii=False))
    return f"--thread {shlex.quote(thread_id)} --input {answer}"


def _example(value: Any) -> Any:
    """Return an answer; where a tool call waits for approval, the decision to approve it."""
    approve = {"type": "approve"}
    if isinstance(value, Mapping):
        if isinstance(value.get("action_requests"), list):
            return {"decisions": [approve for _ in value["action_requests"]]}
        if value.get("type") == "tool_approval":
            return approve
    return "..."
