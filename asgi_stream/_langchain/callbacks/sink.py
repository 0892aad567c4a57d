"""The interface through which a run passes its events on."""

from __future__ import annotations

from collections.abc import Set
from typing import Protocol

from ...events import (
    Event,
    LangChainEvent,
    MessageStarted,
    ModelFinished,
    ModelStarted,
    NodeFinished,
    NodeStarted,
    RunStarted,
    Step,
    StepEvent,
    ThreadSnapshot,
)


class Sink(Protocol):
    """Takes a run's events.

    Methods are called on the run's event loop; `wants`, `full`, `accepts`, `admits` and
    `public_message` from threads too.
    """

    @property
    def wants(self) -> Set[type[Event]]:
        """Return the classes of events to emit, besides the first and the last event."""

    @property
    def full(self) -> bool:
        """Return whether the run should wait for `room` before it emits more."""

    @property
    def waiting_since(self) -> float | None:
        """Return when the oldest waiting event was put, by ``time.monotonic``; None if none is."""

    def accepts(self, step: Step) -> bool:
        """Return whether the text of `step`, a model or the run itself, is for the client."""

    def admits(self, event: StepEvent) -> bool:
        """Return whether an event would reach the client."""

    def public_message(self, failure: BaseException) -> str:
        """Return the message that the client gets for the failure of a tool."""

    @property
    def taken(self) -> int:
        """Return how many times the reader has taken events."""

    async def room(self) -> None:
        """Wait until there is room again, or until the reader is gone."""

    def alive(self) -> None:
        """Note that the run is making progress, without an event."""

    def put(self, event: Event) -> None:
        """Take an event; ignored after a `RunFinished` or `RunError`."""

    def fail(self, exception: BaseException) -> None:
        """End the run with an exception."""


def opens(event: Event) -> bool:
    """Return whether an event shows that the run produces output, and has not just started."""
    match event:
        case LangChainEvent(event=name):
            return not name.endswith("_start")
        case RunStarted() | NodeStarted() | NodeFinished() | ModelStarted() | ModelFinished():
            return False
        case MessageStarted() | ThreadSnapshot():
            return False
    return True
