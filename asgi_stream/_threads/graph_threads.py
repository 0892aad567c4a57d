"""The threads of a route, as one caller may see them."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any
from uuid import uuid4

from .._delivery.observability import public_text
from .._langchain.graphs import graph_of
from .._langchain.served_runnable import ServedRunnable
from .._langchain.threads.copies import copy_thread
from .._langchain.threads.graph_thread import CLIENT_ID, OWNER, GraphThread
from .._langchain.threads.messages import thread_messages
from .._langchain.threads.shown import shown_messages
from .._langchain.threads.state import PublicState
from .._langchain.threads.state_messages import messages_of
from .._langchain.threads.waiting import pending
from .._request.turn import checked_id, graph_thread
from .._routing.bound import BoundRoute
from ..errors import InvalidInput, StreamError, ThreadBusy, ThreadExists, ThreadNotFound
from ..errors.mapping import raised_in
from ..formats import ThreadQuery, ThreadView
from ..stores import ThreadRecord, ThreadStatus
from ..stores.claimed import claimed
from ..stores.shared_claims import Claims
from ..threads import Threads, owner_mark, thread_scope
from .listing import FIRST, checkpoints_with, matches, record_of


class GraphThreads:
    """The threads of one route, as one caller may see them.

    Args:
        route: The route.
        policy: How its threads are kept.
        owner: What ``authorize`` returned for the caller.
        served: The graph.
        claims: Claims the threads.
    """

    def __init__(
        self,
        route: BoundRoute,
        policy: Threads,
        owner: str | None,
        served: ServedRunnable,
        claims: Claims,
    ) -> None:
        self._route = route
        self._path = route.thread_path
        self._store = policy.opened
        self._owner = owner
        self._scope = thread_scope(route.thread_path, owner)
        self._served = served
        self._claims = claims

    def thread(self, thread_id: str) -> GraphThread:
        """Return a thread in the graph's checkpointer, whether or not it exists."""
        return graph_thread(self._route, self._served, thread_id, self._owner)

    def public(self, thread_id: str) -> PublicState:
        """Return what turns snapshots of a thread into what clients may see."""
        return PublicState(self.thread(thread_id))

    async def view(self, record: ThreadRecord, snapshot: Any, query: ThreadQuery) -> ThreadView:
        """Return what a query asks for of a thread and the snapshot of its newest state."""
        thread, route = self.thread(record.thread_id), self._route
        public = PublicState(thread)
        state, interrupts = public.of(snapshot), await pending(thread, snapshot)
        if not query.with_messages:
            return ThreadView(record, state, interrupts=interrupts)
        are_public = messages_of(public.values(snapshot.values))
        messages = thread_messages(
            await shown_messages(thread, snapshot) if are_public else (),
            route.filter,
            lambda failure: public_text(failure, route),
        )
        return ThreadView(record, state, messages, interrupts)

    async def find(self, thread_id: str) -> tuple[ThreadRecord, Any]:
        """Return the record of a thread, and the snapshot of its newest state.

        Raises:
            ThreadNotFound: The caller has no such thread.
        """
        record = await self._store.find(self._scope, thread_id)
        snapshot = await self.thread(thread_id).state()
        if record is None and snapshot.created_at is None:
            raise ThreadNotFound
        return record or self._record_of(
            thread_id, snapshot.created_at, snapshot.metadata
        ), snapshot

    async def create(self, query: ThreadQuery) -> ThreadRecord:
        """Create a thread without a state.

        Raises:
            ThreadExists: It exists, and the request does not allow that.
        """
        thread_id = checked_id(query.thread_id) if query.thread_id else str(uuid4())
        now = time.time()
        record = ThreadRecord(
            thread_id=thread_id,
            scope=self._scope,
            route=self._path,
            created=now,
            updated=now,
        ).touched(now, metadata=query.metadata)
        if await self._exists(thread_id) or not await self._store.create(record):
            if not query.may_exist:
                raise ThreadExists
            record, _ = await self.find(thread_id)
        return record

    async def change(self, thread_id: str, metadata: Mapping[str, Any]) -> ThreadRecord:
        """Merge metadata over that of a thread.

        Raises:
            ThreadNotFound: The caller has no such thread.
        """
        await self.find(thread_id)
        return await self._store.touch(
            self._scope, thread_id, route=self._path, now=time.time(), metadata=metadata
        )

    async def delete(self, thread_id: str) -> None:
        """Delete a thread with its state, and stop the run that is in progress on it.

        Raises:
            ThreadNotFound: The caller has no such thread.
        """
        await self.find(thread_id)
        async with self._claimed(thread_id, wait=True, evict=True):
            await self.thread(thread_id).delete()
            await self._store.delete(self._scope, thread_id)

    async def keep_latest(self, thread_id: str) -> None:
        """Delete all states of a thread but the newest.

        Raises:
            ThreadNotFound: The caller has no such thread.
            ThreadBusy: A run on it is in progress.
            InvalidInput: The checkpointer cannot do that.
        """
        await self.find(thread_id)
        async with self._claimed(thread_id):
            try:
                thread = self.thread(thread_id)
                await thread.graph.checkpointer.aprune([thread.key], strategy="keep_latest")
            except NotImplementedError:
                problem = "the checkpointer of this graph cannot keep only the latest checkpoint"
                raise InvalidInput.at("strategy", problem) from None

    async def copy(self, thread_id: str) -> str:
        """Copy a thread with its states, and return the id of the copy.

        Raises:
            ThreadNotFound: The caller has no such thread.
        """
        record, _ = await self.find(thread_id)
        copied = str(uuid4())
        await copy_thread(self.thread(thread_id), self.thread(copied))
        status: ThreadStatus = "idle" if record.status == "busy" else record.status
        await self._store.touch(
            self._scope,
            copied,
            route=self._path,
            now=time.time(),
            status=status,
            metadata=record.metadata,
        )
        return copied

    async def update(self, thread_id: str, query: ThreadQuery) -> Mapping[str, Any]:
        """Write to the state of a thread, and return the position of the new checkpoint.

        Raises:
            ThreadNotFound: The caller has no such thread.
            ThreadBusy: A run on it is in progress.
            InvalidInput: The graph does not take the values.
        """
        await self.find(thread_id)
        async with self._claimed(thread_id):
            try:
                config = await self.thread(thread_id).update(
                    query.values, query.as_node, query.checkpoint
                )
            except Exception as error:
                of_library = raised_in(error, "langchain_core", "langgraph", "pydantic")
                if isinstance(error, StreamError) or not of_library:
                    raise
                raise InvalidInput.at("values", "the graph does not take them") from error
        await self._store.touch(self._scope, thread_id, route=self._path, now=time.time())
        return self.public(thread_id).checkpoint(config) or {}

    async def list(self, query: ThreadQuery) -> list[ThreadRecord]:
        """Return the caller's threads of this route; none for an anonymous caller."""
        if self._owner is None:
            return []
        records = {each.thread_id: each for each in await self._store.list(self._scope)}
        if getattr(self._store, "local", False):
            async for record in self._in_checkpointer():
                records.setdefault(record.thread_id, record)
        chosen = [each for each in records.values() if matches(each, query)]
        chosen.sort(key=lambda each: str(getattr(each, query.sort_by)), reverse=not query.ascending)
        return chosen

    @asynccontextmanager
    async def _claimed(self, thread_id: str, **how: bool) -> AsyncGenerator[None, None]:
        """Hold a thread, so that no run writes to it meanwhile."""
        async with claimed(self._claims, self._scope, thread_id, **how) as claim:
            if not claim.taken:
                raise ThreadBusy
            yield

    async def _exists(self, thread_id: str) -> bool:
        try:
            await self.find(thread_id)
        except ThreadNotFound:
            return False
        return True

    async def _in_checkpointer(self) -> AsyncIterator[ThreadRecord]:
        """Yield what the checkpointer knows of the caller's threads."""
        saver = graph_of(self._served.runnable).checkpointer
        wanted = {**FIRST, OWNER: owner_mark(str(self._owner))}
        async with aclosing(checkpoints_with(saver, wanted)) as first:
            async for each in first:
                id_, created_at = str(each.metadata[CLIENT_ID]), each.checkpoint["ts"]
                yield self._record_of(id_, created_at, each.metadata)

    def _record_of(self, thread_id: str, created_at: Any, metadata: Any) -> ThreadRecord:
        return record_of(thread_id, self._scope, self._path, created_at, metadata)
