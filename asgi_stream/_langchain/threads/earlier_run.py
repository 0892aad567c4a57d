"""The checkpoints of earlier runs of a thread."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ...errors import InvalidInput, NotFound, NotPending
from ...formats import RunSpec
from ...stores import ThreadRecord, ThreadStore
from .graph_thread import NO_CHECKPOINT, GraphThread, position_of


async def point_after(
    thread: GraphThread,
    spec: RunSpec,
    graph: str,
    own: str,
    store: ThreadStore,
    place: tuple[str, str],
) -> tuple[Any, Mapping[str, Any] | None]:
    """Return the snapshot after the run that a request goes on from, and its position.

    Args:
        thread: The thread.
        spec: What the client asks for.
        graph: The name of the thread's graph on the route.
        own: The id of the run that goes on.
        store: The store of threads.
        place: The scope and the client's id of the thread.

    Returns:
        The snapshot, and its position; None if it is the newest one.

    Raises:
        InvalidInput: Another graph of the route has the thread, in another checkpointer.
        NotFound: The thread has no such checkpoint any more.
        NotPending: The request answers what the thread does not wait for any more.
    """
    head, run_id = await thread.state(), spec.after_run
    position = await thread.after_run(str(run_id))
    if position is None:
        # A run whose answers leave other questions open writes no checkpoint.
        known = await store.find(*place)
        _check_graph(graph, head, known)
        runs = [each for each in (known.runs if known else ()) if each != own]
        if runs[:1] != [run_id]:
            raise NotFound(NO_CHECKPOINT)
    elif position != position_of(head):
        return await _snapshot_at(thread, position, answers=bool(spec.answers)), position
    return head, None


async def _snapshot_at(thread: GraphThread, position: Mapping[str, Any], *, answers: bool) -> Any:
    """Return an earlier snapshot, which has to be the end of its branch to be answered."""
    snapshot = await thread.state(position)
    if answers and await thread.has_gone_on(snapshot):
        raise NotPending
    return snapshot


def _check_graph(graph: str, head: Any, known: ThreadRecord | None) -> None:
    """Check that a thread without a state is not that of another graph."""
    earlier = known.metadata.get("graph_id") if known else None
    if head.created_at is None and earlier not in (None, graph):
        problem = f"the conversation is not in its checkpointer; go on with {earlier}"
        raise InvalidInput.at("model", problem)


async def point_before(
    thread: GraphThread, replaced: Collection[str], snapshot: Any
) -> tuple[Any, Mapping[str, Any] | None]:
    """Return the snapshot before the runs that another one replaces, and its position.

    A run that has ended by itself meanwhile stays: its client has the answer.

    Args:
        thread: The thread.
        replaced: The ids of those runs.
        snapshot: The newest snapshot of the thread.

    Returns:
        The snapshot, and its position; None if it is the newest one.
    """
    if not snapshot.next or snapshot.interrupts:
        return snapshot, None
    position = await thread.before_runs(replaced)
    if position is None:
        await thread.delete()
    return await thread.state(position), position
