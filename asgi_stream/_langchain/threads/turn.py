"""A run's turn on its thread: the claim, the state that it starts from, and its input."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from ...errors import InvalidInput, NotFound, RunCancelled, ThreadNotFound, WorkerLost
from ...events import RunError, RunFinished
from ...formats import RunSpec
from ...stores import ThreadStatus, ThreadStore
from ...stores.rollback import rolled_back
from ...stores.shared_claims import Claims
from ..sent_messages import message_of
from ..tasks import RunTasks
from .claim import EVICTING, claim_anew, claim_thread
from .commands import command_of, with_answers
from .continuation import continuation_of
from .earlier_run import point_after, point_before
from .entry import ThreadEntry
from .graph_thread import NO_CHECKPOINT, GraphThread, position_of
from .input import thread_input
from .new_messages import addition_of, without_replaced
from .own_memory import prepare_agents
from .removed_messages import before_revised, without_removed
from .replay import before_message, repeated_input
from .results import closing
from .sent_state import came_with, changes_of
from .shown import shown_messages
from .start import Start, interrupts_if_unchanged
from .state import PublicState
from .state_messages import messages_of

MakeInput = Callable[[RunSpec, Any], Awaitable[Any]]
"""Makes an input of what a client asks for and of the fields it changes; None: all of them."""


class ThreadTurn:
    """One run on a thread. To the store of threads it is a `Claimant`.

    Args:
        run_id: The id of the run.
        thread: The thread.
        store: The store of threads.
        claims: Claims threads.
        scope: Whose threads the thread is among.
        route: The path of the route.
        spec: What the client asks for.
        multitask: What to do if another run has the thread, one of `claim.MULTITASK`.
        linger: Seconds that its claim outlives its worker.
        make_input: Makes the graph's input of a spec.
        graph: The name of the graph.
        tasks: Keeps tasks alive.
        in_order: Whether clients read the thread's runs in the order in which they were begun.

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
        claims: Claims,
        scope: str,
        route: str,
        spec: RunSpec,
        multitask: str,
        linger: float,
        make_input: MakeInput,
        graph: str,
        tasks: RunTasks,
        in_order: bool = False,
    ) -> None:
        self.start: Start | None = None
        self._on_evicted: Callable[[], None] | None = None
        self.run_id = run_id
        self.thread = thread
        self._store, self._claims = store, claims
        self._place = scope, thread.thread_id
        self._entry = ThreadEntry(store, self._place, route, run_id, silent=spec.ephemeral)
        self._spec, self._linger = spec, linger
        # An answer never ends another run: that may have the same answer, and it would be lost.
        self._multitask = "enqueue" if spec.answers and multitask in EVICTING else multitask
        self._make_input = make_input
        self._graph, self._tasks, self._in_order = graph, tasks, in_order
        self._evicted = self._claimed = self._cancelled = self._failed = False
        self._replaced: Sequence[str] = ()

    def evicted(self) -> None:
        """End the run: another one takes the thread over."""
        self._evicted = True
        if self._on_evicted is not None:
            self._on_evicted()

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
            NotContinuable: The run cannot go on here.
        """
        self._failed |= await self._entry.has_failed()
        self._claimed = self._claimed or await self._claim(wait)
        if self._in_order or not self._claimed:
            await self._entry.list_run(must_exist=self._claimed and self._spec.must_exist)
        if not self._claimed:
            return None
        try:
            start = await self._prepared()
            await self._entry.begun({"graph_id": self._graph, **self._spec.metadata})
        except Exception:
            await self._entry.refused()
            raise
        self.start = start
        return start

    async def ended(self, end: RunFinished | RunError | None) -> None:
        """Store the status that the thread has after the run; None: its reader has left."""
        lost = isinstance(end, RunError) and end.code == WorkerLost.code
        if self.start is None or (lost and self._linger):
            return  # of a run that goes on elsewhere, the worker there knows the status
        self._cancelled = isinstance(end, RunError) and end.code == RunCancelled.code
        status: ThreadStatus = "idle"
        if isinstance(end, RunFinished) and end.interrupts:
            status = "interrupted"
        elif isinstance(end, RunError) and not self._cancelled:
            status = "error"
        await self._entry.ended(status)

    def release(self) -> None:
        """Give the thread up, because nothing writes to it any more. Returns at once."""
        give_up = partial(self._claims.release, *self._place, self.run_id)
        if self._cancelled:
            self._tasks.spawn(rolled_back(self._store, self.run_id, give_up))
        else:
            give_up()
        if self._spec.ephemeral and self.start is not None and not self._evicted:
            self._tasks.spawn(self.thread.delete())

    async def _claim(self, wait: bool) -> bool:
        about, linger = (self._claims, self._place, self), self._linger
        if self._spec.continued:
            await claim_anew(*about, linger=linger, attempt=self._spec.attempt)
            return True
        claim = await claim_thread(*about, multitask=self._multitask, wait=wait, linger=linger)
        if self._multitask == "rollback":
            self._replaced = claim.before
        return claim.taken

    async def _prepared(self) -> Start:
        if self._spec.continued:
            point = await continuation_of(self.thread, self.run_id)
            more = {"interrupts": point.interrupts, "calls": point.calls}
            return await self._start(None, point.snapshot, None, **more)
        snapshot, position = await self._standing_point()
        spec = with_answers(self._spec, self.thread.graph, snapshot)
        if spec.answers or spec.update is not None or spec.goto:
            input, position = await command_of(spec, self.thread, snapshot, position)
        elif spec.messages is not None:
            return await self._conversation(snapshot, position)
        elif spec.resumes:
            if snapshot.created_at is None:
                raise InvalidInput.at("input", "the first run on a thread needs one")
            input = None
        else:
            input = await self._make_input(spec, None)
        return await self._start(input, snapshot, position)

    async def _standing_point(self) -> tuple[Any, Mapping[str, Any] | None]:
        """Return the snapshot to start from, and its position; None is the newest one."""
        spec, thread, graph = self._spec, self.thread, self._graph
        if spec.after_run is not None:
            return await point_after(thread, spec, graph, self.run_id, self._store, self._place)
        snapshot = await thread.state(spec.checkpoint)
        is_empty = not snapshot.config["configurable"].get("checkpoint_id")
        if spec.must_exist and is_empty and not await self._entry.exists():
            raise ThreadNotFound
        if spec.checkpoint and snapshot.created_at is None:
            raise NotFound(NO_CHECKPOINT)
        if not self._replaced or spec.checkpoint is not None:
            return snapshot, spec.checkpoint
        return await point_before(thread, self._replaced, snapshot)

    async def _conversation(self, snapshot: Any, position: Mapping[str, Any] | None) -> Start:
        spec, snapshot, position = await before_revised(self.thread, self._spec, snapshot, position)
        thread, known = self.thread, messages_of(snapshot.values)
        addition = addition_of(spec, known, snapshot, failed=self._failed)
        addition = await without_removed(addition, spec, thread, snapshot)
        changes = await changes_of(thread, snapshot, spec, newest=position is None)
        interrupts = await interrupts_if_unchanged(thread, snapshot, spec, addition, changes)
        if interrupts is not None:
            self._entry.silent = True
            more = {"interrupts": interrupts, "changes": changes}
            return await self._start(None, snapshot, position, **more)
        new, removed = addition.messages, addition.before
        earlier = await before_message(thread, snapshot, removed) if removed else None
        if earlier is not None:
            snapshot, position, removed = earlier, position_of(earlier), None
            later, known = known, messages_of(snapshot.values)
            changes = {**came_with(snapshot, spec), **changes}
            # What has closed its calls may have come with the messages that are replaced.
            new = [*closing(known, new, later, failed=self._failed), *new]
        input = await self._make_input(replace(spec, messages=new), changes)
        added = repeated_input(addition, snapshot, input)
        if removed is not None:
            # There is no earlier checkpoint, because the graph stores only the last of each run.
            known, input = without_replaced(removed, known, input)
        elif added is not None:
            input = None
        messages = [*known, *(added or (message_of(dict(each)) for each in new))]
        return await self._start(input, snapshot, position, messages=messages, changes=changes)

    async def _start(
        self, input: Any, snapshot: Any, position: Mapping[str, Any] | None, **more: Any
    ) -> Start:
        thread = self.thread
        # LangChain's default for the thread is the checkpointer's.
        about = {"run_id": self.run_id, "thread_id": thread.thread_id, "graph_id": self._graph}
        if self._spec.catches_up and "messages" not in more:
            more["messages"] = [*await shown_messages(thread, snapshot), *messages_of(input)]
        failed = self._failed
        input = await thread_input(thread, input, snapshot, failed=failed)
        input, position = await prepare_agents(thread, position, input, self.run_id, failed=failed)
        return Start(
            input=input,
            # That for Redis takes the run's id from there.
            configurable={**thread.configurable(position), "run_id": self.run_id},
            metadata=about,
            values=PublicState(thread).values(snapshot.values),
            **more,
        )
