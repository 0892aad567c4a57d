"""A thread of a graph: what the graph's checkpointer has of a conversation."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Iterable, Mapping
from contextlib import aclosing
from itertools import count
from typing import Any

from ...errors import NotFound
from ...threads import checkpoint_thread_id, owner_mark
from ..graphs import nodes_of

POSITION = ("checkpoint_id", "checkpoint_ns", "checkpoint_map")
"""The keys of a checkpoint, besides the thread's id, that a client may choose."""

OWNER = "thread_owner"
"""The key by which an owner's threads are found among all checkpoints."""

CLIENT_ID = "client_thread_id"
"""The key of a checkpoint's metadata that has the client's id of the thread.

LangGraph stores none with the name ``thread_id``.
"""

NO_CHECKPOINT = "The thread has no such checkpoint."

FIRST_PAGE = 16
"""How many checkpoints are read at first to find an earlier one."""

COPY = "__copy__"
"""LangGraph's node for an update that copies a checkpoint."""


class GraphThread:
    """A thread of one graph, in the graph's checkpointer.

    Args:
        graph: The graph.
        thread_id: The client's id of the thread.
        owner: Whose thread it is; None: anyone's who knows its id.
        configurable: Further keys that the graph needs.
        astream_kwargs: What ``astream`` is called with, perhaps ``interrupt_before``.

    Attributes:
        key: The checkpointer's id of the thread.
        stops_before: The nodes before which runs stop, or ``"*"``.
        stops_after: Those after which they do.
    """

    def __init__(
        self,
        graph: Any,
        thread_id: str,
        owner: str | None,
        configurable: Mapping[str, Any] | None = None,
        astream_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        stops = astream_kwargs or {}
        self.stops_before = stops.get("interrupt_before") or graph.interrupt_before_nodes
        self.stops_after = stops.get("interrupt_after") or graph.interrupt_after_nodes
        self.graph = graph
        self.thread_id = thread_id
        self.key = checkpoint_thread_id(thread_id, owner)
        # LangGraph puts these into the metadata of each checkpoint.
        self._configurable = {**(configurable or {}), CLIENT_ID: thread_id}
        if owner is not None:
            self._configurable[OWNER] = owner_mark(owner)

    def configurable(self, checkpoint: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the ``configurable`` keys of this thread, at a checkpoint or at its newest.

        Raises:
            NotFound: It is a checkpoint of a subgraph that the graph does not have.
        """
        position = {key: (checkpoint or {}).get(key) for key in POSITION}
        if namespace := position["checkpoint_ns"]:
            path = "|".join(nodes_of(namespace.split("|")))
            if path not in dict(self.graph.get_subgraphs(recurse=True)):
                raise NotFound(NO_CHECKPOINT)
        return {
            **self._configurable,
            "thread_id": self.key,
            "checkpoint_ns": "",
            **{key: value for key, value in position.items() if value is not None},
        }

    async def state(
        self, checkpoint: Mapping[str, Any] | None = None, *, subgraphs: bool = False
    ) -> Any:
        """Return LangGraph's ``StateSnapshot`` at a checkpoint, or the newest one."""
        config = {"configurable": self.configurable(checkpoint)}
        return await self.graph.aget_state(config, subgraphs=subgraphs)

    async def history(
        self,
        *,
        checkpoint: Mapping[str, Any] | None = None,
        before: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        limit: int | None = None,
    ) -> AsyncGenerator[Any, None]:
        """Yield the snapshots of all branches of the thread, newest first.

        Args:
            checkpoint: The namespace of a subgraph, if not of the graph itself.
            before: The id of a checkpoint; only older ones are yielded.
            metadata: Values that the metadata of each checkpoint must have.
            limit: How many, at most.
        """
        snapshots = self.graph.aget_state_history(
            {"configurable": self.configurable(checkpoint)},
            filter=dict(metadata) if metadata else None,
            before={"configurable": {**self.configurable(), "checkpoint_id": before}}
            if before
            else None,
            limit=limit,
        )
        async with aclosing(snapshots) as source:
            async for snapshot in source:
                yield snapshot

    async def after_run(self, run_id: str) -> dict[str, Any] | None:
        """Return the position of the newest checkpoint that a run has written; None without one."""
        async for each in self.history(metadata={"run_id": run_id}, limit=1):
            return position_of(each)
        return None

    async def before_runs(self, run_ids: Collection[str]) -> dict[str, Any] | None:
        """Return the newest checkpoint that none of these runs has written.

        Returns:
            The ``configurable`` keys of its position. None if there is no other checkpoint.
        """
        written = await self._written_by(run_ids)
        async for each in self.lineage(await self.state()):
            if checkpoint_id(each.config) not in written:
                return position_of(each)
        return None

    async def roll_back(self, run_ids: Collection[str]) -> None:
        """Bring the thread back to where it was before these runs wrote to it.

        Their checkpoints remain in its history, because not every checkpointer can delete some.
        """
        head = await self.state()
        if checkpoint_id(head.config) not in await self._written_by(run_ids):
            return
        before = await self.before_runs(run_ids)
        if before is None:
            await self.delete()
        else:
            config = {"configurable": self.configurable(before)}
            await self.graph.aupdate_state(config, None, as_node=COPY)

    async def update(
        self, values: Any, as_node: str | None, checkpoint: Mapping[str, Any] | None
    ) -> Mapping[str, Any]:
        """Write to the state as a node does, and return the config of the new checkpoint."""
        config = {"configurable": self.configurable(checkpoint)}
        return await self.graph.aupdate_state(config, values, as_node=as_node)  # type: ignore[no-any-return]

    async def delete(self) -> None:
        """Delete all checkpoints of the thread."""
        await self.graph.checkpointer.adelete_thread(self.key)

    async def _written_by(self, run_ids: Collection[str]) -> set[str | None]:
        """Return the ids of the checkpoints that these runs have written.

        Not every checkpointer returns the id of a run in the metadata, but all can search for it.
        """
        saver, config = self.graph.checkpointer, {"configurable": self.configurable()}
        return {
            checkpoint_id(each.config)
            for run_id in run_ids
            async for each in saver.alist(config, filter={"run_id": run_id})
        }

    async def has_gone_on(self, snapshot: Any) -> bool:
        """Return whether something has gone on from a snapshot: an answer, or a new input."""
        own = checkpoint_id(snapshot.config)
        async for each in self.newest_first(1 << n for n in count()):
            if own in (checkpoint_id(each.config), checkpoint_id(each.parent_config)):
                return checkpoint_id(each.config) != own
        return False

    async def lineage(self, snapshot: Any) -> AsyncGenerator[Any, None]:
        """Yield a snapshot and those that it was made from, newest first."""
        wanted = checkpoint_id(snapshot.config)
        async for each in self.newest_first(FIRST_PAGE << n for n in count()):
            if checkpoint_id(each.config) == wanted:
                yield each
                wanted = checkpoint_id(each.parent_config)

    async def newest_first(self, sizes: Iterable[int]) -> AsyncGenerator[Any, None]:
        """Yield the snapshots of all branches, newest first, read in pages of these sizes."""
        before = None
        for size in sizes:
            # LangGraph reads all that it is asked for before it yields the first.
            page = [each async for each in self.history(before=before, limit=size)]
            for each in page:
                yield each
            if len(page) < size:
                return
            before = checkpoint_id(page[-1].config)


def position_of(snapshot: Any) -> dict[str, Any] | None:
    """Return where a snapshot is in its thread; None for a thread without checkpoints."""
    configurable = snapshot.config.get("configurable") or {}
    position = {key: configurable[key] for key in POSITION if key in configurable}
    return position if position.get("checkpoint_id") else None


def checkpoint_id(config: Any) -> str | None:
    """Return the id of the checkpoint at the position of a config, if it has one."""
    configurable = (config or {}).get("configurable") or {}
    id_ = configurable.get("checkpoint_id")
    return str(id_) if id_ else None
