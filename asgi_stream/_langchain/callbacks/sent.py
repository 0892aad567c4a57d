"""Messages as far as they were sent, to recognize code that repeats them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage

from ...events import Step
from ..messages import text_of_chunk


@dataclass(frozen=True, slots=True)
class SentMessage:
    """What has been sent of a message of a model, or of a node.

    Attributes:
        author: The model, or the message of a node.
        message_id: The message's id.
        text: Its text; ``""`` if that is not for the client.
        calls: The ids of its tool calls.
    """

    author: Step
    message_id: str | None
    text: str
    calls: frozenset[str | None]


def sent_of(author: Step, output: Any, *, accepted: bool) -> SentMessage:
    """Return what is sent of a message, or of a model's text; `accepted`: with its text."""
    text = text_of_chunk(output).strip() if accepted else ""
    return SentMessage(author, getattr(output, "id", None), text, _calls_of(output))


def take_repeated(message: AIMessage, sent: list[SentMessage]) -> SentMessage | None:
    """Return what of `sent` a new message repeats, and remove it: of two equal ones one is new."""
    text, calls = text_of_chunk(message).strip(), _calls_of(message)
    for index, each in enumerate(sent):
        same_calls = calls and None not in calls and calls == each.calls
        if same_calls or (text and text == each.text and not calls):
            return sent.pop(index)
    return None


def without_repeated(message: AIMessage, sent: SentMessage) -> AIMessage | None:
    """Return a message that repeats `sent` without that; None if nothing remains."""
    if text_of_chunk(message).strip() in ("", sent.text):
        return None
    return message.model_copy(update={"tool_calls": [], "tool_call_chunks": []})


def _calls_of(output: Any) -> frozenset[str | None]:
    return frozenset(call["id"] for call in getattr(output, "tool_calls", ()))
