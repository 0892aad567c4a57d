"""The answers that a client has from before a run."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import AIMessage, BaseMessage

from ...events import Step
from ..graph_fields import PrivateFields
from .graph_messages import messages_by_field


class EarlierAnswers:
    """Knows the messages that are no answer of the run, because they existed before it.

    Those are the messages of its thread, and those that its first nodes take. What later nodes take
    may be new, also if no node has returned a message: a graph makes messages of plain data.

    Args:
        private: Says which fields of graphs are private: the client has nothing of these.
    """

    def __init__(self, private: PrivateFields) -> None:
        self._private = private
        self._messages: dict[str | int, BaseMessage] = {}
        """The messages by their ids, or by those of the objects if they have none."""
        self._closed = False

    def add(self, message: BaseMessage) -> None:
        """Remember a message of the thread."""
        self._messages[message.id or id(message)] = message

    def taken(self, node: Step, inputs: Any) -> None:
        """Remember the messages that a node takes, if it is one of the first."""
        for field, message in () if self._closed else messages_by_field(inputs):
            if isinstance(message, AIMessage) and not (
                field is not None and self._private.has(node.nodes[:-1], field)
            ):
                self.add(message)

    def close(self) -> None:
        """Note that a node has returned something."""
        self._closed = True

    def has(self, output: Any) -> bool:
        """Return whether an output is a message from before the run."""
        is_message = isinstance(output, BaseMessage)
        return is_message and (output.id or id(output)) in self._messages
