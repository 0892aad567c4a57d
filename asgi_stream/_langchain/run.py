"""Runs a Runnable: in a task of its own, which is cancelled once and leaves nothing behind."""

from __future__ import annotations

import asyncio
from asyncio import CancelledError, Task
from collections.abc import AsyncIterator, Callable, Set
from contextlib import AsyncExitStack, aclosing
from typing import Any

from langchain_core.runnables import Runnable, RunnableConfig
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
    TextDelta,
)
from .cleanup import clean_up
from .event_handler import EventHandler
from .graph_parts import heard_by, public
from .graphs import Shape, graph_of, without
from .messages import added, whole
from .pacing import Pacer
from .run_request import RunRequest
from .sink import Sink
from .tasks import RunTasks
from .text_handler import TextHandler
from .tracker import RunTracker


class Run:
    """One run of one Runnable.

    The task is the run's own, never part of an anyio scope: such a scope cancels at every await,
    and LangGraph cannot finish its clean-up under that
    (https://github.com/langchain-ai/langgraph/issues/5682).

    Args:
        runnable: What to run.
        request: With what.
        sink: Where the events go.
        grace: Seconds to clean up after a cancel before it is reported.
        tasks: Keeps this run's tasks alive; they leave it when they are done.
    """

    def __init__(
        self,
        runnable: Runnable[Any, Any],
        request: RunRequest,
        *,
        sink: Sink,
        grace: float,
        tasks: RunTasks,
    ) -> None:
        self._runnable = public(runnable) if graph_of(runnable) is None else runnable
        self._request = request
        self._sink = sink
        self._grace = grace
        self._tasks = tasks
        self._pacer = Pacer(sink)
        self._narrated = BlockStarted in sink.wants
        kind = (
            EventHandler
            if self._narrated
            else TextHandler
            if TextDelta in sink.wants
            else RunTracker
        )
        self._tracker = kind(request.run_id, sink, self._pacer)
        if isinstance(self._tracker, EventHandler):
            self._tracker.take(request.input, request.client_tools)
        self._name = runnable.get_name()
        self._step = Step(str(request.run_id), self._name, "chain")
        self._left = self._settled = False
        self._shape = Shape(
            runnable,
            request.stream,
            narrated=self._narrated,
            configurable=request.config.get("configurable") or {},
        )
        self.on_end: Callable[[], None] | None = None
        """Called when the run and its clean-up have ended."""
        self._going_on = 0
        self._task = self._spawn(self._produce())

    def leave(self) -> None:
        """Cancel the run, if it still goes on; once. Returns at once, the clean-up follows."""
        if self._left or self._task.done():
            # Tasks that a run detached and left behind in peace are not ours to end.
            return
        self._left = True
        self._tracker.refusing = True
        moved_on = self._tracker.has_moved_on()
        self._task.cancel()
        self._spawn(self._reap(moved_on))

    def settle(self) -> None:
        """Put in what is still to be told before an error ends the run; once."""
        if not self._settled:
            self._settled = True
            self._tracker.abandoned()

    def _spawn(self, coroutine: Any) -> Task[None]:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        self._going_on += 1
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: Task[None]) -> None:
        self._tasks.discard(task)
        self._going_on -= 1
        if not self._going_on and self.on_end is not None:
            on_end, self.on_end = self.on_end, None
            on_end()

    async def _produce(self) -> None:
        self._tracker.follow()
        self._sink.put(RunStarted(self._step.run_id))
        try:
            output = await (
                self._events() if LangChainEvent in self._sink.wants else self._chunks()
            )
            # What threads have said is still in the loop's queue.
            await asyncio.sleep(0)
            if self._tracker.root and not self._tracker.finished:
                raise RunIncomplete
        except CancelledError:
            # Not raised again: a task keeps its exception, with all the frames and generators that
            # it has passed, and nobody waits for this task's result.
            if not self._left:
                # Raised inside the Runnable: it would look like a clean end.
                self._failed(RunIncomplete())
        except BaseException as error:
            # SystemExit too: out of a task it would take the whole process with it.
            self._failed(error)
        else:
            if self._tracker.finished:
                output = self._tracker.output
            output = whole(output)
            interrupts = tuple(self._shape.interrupts.values())
            if not interrupts:
                self._tracker.concluded(self._step, output)
            self._sink.put(RunFinished(self._step, output, interrupts))

    def _failed(self, error: BaseException) -> None:
        self._left = self._tracker.refusing = True
        self.settle()
        self._sink.fail(error)
        self._spawn(self._reap(self._tracker.has_moved_on()))

    def _config(self) -> RunnableConfig:
        ours: RunnableConfig = {"callbacks": [self._tracker], "run_id": self._request.run_id}
        if isinstance(tracker := self._tracker, TextHandler):
            ours["configurable"] = heard_by(self._runnable, tracker.write, tracker.cached)
        given: Any = self._request.config
        return merge_configs(given, ours)

    async def _chunks(self) -> Any:
        request, sink, pacer, tracker = self._request, self._sink, self._pacer, self._tracker
        shape = self._shape
        taken = OutputChunk in sink.wants
        output: Any = None
        async with AsyncExitStack() as stack:
            chunks = self._runnable.astream(request.input, self._config(), **shape.stream)
            _close_with(stack, chunks)
            async for chunk in chunks:
                if tracker.root is None:
                    output = added(output, chunk)
                if taken or not shape.plain or isinstance(chunk, dict):
                    self._take(chunk)
                elif tracker.model_spoke or not tracker.yielded(self._step, chunk):
                    sink.alive()
                if pacer.due():
                    await pacer.pause()
        return output

    def _take(self, given: Any) -> None:
        """Pass on what the Runnable has yielded, as far as anyone wants it."""
        sink = self._sink
        sink.alive()
        chunk = self._shape.read(self._step, given)
        if chunk is None:
            return
        if chunk.mode is None:
            self._tracker.yielded(self._step, chunk.data)
        if OutputChunk in sink.wants:
            sink.put(chunk)

    async def _events(self) -> Any:
        request, sink, pacer = self._request, self._sink, self._pacer
        shape, inputs = self._shape, request.filter.inputs
        paced = _Paced(self._runnable, pacer, shape, self._step)
        pushed_down = request.filter.pushed_down()
        events = paced.astream_events(request.input, self._config(), version="v2", **pushed_down)
        async with aclosing(events) as source:  # type: ignore[type-var]  # an async generator
            async for event in source:
                sink.put(_langchain_event(event, None if inputs else shape.secret))
                if pacer.due():
                    await pacer.pause()
        return None

    async def _reap(self, moved_on: bool) -> None:
        """See to it that nothing of this run goes on, and report what does.

        Args:
            moved_on: Whether steps go on in tasks that no callback has told of.
        """
        names = await clean_up(
            self._task, self._tracker, self._tasks, grace=self._grace, moved_on=moved_on
        )
        if names is not None:
            logger.warning(
                "run %s of %s goes on %g s after it was cancelled%s: it ignores the cancellation,"
                " is shielded from it, or is a sync step, which cannot be stopped",
                self._request.run_id,
                self._name,
                self._grace,
                f" ({', '.join(sorted(names))})" if names else "",
            )


class _Paced(Runnable[Any, Any]):
    """A Runnable that waits between its chunks when the run has to.

    ``astream_events`` pulls as fast as it can and queues without a limit. This is what it pulls.

    Args:
        bound: The Runnable.
        pacer: Says when to wait.
        shape: How it is asked for its chunks.
        step: The run itself.
    """

    def __init__(self, bound: Runnable[Any, Any], pacer: Pacer, shape: Shape, step: Step) -> None:
        self._bound = bound
        self._pacer = pacer
        self._shape = shape
        self._step = step

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        raise NotImplementedError  # pragma: no cover - astream_events never calls it

    async def astream(
        self, input: Any, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Any]:
        async with AsyncExitStack() as stack:
            chunks = self._bound.astream(input, config, **kwargs, **self._shape.stream)
            _close_with(stack, chunks)
            async for given in chunks:
                if (chunk := self._shape.read(self._step, given)) is not None:
                    yield chunk.yielded
                if self._pacer.due():
                    await self._pacer.pause()


def _close_with(stack: AsyncExitStack, chunks: Any) -> None:
    """Close `chunks` when `stack` ends, if it can be closed; not every Runnable's can."""
    close = getattr(chunks, "aclose", None)
    if close is not None:
        stack.push_async_callback(close)


def _langchain_event(event: Any, secret: Set[str] | None) -> LangChainEvent:
    """An event of ``astream_events``.

    Args:
        event: As LangChain has it.
        secret: Keys of metadata that are not for the client. None if all is, inputs too.
    """
    name: str = event["event"]
    type_ = name.removeprefix("on_").rpartition("_")[0]
    step = Step(event["run_id"], event["name"], type_, event["tags"])
    data, metadata = event["data"], event["metadata"]
    if secret is not None:
        metadata = without(metadata, secret)
        if type_ == "prompt":
            data = {}
        elif event["parent_ids"]:
            data = {key: value for key, value in data.items() if key != "input"}
    return LangChainEvent(step, name, data, metadata, event["parent_ids"])
