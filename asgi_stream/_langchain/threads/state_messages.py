"""The messages in the state of a graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import BaseMessage


def messages_of(values: Any) -> Sequence[BaseMessage]:
    """Return the messages in a graph's state: ``messages``, or else its only list of them."""
    if not isinstance(values, Mapping):
        return _only_messages(values)
    field = messages_field(values)
    return () if field is None else _only_messages(values[field])


def messages_field(values: Any) -> str | None:
    """Return the field of a state or an input that `messages_of` reads; None if there is none."""
    if not isinstance(values, Mapping):
        return None
    if "messages" in values:
        return "messages"
    fields = [name for name, value in values.items() if _only_messages(value)]
    return fields[0] if len(fields) == 1 else None


def _only_messages(value: Any) -> Sequence[BaseMessage]:
    if isinstance(value, list) and all(isinstance(each, BaseMessage) for each in value):
        return value
    return ()


def nested_messages(snapshot: Any) -> list[Sequence[BaseMessage]]:
    """Return the messages of all subgraphs that have stopped in a task of this snapshot."""
    states = [task.state for task in snapshot.tasks if hasattr(task.state, "values")]
    return [
        each
        for state in states
        for each in (messages_of(state.values), *nested_messages(state))
        if each
    ]
