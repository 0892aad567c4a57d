"""A run's turn on its thread: the claim, the state that it starts from, and its input."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from langchain_core.messages import RemoveMessage

from ..errors import InvalidInput, NotFound, ThreadBusy, ThreadNotFound
from ..events import RunError, RunFinished
from ..formats import RunSpec
from ..stores import ThreadStatus, ThreadStore
from .commands import command_of
from .graph_thread import CLIENT_ID, NO_CHECKPOINT, GraphThread, messages_of, position_of
from .new_messages import closing, new_messages, split_at, with_messages
from .sent_messages import message_of
from .start import Start, standing
from .tasks import RunTasks
from .thread_state import PublicState

PATIENCE = 0.5
"""Seconds that a run may take to end, whose reader has left, before another is rejected."""

MULTITASK = ("reject", "enqueue", "interrupt", "rollback")

MakeInput = Callable[[RunSpec], Awaitable[Any]]


class ThreadTurn:
    """One run on a thread. To the store of threads it is a `Claimant`.

    Args:
        run_id: The id of the run.
        thread: The thread.
        store: The store of threads.
        scope: Whose threads the thread is among.
        route: The path of the route.
        spec: What the client asks for.
        multitask: What to do if another run has the thread, one of `MULTITASK`.
        make_input: Makes the graph's input of a spec.
        graph: The name of the graph.
        tasks: Keeps tasks alive.

    Attributes:
        start: What the run starts with, once that is known.
        thread: The thread.
    """

    def __init__(
        self,
        run_id: str,
        *,
        thread: GraphThread,
        store: ThreadStore,
        scope: str,
        route: str,
        spec: RunSpec,
        multitask: str,
        make_input: MakeInput,
        graph: str,
        tasks: RunTasks,
    ) -> None:
        self.start: Start | None = None
        self._on_evicted: Callable[[], None] | None = None
        self._run_id = run_id
        self.thread = thread
        self._store = store
        self._place = scope, thread.thread_id
        self._route = route
        self._spec = spec
        self._multitask = multitask
        self._make_input = make_input
        self._graph = graph
        self._tasks = tasks
        self._evicted = self._claimed = self._listed = False
        self._replaced: Sequence[str] = ()

    # The store's `Claimant`.

    @property
    def run_id(self) -> str:
        """The id of the run."""
        return self._run_id

    def evicted(self) -> None:
        """End the run: another one takes the thread over."""
        self._evicted = True
        if self._on_evicted is not None:
            self._on_evicted()

    # What the pump does with it.

    def on_evicted(self, function: Callable[[], None]) -> None:
        """Call a function when another run takes the thread over; at once if it has."""
        self._on_evicted = function
        if self._evicted:
            function()

    async def begin(self, *, wait: bool = False) -> Start | None:
        """Claim the thread, and find out what the run starts with.

        Args:
            wait: Wait for the runs that have claimed the thread before, however long they take.

        Returns:
            What the run starts with; None if it has to wait.

        Raises:
            ThreadBusy: Another run has the thread, and this one is rejected.
            StreamError: The request does not fit the thread.
        """
        if not self._claimed and not await self._claim(wait):
            await self._touch(run_id=self._run_id)
            self._listed = True
            return None
        self._claimed = True
        self.start = start = await self._prepared()
        run_id = None if self._listed else self._run_id
        metadata = {"graph_id": self._graph, **self._spec.metadata}
        await self._touch(metadata=metadata, run_id=run_id)
        return start

    async def ended(self, end: RunFinished | RunError | None) -> None:
        """Store the status that the thread has after the run; None: its reader has left."""
        if self.start is None:
            return
        status: ThreadStatus = "idle"
        if isinstance(end, RunFinished) and end.interrupts:
            status = "interrupted"
        elif isinstance(end, RunError) and end.code != "cancelled":
            status = "error"
        await self._touch(status=status)

    def release(self) -> None:
        """Give the thread up, because nothing writes to it any more. Returns at once."""
        self._store.release(*self._place, self._run_id)
        if self._spec.ephemeral and self.start is not None:
            self._tasks.spawn(self.thread.delete())

    async def _touch(self, **changes: Any) -> None:
        if not self._spec.ephemeral:
            await self._store.touch(*self._place, route=self._route, now=time.time(), **changes)

    async def _claim(self, wait: bool) -> bool:
        claim, place = self._store.claim, self._place
        match self._multitask:
            case "interrupt" | "rollback":
                claimed = await claim(*place, self, wait=True, evict=True)
                if self._multitask == "rollback":
                    self._replaced = claimed.before
                return claimed.taken
            case "enqueue":
                return (await claim(*place, self, wait=wait)).taken
            case _:
                try:
                    async with asyncio.timeout(PATIENCE):
                        return (await claim(*place, self, wait=True)).taken
                except TimeoutError:
                    raise ThreadBusy from None

    async def _prepared(self) -> Start:
        spec = self._spec
        snapshot, position = await self._standing_point()
        if spec.answers or spec.update is not None or spec.goto:
            input = await command_of(spec, self.thread, snapshot)
        elif spec.messages is not None:
            return await self._conversation(snapshot, position)
        elif spec.resumes:
            if snapshot.created_at is None:
                raise InvalidInput.at("input", "the first run on a thread needs one")
            input = None
        else:
            input = self._closed(await self._make_input(spec), snapshot)
        return await self._start(input, snapshot, position)

    async def _standing_point(self) -> tuple[Any, Mapping[str, Any] | None]:
        """Return the snapshot to start from, and its position; None is the newest one."""
        spec, thread = self._spec, self.thread
        snapshot = await thread.state(spec.checkpoint)
        is_empty = not snapshot.config["configurable"].get("checkpoint_id")
        if spec.must_exist and is_empty and await self._store.find(*self._place) is None:
            raise ThreadNotFound
        if spec.checkpoint and snapshot.created_at is None:
            raise NotFound(NO_CHECKPOINT)
        if not self._replaced or spec.checkpoint is not None:
            return snapshot, spec.checkpoint
        position = await thread.before_runs(self._replaced)
        if position is None and (snapshot.metadata or {}).get("run_id") in self._replaced:
            await thread.delete()
        return await thread.state(position), position

    async def _conversation(self, snapshot: Any, position: Mapping[str, Any] | None) -> Start:
        spec, thread, known = self._spec, self.thread, messages_of(snapshot.values)
        addition = new_messages(spec.messages or (), known, finished=not snapshot.next)
        interrupts = await standing(thread, snapshot, spec, addition)
        if interrupts is not None:
            return await self._start(None, snapshot, position, interrupts=interrupts)
        new, removed = addition.messages, addition.before
        if addition.before is not None:
            earlier = await thread.before_message(snapshot, addition.before)
            if earlier is not None:
                snapshot, position, removed = earlier, position_of(earlier), None
                known = messages_of(snapshot.values)
                # What has closed its calls may have come with the messages that are replaced.
                new = [*closing(known, new), *new]
        input = await self._make_input(replace(spec, messages=new))
        if removed is not None:
            # There is no earlier checkpoint, because the graph stores only the last of each run.
            known, rest = split_at(removed, known)
            input = with_messages(input, [RemoveMessage(id=id_) for id_ in rest])
        messages = [*known, *(message_of(dict(each)) for each in new)]
        return await self._start(input, snapshot, position, messages=messages)

    async def _start(
        self, input: Any, snapshot: Any, position: Mapping[str, Any] | None, **more: Any
    ) -> Start:
        thread = self.thread
        metadata = {
            "run_id": self._run_id,
            "thread_id": thread.thread_id,  # LangChain's default is the checkpointer's
            CLIENT_ID: thread.thread_id,
            "graph_id": self._graph,
        }
        if self._spec.catches_up and "messages" not in more:
            more["messages"] = await thread.messages(snapshot)
        return Start(
            input=input,
            configurable=thread.configurable(position),
            metadata=metadata,
            values=PublicState(thread).values(snapshot.values),
            **more,
        )

    def _closed(self, input: Any, snapshot: Any) -> Any:
        """Return an input with results for the tool calls that the thread has left open."""
        messages = input.get("messages") if isinstance(input, Mapping) else None
        if not isinstance(messages, list):
            return input
        return with_messages(input, closing(messages_of(snapshot.values), messages))
