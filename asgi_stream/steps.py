"""The steps of a run, which events are about and filters go by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


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
