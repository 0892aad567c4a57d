"""How a run ends: the last of its events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .steps import Step


@dataclass(frozen=True, slots=True)
class Interrupt:
    """A question on which a LangGraph graph has stopped."""

    id: str
    value: Any


BREAKPOINT = Interrupt("breakpoint", {"when": "breakpoint"})
"""Stands for a stop at ``interrupt_before`` or ``interrupt_after``, which asks nothing."""


@dataclass(frozen=True, slots=True)
class RunFinished:
    """The end of a run that succeeded.

    Attributes:
        output: What ``ainvoke()`` would have returned.
        interrupts: What the graph waits for, if it has stopped and not ended.
    """

    step: Step
    output: Any
    interrupts: Sequence[Interrupt] = ()

    @property
    def asked(self) -> list[Interrupt]:
        """The interrupts as LangGraph has them, for which a breakpoint is a stop without any."""
        return [each for each in self.interrupts if each != BREAKPOINT]

    @property
    def state(self) -> Any:
        """The output, with LangGraph's own key for it if the graph has stopped.

        That key alone if the output is no mapping, as an ``@entrypoint`` that stops has none.
        """
        if not self.interrupts:
            return self.output
        output = self.output if isinstance(self.output, Mapping) else {}
        return {**output, "__interrupt__": self.asked}


@dataclass(frozen=True, slots=True)
class RunError:
    """The end of a run that did not succeed.

    Attributes:
        code: One of the fixed codes, or one that the route gave.
        message: Safe to show to anyone.
        id: Found in the server's log too.
        status: The HTTP status, if no frame was sent before.
        detail: The text of the exception, with ``debug=True`` only.
        fields: For bad input, each field with what is wrong with it.
        headers: HTTP headers that go with the status.
    """

    code: str
    message: str
    id: str
    status: int = 500
    detail: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
