"""A run's turn on its thread: the claim, the state that it starts from, and its input."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from langchain_core.messages import BaseMessage

from ..errors import NotPending, ThreadBusy, ThreadNotFound
from ..events import RunError, RunFinished
from ..formats import RunSpec
from ..stores import ThreadStatus, ThreadStore
from .answers import resume_values
from .graph_thread import GraphThread, messages_of
from .new_messages import Addition, closing, new_messages, without_from
from .start import Start, standing, with_addition
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
        self._thread = thread
        self._store = store
        self._place = scope, thread.thread_id
        self._route = route
        self._spec = spec
        self._multitask = multitask
        self._make_input = make_input
        self._graph = graph
        self._tasks = tasks
        self._evicted = self._claimed = False
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
            return None
        self._claimed = True
        self.start = start = await self._prepared()
        await self._touch(metadata=self._metadata(), run_id=self._run_id)
        return start

    async def messages(self) -> Sequence[BaseMessage]:
        """Return the messages that the thread has now."""
        return await self._thread.messages(await self._thread.state())

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
            self._tasks.spawn(self._thread.delete())

    async def _touch(self, **changes: Any) -> None:
        if not self._spec.ephemeral:
            await self._store.touch(*self._place, route=self._route, now=time.time(), **changes)

    def _metadata(self) -> dict[str, Any]:
        return {"graph_id": self._graph, **self._spec.metadata}

    async def _claim(self, wait: bool) -> bool:
        claim, place = self._store.claim, self._place
        match self._multitask:
            case "interrupt" | "rollback":
                claimed = await claim(*place, self, wait=True, evict=True)
                if self._multitask == "rollback":
                    self._replaced = claimed.before
                return True
            case "enqueue":
                return (await claim(*place, self, wait=wait)).taken
            case _:
                try:
                    async with asyncio.timeout(PATIENCE):
                        return (await claim(*place, self, wait=True)).taken
                except TimeoutError:
                    raise ThreadBusy from None

    async def _prepared(self) -> Start:
        spec, thread = self._spec, self._thread
        snapshot = await thread.state(spec.checkpoint)
        is_empty = not snapshot.config["configurable"].get("checkpoint_id")
        if spec.must_exist and is_empty and await self._store.find(*self._place) is None:
            raise ThreadNotFound
        position = spec.checkpoint
        if self._replaced and position is None:
            position = await thread.before_runs(self._replaced)
            if position is None and (snapshot.metadata or {}).get("run_id") in self._replaced:
                await thread.delete()
            snapshot = await thread.state(position)
        messages, interrupts = messages_of(snapshot.values), None
        if spec.answers or spec.update is not None or spec.goto:
            input, messages = await self._command(snapshot), await thread.messages(snapshot)
        elif spec.messages is not None:
            addition = new_messages(spec.messages, messages, finished=not snapshot.next)
            interrupts = await standing(thread, snapshot, spec, addition)
            if interrupts is None:
                input, position = await self._conversation(snapshot, position, addition)
                messages = with_addition(messages, addition)
            else:
                input, messages = None, await thread.messages(snapshot)
        elif spec.resumes:
            input = None
        else:
            input = self._closed(await self._make_input(spec), snapshot)
        metadata = {
            "run_id": self._run_id,
            "thread_id": thread.thread_id,  # LangChain's default is the checkpointer's
            "graph_id": self._graph,
        }
        return Start(
            input=input,
            configurable=thread.configurable(position),
            metadata=metadata,
            values=PublicState(thread).values(snapshot.values),
            messages=messages,
            interrupts=interrupts,
        )

    async def _command(self, snapshot: Any) -> Any:
        spec = self._spec
        from langgraph.types import Command

        resume: Any = None
        if spec.answers:
            pending = await self._thread.pending(snapshot)
            if not pending and self._thread.is_at_breakpoint(snapshot):
                resume = spec.answers[0].value  # any value will do
            else:
                resume = resume_values(spec.answers, pending)
        elif spec.update is None and not spec.goto:
            raise NotPending
        return Command(resume=resume, update=spec.update, goto=spec.goto or ())

    async def _conversation(
        self, snapshot: Any, position: Mapping[str, Any] | None, addition: Addition
    ) -> tuple[Any, Mapping[str, Any] | None]:
        spec, thread = self._spec, self._thread
        if addition.before is not None:
            position = await thread.before_message(snapshot, addition.before)
        known = messages_of(snapshot.values)
        input = await self._make_input(replace(spec, messages=addition.messages))
        if addition.before is not None and position is None:
            # There is no earlier checkpoint, because the graph stores only the last of each run.
            input = _with_messages(input, without_from(addition.before, known))
        return input, position

    def _closed(self, input: Any, snapshot: Any) -> Any:
        """Return an input with results for the tool calls that the thread has left open."""
        messages = input.get("messages") if isinstance(input, Mapping) else None
        if not isinstance(messages, list):
            return input
        return _with_messages(input, closing(messages_of(snapshot.values), messages))


def _with_messages(input: Any, first: Sequence[Any]) -> Any:
    """Return an input with more messages, in front of those that it has."""
    if not first or not isinstance(input, Mapping):
        return input
    return {**input, "messages": [*first, *input.get("messages", ())]}
