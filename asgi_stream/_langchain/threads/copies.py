"""Copies a thread within the checkpointer of its graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .graph_thread import CLIENT_ID, GraphThread, checkpoint_id


async def copy_thread(source: GraphThread, target: GraphThread) -> None:
    """Copy all checkpoints of a thread to another one, which has none.

    A checkpointer's own ``acopy_thread`` is optional, and would leave the client's id of the thread
    in the metadata.
    """
    saver = source.graph.checkpointer
    # All at once, because a checkpointer may hold its database while it is read.
    stored = [each async for each in saver.alist({"configurable": {"thread_id": source.key}})]
    for each in reversed(stored):
        place = {**each.config["configurable"], "thread_id": target.key}
        place["checkpoint_id"] = checkpoint_id(each.parent_config)
        metadata = {**each.metadata, CLIENT_ID: target.thread_id}
        versions = each.checkpoint["channel_versions"]
        written = await saver.aput({"configurable": place}, each.checkpoint, metadata, versions)
        for task_id, writes in _by_task(each.pending_writes or ()).items():
            await saver.aput_writes(written, writes, task_id)


def _by_task(writes: Sequence[tuple[str, str, Any]]) -> dict[str, list[tuple[str, Any]]]:
    """Return the writes that wait at a checkpoint, as a checkpointer takes them."""
    by_task: dict[str, list[tuple[str, Any]]] = {}
    for task_id, channel, value in writes:
        by_task.setdefault(task_id, []).append((channel, value))
    return by_task
