"""The start of a run on a thread: its input, and the checkpoint that it starts from."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import BaseMessage

from ...events import Interrupt
from ...formats import RunSpec
from .graph_thread import GraphThread
from .new_messages import Addition
from .waiting import pending


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What a run on a thread starts with.

    Attributes:
        input: The graph's input.
        configurable: The ``configurable`` keys of the thread, at the checkpoint to start from.
        metadata: Metadata of the run, which its checkpoints get too.
        values: The graph's output so far, as clients may see it.
        changes: What the request changes in it.
        messages: The messages of the thread, with those that the request adds.
        interrupts: The interrupts that the thread waits at, if the request adds nothing to it: then
            nothing runs, and the run ends with them.
        calls: The ids of the tool calls that the thread has, for a run that another worker began.
    """

    input: Any
    configurable: Mapping[str, Any]
    metadata: Mapping[str, Any]
    values: Any = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    messages: Sequence[BaseMessage] = ()
    interrupts: Sequence[Interrupt] | None = None
    calls: Collection[str] = ()


async def interrupts_if_unchanged(
    thread: GraphThread,
    snapshot: Any,
    spec: RunSpec,
    addition: Addition,
    changes: Mapping[str, Any],
) -> Sequence[Interrupt] | None:
    """Return what a thread waits at if a request only catches up with it, otherwise None.

    Args:
        thread: The thread.
        snapshot: Its state.
        spec: What the client asks for.
        addition: What that adds to the messages of the thread.
        changes: What it changes in the state of the thread.
    """
    if not spec.catches_up:
        return None
    if snapshot.created_at is None:
        return None if addition.messages or spec.state else []
    interrupts = await pending(thread, snapshot)
    if addition.messages and not (interrupts and addition.again):
        return None
    return None if changes and not interrupts else interrupts
