"""One run, as a client requests it and its route allows it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from ..filters import EventFilter
from ..formats import Format, RunSpec
from .plan import RunnablePlan
from .threads.start import Start
from .threads.turn import ThreadTurn

if TYPE_CHECKING:
    from ..telemetry import Telemetry


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """A run that can begin.

    Attributes:
        plan: What runs.
        input: The Runnable's input.
        format: The format's instance for this run.
        spec: What the client asked for.
        config: The ``RunnableConfig``, without the package's own callbacks and run id.
        astream_kwargs: Keyword arguments for ``astream``.
        filter: The route's filter, of which LangChain applies what it can itself.
        filters: The filters of the route and of the client; events must pass all of them.
        client_keys: The ``configurable`` keys that the client has set.
        client_tools: The names of the tools that the client runs.
        gathered: Whether the response is one JSON document instead of frames.
        telemetry: Records the run, if telemetry is on.
        turn: The run's turn on its thread, if it has one.
        held: Closed when the run has ended, or if it never begins.
        run_id: The run's id, which cannot be guessed.
    """

    plan: RunnablePlan
    input: Any
    format: Format
    spec: RunSpec = field(default_factory=RunSpec)
    config: Mapping[str, Any] = field(default_factory=dict)
    astream_kwargs: Mapping[str, Any] = field(default_factory=dict)
    filter: EventFilter = field(default_factory=EventFilter)
    filters: tuple[EventFilter, ...] = ()
    client_keys: frozenset[str] = frozenset()
    client_tools: frozenset[str] = frozenset()
    gathered: bool = False
    telemetry: Telemetry | None = None
    turn: ThreadTurn | None = None
    held: ExitStack = field(default_factory=ExitStack)
    run_id: UUID = field(default_factory=uuid4)

    @property
    def thread_id(self) -> str | None:
        """The client's id of the thread, if the run has one that remains."""
        return None if self.turn is None or self.spec.ephemeral else self.spec.thread

    def started(self, start: Start) -> RunRequest:
        """Return this request with what the run starts with on its thread."""
        metadata = {**self.config.get("metadata", {}), **start.metadata}
        config = {**self.config, "configurable": start.configurable, "metadata": metadata}
        return replace(self, input=start.input, config=config)
