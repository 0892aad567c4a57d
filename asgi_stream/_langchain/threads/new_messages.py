"""The messages of a client's conversation that are new to its thread.

Clients of chats send the whole conversation each time. Only what is new reaches the graph: the
user's messages after the last answer, and the results of tools that the client runs itself. What a
client sends as the assistant's words is ignored, because the thread has the real ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import (
    BaseMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolCall,
)

from ...errors import NotPending
from ...formats import INSTRUCTIONS, RunSpec
from ..messages import BY_CLIENT
from ..sent_messages import message_of
from .results import call_id, closing, open_calls
from .state_messages import messages_field

Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Addition:
    """What a request adds to a thread.

    Attributes:
        messages: The messages to add, as neutral ones, with `formats.RunSpec`'s form.
        before: The id of the message that they replace, with all that follows it; None: they come
            after all messages of the thread.
        again: Whether that message is the same as before, so that only another answer is wanted.
    """

    messages: Sequence[Message]
    before: str | None = None
    again: bool = False


def new_messages(
    sent: Sequence[Message],
    known: Sequence[BaseMessage],
    *,
    finished: bool,
    failed: bool = False,
) -> Addition:
    """Return what a conversation adds to a thread.

    A user's message that the thread has is a request for another answer to it, or, if its text has
    changed, an edited message: the thread forks before it.

    Args:
        sent: The conversation that the client sends, as neutral messages.
        known: The messages of the thread.
        finished: Whether the thread's last run has come to its end, so that calls without a result
            are the client's.
        failed: As for `closing`.
    """
    of_id = {each.id: each for each in known if each.id is not None}
    tail = _after_last_answer(sent)
    users = [_with_own_id(each, of_id) for each in tail if each["role"] == "user"]
    added = [each for each in users if each.get("id") not in of_id]
    if added:
        added = [*_missed(sent, tail, of_id), *added]
    changed = [n for n, each in enumerate(users) if _is_changed(each, of_id)]
    systems = _new_system_messages(sent, known)
    if changed:
        return Addition([*systems, *users[changed[0] :]], users[changed[0]]["id"])
    if users and not added:
        return Addition([*systems, users[-1]], users[-1]["id"], again=True)
    results = _results(sent, open_calls(known)) if finished else []
    if not added and not results:
        return Addition([])
    # Results directly follow their calls.
    return Addition([*results, *closing(known, results, failed=failed), *systems, *added])


def addition_of(
    spec: RunSpec, known: Sequence[BaseMessage], snapshot: Any, *, failed: bool = False
) -> Addition:
    """Return what a request with a conversation adds to a thread.

    Args:
        spec: What the client asks for.
        known: The messages of the thread.
        snapshot: The state of the thread, as LangGraph's ``StateSnapshot``.
        failed: As for `closing`.

    Raises:
        NotPending: A result in a conversation that is new as a whole answers no call.
    """
    sent, finished = spec.messages or (), not snapshot.next
    if spec.after_run is None and (snapshot.created_at is not None or not spec.seeds):
        return new_messages(sent, known, finished=finished, failed=failed)
    results = _results(sent, open_calls(known)) if finished else []
    answered = {call_id(each) for each in results}
    rest = [each for each in sent if call_id(each) not in answered]
    made = {call["id"] for each in rest for call in each.get("tool_calls") or ()}
    if any(each["role"] == "tool" and each.get("tool_call_id") not in made for each in rest):
        raise NotPending
    news = _new_system_messages(rest, known)
    rest = [each for each in rest if each["role"] != "system" or each in news]
    return Addition([*results, *closing(known, results, failed=failed), *rest])


def message_id(message: Any) -> Any:
    """Return the id of a message, as plain data or of LangChain's class, if it has one."""
    return message.get("id") if isinstance(message, Mapping) else getattr(message, "id", None)


def without_replaced(
    message_id: str, known: Sequence[BaseMessage], input: Any
) -> tuple[Sequence[BaseMessage], Any]:
    """Return the messages before one of them, and an input that removes that and all after it."""
    at = [each.id for each in known].index(message_id)
    removed = [RemoveMessage(id=each.id) for each in known[at:] if each.id is not None]
    return known[:at], with_messages(input, removed)


def with_messages(input: Any, first: Sequence[Any], field: str | None = None) -> Any:
    """Return a graph's input with more messages, in front of those that it has.

    Args:
        input: The input.
        first: The messages to add.
        field: The field that has the messages; None: the input shows it, or it is ``messages``.
    """
    if not first or not isinstance(input, Mapping):
        return input
    field = field or messages_field(input) or "messages"
    return {**input, field: [*first, *input.get(field, ())]}


def _after_last_answer(sent: Sequence[Message]) -> Sequence[Message]:
    for n in range(len(sent) - 1, -1, -1):
        if sent[n]["role"] == "assistant":
            return sent[n + 1 :]
    return sent


def _missed(
    sent: Sequence[Message], tail: Sequence[Message], known: Mapping[str, BaseMessage]
) -> list[Message]:
    """Return the user's messages before the last answer that came after the last one that is known.

    They were sent together with an answer to an interrupt, or refused.
    """
    users = [each for each in sent[: len(sent) - len(tail)] if each["role"] == "user"]
    for n in range(len(users) - 1, -1, -1):
        if isinstance(known.get(str(users[n].get("id"))), HumanMessage):
            return users[n + 1 :]
    return []


def _with_own_id(message: Message, known: Mapping[str, BaseMessage]) -> Message:
    """Return a user's message without the id of an answer, which it must not replace."""
    other = known.get(str(message.get("id")))
    if other is None or isinstance(other, HumanMessage):
        return message
    return {key: value for key, value in message.items() if key != "id"}


def _is_changed(message: Message, known: Mapping[str, BaseMessage]) -> bool:
    old = known.get(str(message.get("id")))
    return old is not None and message_of(dict(message)).content != old.content


def _new_system_messages(sent: Sequence[Message], known: Sequence[BaseMessage]) -> list[Message]:
    """Return the system messages that the thread does not have; clients repeat theirs each time."""
    stays = [each for each in known if each.id != INSTRUCTIONS]
    there = [each.content for each in stays if isinstance(each, SystemMessage)]
    ids = {each.id for each in stays if each.id is not None}
    return [
        each
        for each in sent
        if each["role"] == "system"
        and each.get("id") not in ids
        and message_of(dict(each)).content not in there
    ]


def _results(sent: Sequence[Message], calls: Sequence[ToolCall]) -> list[Message]:
    """Return the results that the client sends for the open calls of a thread, as its own."""
    ids = [call["id"] for call in calls]
    return [
        {**each, "additional_kwargs": {"lc_source": BY_CLIENT}}
        for each in sent
        if each["role"] == "tool" and each.get("tool_call_id") in ids
    ]
