"""Messages of the user that a graph has removed from its thread, and that clients still have."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Any

from langchain_core.messages import BaseMessage, HumanMessage

from ...formats import RunSpec
from ..messages import is_summary
from .graph_thread import GraphThread, position_of
from .new_messages import Addition, message_id
from .replay import input_after
from .state_messages import messages_of

MOST = 1000
"""How many checkpoints are read at most to find messages that a thread no longer has."""

FIRST = {"step": -1}
"""Metadata of the first checkpoint of a thread, which LangGraph writes when it takes its input."""

Position = Mapping[str, Any] | None


async def without_removed(
    addition: Addition, spec: RunSpec, thread: GraphThread, snapshot: Any
) -> Addition:
    """Return what a request adds to a thread without what the graph has had and removed.

    The user's messages before the newest one have either never reached the graph, or it has
    removed them. Checkpoints are read only if there are such messages, and only back to the last
    message before them that the thread still has.

    Args:
        addition: What the request adds, by the newest state of the thread alone.
        spec: What the client asks for.
        thread: The thread.
        snapshot: Its newest state, as LangGraph's ``StateSnapshot``.
    """
    users = [each for each in addition.messages if each["role"] == "user"]
    older = {message_id(each) for each in users[:-1]} - {None}
    if not older:
        return addition
    earlier = takewhile(lambda each: message_id(each) not in older, spec.messages or ())
    anchor = {message_id(each) for each in earlier} & _ids(snapshot)
    removed: set[Any] = set()
    async for each in _lineage(thread, snapshot):
        ids = _ids(each)
        removed |= older & ids
        if removed == older or not anchor <= ids:
            break
    return replace(
        addition,
        messages=[each for each in addition.messages if message_id(each) not in removed],
    )


async def before_revised(
    thread: GraphThread, spec: RunSpec, snapshot: Any, position: Position
) -> tuple[RunSpec, Any, Position]:
    """Go back to where a thread has the message that a client revises, if the graph removed it.

    A middleware that puts a summary in place of old messages removes them, and the page still has
    them. The thread forks before such a message as before any other.

    Args:
        thread: The thread.
        spec: What the client asks for.
        snapshot: The state of the thread, as LangGraph's ``StateSnapshot``.
        position: Its position; None is the newest one.

    Returns:
        The same three, perhaps of the newest state that has the message.
    """
    id_ = _perhaps_removed(spec, messages_of(snapshot.values))
    if id_ is None or (_is_alone(spec, snapshot) and not await _is_first(thread, id_)):
        return spec, snapshot, position
    async for each in _lineage(thread, snapshot):
        if id_ in _ids(each):
            return replace(spec, catches_up=False), each, position_of(each)
    return spec, snapshot, position


async def _lineage(thread: GraphThread, snapshot: Any) -> AsyncGenerator[Any, None]:
    """Yield a snapshot and the newest of those that it was made from, newest first."""
    read = 0
    async for each in thread.lineage(snapshot):
        yield each
        read += 1
        if read == MOST:
            break


def _ids(snapshot: Any) -> set[str]:
    return {each.id for each in messages_of(snapshot.values) if each.id is not None}


def _perhaps_removed(spec: RunSpec, known: Sequence[BaseMessage]) -> str | None:
    """Return the id of the last message of a conversation if it may have been removed.

    Who adds a message to a thread has the user's message before it. No history is read then.
    """
    last = spec.messages[-1] if spec.messages else {}
    never = spec.revises is False
    if not known or never or last.get("role") != "user" or last.get("id") is None:
        return None
    users = [each for each in known if isinstance(each, HumanMessage) and not is_summary(each)]
    sent = {each.get("id") for each in spec.messages or ()}
    is_known = any(each.id == last["id"] for each in users)
    is_next = users[-1].id in sent if users else False
    return None if is_known or is_next else str(last["id"])


def _is_alone(spec: RunSpec, snapshot: Any) -> bool:
    """Return whether a request with one message may come of a client that sends only new ones.

    A summary in the thread shows that messages were removed.
    """
    is_one = spec.revises is None and len(spec.messages or ()) == 1
    return is_one and not any(map(is_summary, messages_of(snapshot.values)))


async def _is_first(thread: GraphThread, message_id: str) -> bool:
    """Return whether a thread has begun with a message. Reads one checkpoint."""
    ids: set[str | None] = set()
    async for each in thread.history(metadata=FIRST, limit=1):
        ids = {message.id for message in messages_of(input_after(each))}
    return message_id in ids
