"""The final event of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .steps import Step


@dataclass(frozen=True, slots=True)
class Approval:
    """A tool call that waits for a person's decision, as LangChain's middleware requests it.

    https://docs.langchain.com/oss/python/langchain/human-in-the-loop

    Attributes:
        call_id: The id of the tool call; ``""`` if it is not known.
        name: The name of the tool.
        arguments: Its arguments.
        description: What the person is shown.
        allowed: The decisions to choose from: ``approve``, ``edit``, ``reject`` and ``respond``.
    """

    call_id: str
    name: str
    arguments: Any
    description: str = ""
    allowed: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Interrupt:
    """An interrupt that stopped a LangGraph graph.

    Attributes:
        id: LangGraph's id of the interrupt, needed to resume it.
        value: The value passed to ``interrupt()``.
        response_schema: The JSON Schema of the answer, if the graph has one.
        approvals: The tool calls that it wants to have approved, if that is what it is about.
    """

    id: str
    value: Any
    response_schema: Any = None
    approvals: Sequence[Approval] = ()

    @property
    def document(self) -> dict[str, Any]:
        """Return what LangGraph's own JSON of an interrupt has."""
        schema = {"response_schema": self.response_schema} if self.response_schema else {}
        return {"id": self.id, "value": self.value, **schema}


BREAKPOINT = Interrupt("breakpoint", {"when": "breakpoint"})
"""Stands for a stop at ``interrupt_before`` or ``interrupt_after``, which carries no value."""


@dataclass(frozen=True, slots=True)
class RunFinished:
    """The run succeeded.

    Attributes:
        step: The run itself.
        output: What ``ainvoke()`` would have returned.
        interrupts: The interrupts that the graph waits for, if it stopped before its end.
    """

    step: Step
    output: Any
    interrupts: Sequence[Interrupt] = ()

    @property
    def graph_interrupts(self) -> list[Interrupt]:
        """Return the interrupts that LangGraph itself reports: for a breakpoint, none."""
        return [each for each in self.interrupts if each != BREAKPOINT]

    @property
    def questions(self) -> list[dict[str, Any]]:
        """Return the JSON of all interrupts."""
        return [each.document for each in self.interrupts]

    @property
    def state(self) -> Any:
        """Return the output, with LangGraph's ``__interrupt__`` key if the graph stopped.

        An output that is no mapping is left out then: an ``@entrypoint`` that stops has none.
        """
        if not self.interrupts:
            return self.output
        output = self.output if isinstance(self.output, Mapping) else {}
        return {**output, "__interrupt__": [each.document for each in self.graph_interrupts]}


@dataclass(frozen=True, slots=True)
class RunError:
    """The run failed, was cut off by a limit, or was cancelled.

    Attributes:
        code: One of the codes in `asgi_stream.errors`, or the route's own.
        message: A text that is safe to show to anyone.
        id: The error's id, which is in the server's log too.
        status: The HTTP status to answer with if nothing has been sent yet.
        detail: The exception's text, with ``debug=True`` only.
        fields: For invalid input, what is wrong with each field.
        headers: HTTP headers to send with the status.
    """

    code: str
    message: str
    id: str
    status: int = 500
    detail: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
