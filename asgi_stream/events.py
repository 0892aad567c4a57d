"""What happens in a run, in the words that cross every seam.

The set is closed: a format is a ``match`` over these classes, a filter and a source know no
others. Their names follow LangChain's own stream protocol (package ``langchain-protocol``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a run: a model, a tool, a chain or the whole run itself.

    Attributes:
        run_id: LangChain's id of the step.
        name: Its name, as in the events of ``astream_events``.
        type: ``chat_model``, ``llm``, ``tool``, ``retriever``, ``prompt``, ``parser`` or ``chain``.
        tags: Its tags, inherited ones too.
        node: The LangGraph node that it runs in.
    """

    run_id: str
    name: str
    type: str
    tags: Sequence[str] = ()
    node: str | None = None


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The run's first event."""

    run_id: str


@dataclass(slots=True)  # freezing it would double what it costs to make one for each token
class TextDelta:
    """A piece of a model's text, never empty."""

    step: Step
    text: str


@dataclass(frozen=True, slots=True)
class OutputChunk:
    """What ``astream()`` of the run's Runnable yielded.

    Attributes:
        step: The run itself.
        data: The chunk.
        text: The chunk's text, if it is text or a message, else ``""``.
        mode: LangGraph's stream mode, if the route asked for several.
        namespace: The subgraph that it comes from, if the route asked for subgraphs.
    """

    step: Step
    data: Any
    text: str = ""
    mode: str | None = None
    namespace: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class LangChainEvent:
    """An event of ``astream_events``, version 2.

    https://reference.langchain.com/python/langchain-core/runnables/schema
    """

    step: Step
    event: str
    data: Mapping[str, Any]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    parent_ids: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class RunFinished:
    """The end of a run that succeeded.

    Attributes:
        output: What ``ainvoke()`` would have returned.
        text: The output's text, if it is text or holds a message, else None.
    """

    step: Step
    output: Any
    text: str | None = None


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


Event = RunStarted | TextDelta | OutputChunk | LangChainEvent | RunFinished | RunError
"""Every event. The last of a run is a `RunFinished` or a `RunError`."""


class Sink(Protocol):
    """Where a run's events go. All of it is used on the run's event loop only."""

    @property
    def wants(self) -> Set[type[Event]]:
        """The events, besides start and end, that anyone still has a use for."""

    @property
    def full(self) -> bool:
        """Whether the run should wait for `room` before it makes more."""

    @property
    def waiting_since(self) -> float | None:
        """Since when what was put in waits for its reader, by ``time.monotonic``; None: nothing."""

    async def room(self) -> None:
        """Return when there is room again, or nobody reads any more."""

    def alive(self) -> None:
        """Take note that the run goes on, though it has nothing to say."""

    def put(self, event: Event) -> None:
        """Take an event. Nothing is taken after a terminal one."""

    def fail(self, exception: BaseException) -> None:
        """Take an exception as the run's end."""
