"""Messages of the user that a graph has removed from its thread, and clients still send."""

from __future__ import annotations

from dataclasses import replace
from itertools import takewhile
from typing import Any

from ...formats import RunSpec
from .graph_thread import GraphThread
from .new_messages import Addition, message_id
from .state_messages import messages_of

MOST = 1000
"""How many checkpoints are read at most to find messages that a thread no longer has."""


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
    known = _ids(snapshot)
    earlier = takewhile(lambda each: message_id(each) not in older, spec.messages or ())
    anchor = {message_id(each) for each in earlier} & known
    removed: set[Any] = set()
    read = 0
    async for each in thread.lineage(snapshot):
        ids, read = _ids(each), read + 1
        removed |= older & ids
        if removed == older or not anchor <= ids or read == MOST:
            break
    return replace(
        addition,
        messages=[each for each in addition.messages if message_id(each) not in removed],
    )


def _ids(snapshot: Any) -> set[str]:
    return {each.id for each in messages_of(snapshot.values) if each.id is not None}
