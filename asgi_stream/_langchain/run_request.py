"""The input, the config and the id of one run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from ..filters import EventFilter


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A run as a client requests it, completed by its route.

    Attributes:
        input: The Runnable's input.
        config: The ``RunnableConfig``, without the package's own callbacks and run id.
        stream: Keyword arguments for ``astream``.
        filter: The part of the route's filter that LangChain itself can apply to its events.
        client_tools: The names of the tools that the client runs.
        run_id: The run's id, which cannot be guessed.
    """

    input: Any
    config: Mapping[str, Any] = field(default_factory=dict)
    stream: Mapping[str, Any] = field(default_factory=dict)
    filter: EventFilter = field(default_factory=EventFilter)
    client_tools: frozenset[str] = frozenset()
    run_id: UUID = field(default_factory=uuid4)
