"""The result of a stored run, for LangGraph's SDKs."""

from __future__ import annotations

from typing import Any

from ...stores import RunRecord
from .._frame import Frame
from .._sse import decode_interrupts
from .._stored_run import RunResource

INTERRUPTS = "__interrupt__"


class LangGraphRun(RunResource):
    """A stored run as LangGraph's SDKs know it."""

    returns = True

    def reading(self) -> ResultReader:
        return ResultReader()


class ResultReader:
    """Reads a run's frames."""

    skips = False  # interrupts come one after the other

    def __init__(self) -> None:
        self._result: Any = None

    def document(self, record: RunRecord) -> object:
        """Return the values that the run has left its thread with, or its error.

        They have the interrupts that the run waits at.
        """
        return self._result

    def read(self, frame: Frame) -> None:
        """Read the next frame."""
        if frame.event == "error":
            self._result = {"__error__": frame.json()}
        elif frame.event == "values":
            value = frame.json()
            self._result = self._stopped(value) if isinstance(value, dict) else value

    def _stopped(self, value: dict[str, Any]) -> dict[str, Any]:
        """Return the values with the run's interrupts.

        Interrupts may come without values, one after the other, and values without interrupts.
        """
        before = self._result if isinstance(self._result, dict) else {}
        if INTERRUPTS not in value:
            return value | {key: before[key] for key in before if key == INTERRUPTS}
        new = (each.document for each in decode_interrupts(value[INTERRUPTS]))
        return {**before, **value, INTERRUPTS: [*before.get(INTERRUPTS, ()), *new]}
