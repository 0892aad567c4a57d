"""What one run is made with: its input, its config, its id."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from ..filters import EventFilter


@dataclass(frozen=True, slots=True)
class RunRequest:
    """One run, as asked for by a client and completed by its route.

    Attributes:
        input: The Runnable's input.
        config: The ``RunnableConfig``, without callbacks and run id of our own.
        stream: Keyword arguments for ``astream``.
        filter: What LangChain may leave out of its events beforehand.
        client_tools: The names of the tools whose calls the client answers.
        run_id: Cannot be guessed.
    """

    input: Any
    config: Mapping[str, Any] = field(default_factory=dict)
    stream: Mapping[str, Any] = field(default_factory=dict)
    filter: EventFilter = field(default_factory=EventFilter)
    client_tools: frozenset[str] = frozenset()
    run_id: UUID = field(default_factory=uuid4)
