"""Where a run's events go, as the run sees it."""

from __future__ import annotations

from collections.abc import Set
from typing import Protocol

from ..events import (
    Event,
    LangChainEvent,
    ModelFinished,
    ModelStarted,
    NodeFinished,
    NodeStarted,
    RunStarted,
    Step,
    StepEvent,
)


class Sink(Protocol):
    """All of it is used on the run's event loop, save what only answers a question."""

    @property
    def wants(self) -> Set[type[Event]]:
        """The events, besides start and end, that anyone has a use for."""

    @property
    def full(self) -> bool:
        """Whether the run should wait for `room` before it makes more."""

    @property
    def waiting_since(self) -> float | None:
        """Since when what was put in waits for its reader, by ``time.monotonic``; None: nothing."""

    def accepts(self, step: Step) -> bool:
        """Whether what `step`, a model or the run itself, says is part of the answer."""

    def admits(self, event: StepEvent) -> bool:
        """Whether an event would reach the client."""

    def public_message(self, failure: BaseException) -> str:
        """What the client is told of the failure of a tool."""

    @property
    def taken(self) -> int:
        """How often the reader has taken what was put in."""

    async def room(self) -> None:
        """Return when there is room again, or nobody reads any more."""

    def alive(self) -> None:
        """Take note that the run goes on, though it has nothing to say."""

    def put(self, event: Event) -> None:
        """Take an event. Nothing is taken after a terminal one."""

    def fail(self, exception: BaseException) -> None:
        """Take an exception as the run's end."""


def opens(event: Event) -> bool:
    """Whether the event shows that the run has got under way."""
    match event:
        case LangChainEvent(event=name):
            return not name.endswith("_start")
        case RunStarted() | NodeStarted() | NodeFinished() | ModelStarted() | ModelFinished():
            return False
    return True
