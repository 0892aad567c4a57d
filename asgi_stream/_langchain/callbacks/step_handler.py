"""The interface of handlers of steps, and the handler for formats that take no steps."""

from __future__ import annotations

from typing import Any, Protocol
from uuid import UUID

from langchain_core.messages import BaseMessage

from ...events import Event, Step


class StepHandler(Protocol):
    """Turns the steps of a run into events. Threads may call it too.

    Attributes:
        takes_custom: Whether `custom` does anything.
    """

    takes_custom: bool

    def remember(self, message: BaseMessage) -> None:
        """Take note of a message that the thread has from before the run."""

    def started(
        self, run_id: UUID, step: Step, parent_id: UUID | None, inputs: Any, call_id: str | None
    ) -> None:
        """Handle the start of a step; `call_id` is the id of the tool call that a tool runs for."""

    def structured(self, step: Step) -> None:
        """Note that the calls of a model that has started are its output, and call no tools."""

    def delta(self, run_id: UUID, token: Any, chunk: Any) -> Event | None:
        """Return the event for what a model has streamed, unless other events are emitted."""

    def ended(self, run_id: UUID, step: Step, output: Any) -> None:
        """Handle the success of a step."""

    def failed(self, run_id: UUID, step: Step, error: BaseException) -> None:
        """Handle the failure of a step."""

    def pushed(self, run_id: UUID, step: Step, message: BaseMessage) -> None:
        """Handle a message that the code of a step sends before it returns."""

    def custom(self, step: Step, name: str, data: Any) -> None:
        """Handle data that the user's code dispatched."""

    def yielded(self, step: Step, chunk: Any) -> bool:
        """Handle a chunk that the run yielded; return whether it was text of the answer."""

    def concluded(self, step: Step, output: Any) -> None:
        """Handle the success of the run."""

    def abandoned(self) -> None:
        """Handle the end of the run before it has succeeded, for whatever reason."""


class RawHandler:
    """Emits nothing: for formats that take the run's raw chunks, or LangChain's own events."""

    takes_custom = False

    def remember(self, message: BaseMessage) -> None: ...

    def started(
        self, run_id: UUID, step: Step, parent_id: UUID | None, inputs: Any, call_id: str | None
    ) -> None: ...

    def structured(self, step: Step) -> None: ...

    def delta(self, run_id: UUID, token: Any, chunk: Any) -> Event | None:
        return None

    def ended(self, run_id: UUID, step: Step, output: Any) -> None: ...

    def failed(self, run_id: UUID, step: Step, error: BaseException) -> None: ...

    def pushed(self, run_id: UUID, step: Step, message: BaseMessage) -> None: ...

    def custom(self, step: Step, name: str, data: Any) -> None: ...

    def yielded(self, step: Step, chunk: Any) -> bool:
        return False

    def concluded(self, step: Step, output: Any) -> None: ...

    def abandoned(self) -> None: ...
