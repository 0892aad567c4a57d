"""The request of the native formats: the Runnable's input, or an answer to an interrupt."""

from __future__ import annotations

import re
from typing import Any

from ._spec import Answer, FormatRequest, RunSpec

INTERRUPT = re.compile("[0-9a-f]{32}")
"""LangGraph's ids of interrupts: it takes a dict only with such keys for answers by ids."""


def plain_spec(request: FormatRequest) -> RunSpec:
    """Return the run of a request whose body is the input of the Runnable.

    On a route with threads, ``{"resume": VALUE}`` answers the interrupt at which the thread waits,
    and ``{"resume": {ID: VALUE}}`` several, by their ids; with ``null`` the graph goes on from
    where the thread stands.
    """
    match request.body:
        case {"resume": value, **rest} if request.threads and not rest:
            return RunSpec(answers=answers_of(value))
        case None if request.threads:
            return RunSpec(resumes=True)
    return RunSpec(input=request.body)


def answers_of(value: Any, path: str = "resume") -> list[Answer]:
    """Return the answers in what LangGraph's ``Command(resume=...)`` takes.

    Args:
        value: An answer, or answers by the ids of interrupts.
        path: Where in the request it is.
    """
    if isinstance(value, dict) and value and all(map(INTERRUPT.fullmatch, value)):
        return [
            Answer(interrupt=key, value=each, path=f"{path}.{key}") for key, each in value.items()
        ]
    return [Answer(value=value, path=path)]
