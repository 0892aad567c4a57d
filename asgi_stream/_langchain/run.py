"""Runs a Runnable in a task of its own, cancels it at most once, and leaves nothing behind."""

from __future__ import annotations

import asyncio
from asyncio import CancelledError, Task
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from typing import Any

from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import merge_configs

from .._logs import logger
from ..errors import RunIncomplete
from ..events import (
    BlockStarted,
    LangChainEvent,
    OutputChunk,
    RunFinished,
    RunStarted,
    Step,
)
from .answers import check_passed_on, refused_answer
from .callbacks.emitter import Emitter
from .callbacks.pacing import Pacer
from .callbacks.run_callbacks import RunCallbacks, StreamingCallbacks
from .callbacks.sink import Sink
from .callbacks.step_handler import RawHandler
from .callbacks.tracker import RunTracker
from .chunk_reader import ChunkReader
from .cleanup import clean_up
from .entrypoints import saved_messages
from .graph_parts import writer_config
from .handlers import answer_of, handler_of
from .langchain_events import EventReader, PacedRunnable, close_with
from .messages import added, whole
from .refused_values import refused_value
from .run_request import RunRequest
from .tasks import RunTasks
from .thread_snapshot import catch_up, interrupts_shown, messages_shown, put_snapshot
from .threads.state_messages import messages_of


class Run:
    """One run of one Runnable.

    Its task is never part of an anyio scope: such a scope cancels at every await, and LangGraph
    cannot finish its clean-up under that (https://github.com/langchain-ai/langgraph/issues/5682).

    Args:
        request: The input, the config and the id.
        sink: Takes the events.
        grace: Seconds that the clean-up after a cancellation may take before a warning is logged.
        tasks: Keeps the run's tasks alive until they are done.

    Attributes:
        on_end: Called once, when the run and its clean-up have ended.
    """

    def __init__(
        self,
        request: RunRequest,
        *,
        sink: Sink,
        grace: float,
        tasks: RunTasks,
    ) -> None:
        self._plan = plan = request.plan
        self._request = request
        self._sink = sink
        self._grace = grace
        self._tasks = tasks
        self._pacer = Pacer(sink)
        self._step = Step(str(request.run_id), plan.name, "chain")
        self._reader = ChunkReader(
            plan.graph,
            request.astream_kwargs,
            detailed=BlockStarted in sink.wants,
            configurable=request.config.get("configurable") or {},
            thread=None if request.turn is None else request.spec.thread,
        )
        self._tracker = RunTracker(request.run_id, plan.name if plan.is_custom else None)
        self._answer = answer_of(request, sink)
        emitter = Emitter(sink, self._pacer)
        self._handler = handler = handler_of(request, self._answer, emitter, sink)
        kind = RunCallbacks if isinstance(handler, RawHandler) else StreamingCallbacks
        self._callbacks = kind(self._tracker, handler, emitter, sink, self._pacer)
        self._left = self._settled = False
        self.on_end: Callable[[], None] | None = None
        self._open_tasks = 0
        self._task = self._spawn(self._produce())

    def leave(self) -> None:
        """Cancel the run, once, if it is still running. Returns at once; the clean-up follows."""
        if self._left or self._task.done():
            # Tasks that a finished run has deliberately detached are left alone.
            return
        self._left = True
        self._tracker.refusing = True
        moved_on = self._tracker.has_moved_on()
        self._task.cancel()
        self._spawn(self._reap(moved_on))

    def settle(self) -> None:
        """Put the events that are due before an error ends the run, once."""
        if not self._settled:
            self._settled = True
            self._handler.abandoned()

    def _spawn(self, coroutine: Any) -> Task[None]:
        task = self._tasks.spawn(coroutine)
        self._open_tasks += 1
        task.add_done_callback(self._task_done)
        return task

    def _task_done(self, task: Task[None]) -> None:
        self._open_tasks -= 1
        if not self._open_tasks and self.on_end is not None:
            on_end, self.on_end = self.on_end, None
            on_end()

    async def _produce(self) -> None:
        self._tracker.follow()
        self._sink.put(RunStarted(self._step.run_id))
        try:
            if catch_up(self._sink, self._request, self._step):
                return
            await self._remember()
            events = LangChainEvent in self._sink.wants
            output = await (self._events() if events else self._chunks())
            # Events from threads are still in the loop's queue.
            await asyncio.sleep(0)
            if self._tracker.root and not self._tracker.finished:
                raise RunIncomplete
            waits = bool(self._reader.interrupts)
            messages = await messages_shown(self._sink, self._request) if waits else None
            await self._finished(output, messages)
        except CancelledError:
            # Not raised again: a task keeps its exception, with all the frames and generators that
            # it passed, and nobody waits for this task's result.
            if not self._left:
                # Raised inside the Runnable. It would look like a clean end.
                self._failed(RunIncomplete())
        except BaseException as error:
            # SystemExit too: out of a task it would end the whole process.
            self._failed(error)

    async def _remember(self) -> None:
        """Take note of what an entrypoint has from before, and may return again."""
        if isinstance(self._callbacks, StreamingCallbacks):
            configurable = self._request.config.get("configurable") or {}
            for message in await saved_messages(self._plan.current_graphs, configurable):
                self._handler.remember(message)

    async def _finished(self, output: Any, messages: Sequence[BaseMessage] | None) -> None:
        own = self._tracker.is_own and self._tracker.finished
        output = whole(self._tracker.output if own else output)
        raised, known = self._reader.interrupts, messages or messages_of(output)
        check_passed_on(self._request.input, raised)
        interrupts = await interrupts_shown(self._request, raised.values(), known)
        if not interrupts:
            self._handler.concluded(self._step, output)
        for revised in self._answer.revised():
            self._sink.put(revised)
        put_snapshot(self._sink, self._request, output, messages)
        self._sink.put(RunFinished(self._step, output, tuple(interrupts)))

    def _failed(self, error: BaseException) -> None:
        self._left = self._tracker.refusing = True
        self.settle()
        self._sink.fail(refused_value(refused_answer(error), self._request.client_keys))
        self._spawn(self._reap(self._tracker.has_moved_on()))

    def _config(self) -> RunnableConfig:
        callbacks = self._callbacks
        config: RunnableConfig = {"callbacks": [callbacks], "run_id": self._request.run_id}
        if isinstance(callbacks, StreamingCallbacks):
            config["configurable"] = writer_config(
                self._plan.current_graphs(), callbacks.write, callbacks.cached
            )
        requested: Any = self._request.config
        return merge_configs(requested, config)

    async def _chunks(self) -> Any:
        """Run ``astream``; return the sum of the chunks if no callback reports the output."""
        request, sink, pacer, tracker = self._request, self._sink, self._pacer, self._tracker
        reader, answer, handler = self._reader, self._answer, self._handler
        reads = OutputChunk in sink.wants or not reader.plain
        output: Any = None
        async with AsyncExitStack() as stack:
            chunks = self._plan.runnable.astream(request.input, self._config(), **reader.stream)
            close_with(stack, chunks)
            async for chunk in chunks:
                if not tracker.is_own:
                    output = added(output, chunk)
                if reads or isinstance(chunk, dict):
                    self._read(chunk)
                elif answer.has_model_text or not handler.yielded(self._step, chunk):
                    sink.alive()
                if pacer.due():
                    await pacer.pause()
        return output

    def _read(self, value: Any) -> None:
        """Pass a chunk on, as far as the format takes it."""
        sink = self._sink
        sink.alive()
        chunk = self._reader.read(self._step, value)
        if chunk is None:
            return
        if chunk.mode is None:
            self._handler.yielded(self._step, chunk.data)
        if OutputChunk in sink.wants:
            sink.put(chunk)

    async def _events(self) -> None:
        """Run ``astream_events``; chunks of the output keep their place among the events."""
        request, sink, pacer, reader = self._request, self._sink, self._pacer, self._reader
        chunks = OutputChunk in sink.wants
        shown = EventReader(reader, inputs=request.filter.inputs, states=not chunks)
        paced = PacedRunnable(self._plan.runnable, pacer, reader, self._step, labelled=chunks)
        options = {} if chunks else request.filter.pushed_down()
        events = paced.astream_events(request.input, self._config(), version="v2", **options)
        async with aclosing(events) as source:  # type: ignore[type-var]  # an async generator
            async for event in source:
                sink.put(shown.read(event))
                if pacer.due():
                    await pacer.pause()

    async def _reap(self, moved_on: bool) -> None:
        """Wait until nothing of this run is left running, and log what is.

        Args:
            moved_on: Whether steps go on in tasks that no callback has reported.
        """
        names = await clean_up(
            self._task, self._tracker, self._tasks, grace=self._grace, moved_on=moved_on
        )
        if names is not None:
            logger.warning(
                "run %s of %s is still running %g s after it was cancelled%s: it ignores the"
                " cancellation, is shielded from it, or is a sync step, which cannot be stopped",
                self._request.run_id,
                self._plan.name,
                self._grace,
                f" ({', '.join(sorted(names))})" if names else "",
            )
