"""Lists of threads: records found in a checkpointer, filters and order."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from datetime import datetime
from typing import Any

from .._request.thread_graph import GRAPH
from ..formats import ThreadQuery
from ..stores import ThreadRecord

FIRST = {"source": "input", "step": -1}
"""Metadata that exactly one checkpoint of each thread has: its first."""


async def checkpoints_with(saver: Any, wanted: Mapping[str, Any]) -> AsyncGenerator[Any, None]:
    """Yield the checkpoints of all threads whose metadata has the values that are `wanted`."""
    try:
        async for each in saver.alist(None, filter=dict(wanted)):
            yield each
    except ValueError:
        # The checkpointer for Redis knows only some keys.
        async for each in saver.alist(None, filter=FIRST):
            if all((each.metadata or {}).get(key) == wanted[key] for key in wanted):
                yield each


def record_of(
    thread_id: str, scope: str, route: str, created_at: Any, metadata: Mapping[str, Any]
) -> ThreadRecord:
    """Return the record of a thread that only the checkpointer knows.

    Args:
        thread_id: The client's id of the thread.
        scope: Whose threads it is among.
        route: The path of the route.
        created_at: When its checkpoint was written, as LangGraph has it.
        metadata: The metadata of that checkpoint.
    """
    at = datetime.fromisoformat(str(created_at)).timestamp()
    return ThreadRecord(
        thread_id=thread_id,
        scope=scope,
        route=route,
        created=at,
        updated=at,
        metadata={GRAPH: metadata[GRAPH]} if GRAPH in metadata else {},
    )


def matches(record: ThreadRecord, query: ThreadQuery) -> bool:
    """Return whether a thread is among those that a request asks for."""
    if query.ids is not None and record.thread_id not in query.ids:
        return False
    if query.status is not None and record.status != query.status:
        return False
    return all(record.metadata.get(key) == value for key, value in query.metadata.items())
