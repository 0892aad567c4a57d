"""LangChain's callback handler, as this package uses it.

Only here is it known which tasks a run has started, because LangChain awaits an inline handler in
the very task that starts a step.
"""

from __future__ import annotations

import asyncio
import contextlib
from asyncio import AbstractEventLoop, CancelledError, Task
from collections.abc import Callable, Iterable
from concurrent.futures import TimeoutError as NotYet
from dataclasses import replace
from pathlib import Path
from threading import get_ident
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary, WeakSet

import langchain_core
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables.config import var_child_runnable_config

from ..events import Event, Step
from .pacing import Pacer
from .sink import Sink
from .tasks import context_of, in_context_of, made_in, start_run

AHEAD = 64
"""How many tokens a thread may say before it waits for the loop to have heard them."""

UNNAMED_GRAPH = "LangGraph"
"""What LangGraph calls a graph that nobody has named."""

_LANGCHAIN = str(Path(langchain_core.__file__).parent)
_CALLBACKS = str(Path(langchain_core.__file__).parent / "callbacks")


class RunTracker(BaseCallbackHandler):
    """Knows which steps of a run are open, in which tasks, and how its root ended.

    The methods are plain functions where they can be: LangChain calls them in place, without a
    task or a thread, in the order in which things happen.
    """

    run_inline = True

    def __init__(self, root_id: UUID, sink: Sink, pacer: Pacer) -> None:
        self.root_id = root_id
        self.steps: dict[UUID, Step] = {}
        self.root: Step | None = None
        self.finished = False
        self.output: Any = None
        self.refusing = False
        """Once set, no step starts and no token is taken, but in the clean-up of a cancelled task.

        A thread is stopped at its next one.
        """
        self._sink = sink
        self._pacer = pacer
        self._tasks: WeakKeyDictionary[Task[Any], int] = WeakKeyDictionary()
        self._cancelled: WeakSet[Task[Any]] = WeakSet()
        self._started_in: dict[UUID, tuple[Task[Any] | None, int]] = {}
        self._agents: dict[UUID | None, tuple[str | None, str | None, bool]] = {}
        """Of each open step its agent, the name in its metadata, and whether that begins there."""
        self._clean_up: set[UUID] = set()
        self._swallowed = False
        self._said_in_threads = 0
        self._loop: AbstractEventLoop = asyncio.get_running_loop()
        self._thread = get_ident()

    def follow(self) -> None:
        """Take the current task as the run's, and all tasks started from it as its children."""
        start_run(self)

    def tasks(self) -> set[Task[Any]]:
        """The tasks that steps of the run were started in and that are not done."""
        return {task for task in self._tasks if not task.done()}

    def in_threads(self) -> list[str]:
        """The names of open steps that threads have started."""
        started = tuple(self._started_in.items())  # threads start and end steps meanwhile
        steps = (self.steps.get(run_id) for run_id, (task, _) in started if task is None)
        return [step.name for step in steps if step is not None]

    def has_moved_on(self) -> bool:
        """Whether an open step goes on in another task than the one that it was started in."""
        started = tuple(self._started_in.values())
        return any(task is not None and task.done() for task, _ in started)

    def orphans(self, tasks: Iterable[Task[Any]]) -> set[Task[Any]]:
        """Those of the run's `tasks` to be cancelled next; each is returned once.

        They are the outermost that steps were started in, or that LangChain itself made, and that
        nobody has cancelled yet. `RunnableParallel` makes a task for each chunk of each branch and
        cancels none of them; no callback tells of those. Another task that the user's code made is
        left alone here, and so is what a clean-up has started.
        """
        depths: dict[Task[Any], int] = {}
        for task in tasks:
            if not (task.done() or task.cancelling() or task in self._cancelled):
                depth = self._tasks.get(task)
                if depth is None:
                    depth = self._depth_by_context(task)
                if depth is not None:
                    depths[task] = depth
        orphans = {task for task, depth in depths.items() if depth == min(depths.values())}
        self._cancelled.update(orphans)
        return orphans

    def _depth_by_context(self, task: Task[Any]) -> int | None:
        """How deep in the run LangChain has made `task`; None if it has not."""
        if not made_in(task, _LANGCHAIN) or made_in(task, _CALLBACKS):
            return None  # LangChain shields callbacks on purpose
        config: Any = context_of(task).get(var_child_runnable_config) or {}
        parent = getattr(config.get("callbacks"), "parent_run_id", None)
        if parent in self._clean_up:
            return None
        return 1 + self._started_in[parent][1] if parent in self._started_in else 0

    def names(self, tasks: set[Task[Any]]) -> set[str]:
        """What `tasks` are at: their innermost steps, or else the user's coroutine functions."""
        names = {
            task: step.name
            for run_id, (task, _) in self._started_in.items()
            if task in tasks and (step := self.steps.get(run_id))
        }
        for task in tasks - names.keys():
            if not made_in(task, _LANGCHAIN):
                names[task] = getattr(task.get_coro(), "__qualname__", task.get_name())
        return set(names.values())

    # For a RunTracker that tells what it has heard; this one tells nothing.

    model_spoke = False
    """Whether a model's text has become part of the answer."""

    def yielded(self, step: Step, chunk: Any) -> bool:
        """The run has yielded `chunk`; whether that was text for the answer."""
        return False

    def written(self, data: Any) -> None:
        """LangGraph's stream writer has been given `data`."""

    def cached(self, namespace: str, node: str, output: Any) -> None:
        """A graph has taken what one of its nodes returns from its cache."""

    def concluded(self, step: Step, output: Any) -> None:
        """The run has ended with `output`."""

    def abandoned(self) -> None:
        """The run has failed, or is ended before it has: no more is to be waited for."""

    def _emit(self, event: Event) -> None:
        """Pass `event` on, from whichever thread."""
        if get_ident() == self._thread:
            self._sink.put(event)
            return
        try:
            self._loop.call_soon_threadsafe(self._sink.put, event)
        except RuntimeError:  # the loop has been closed under a thread that runs on
            raise CancelledError from None

    @property
    def on_llm_new_token(self) -> Callable[..., Any]:
        """LangChain asks for it at each token, and awaits it if it is a coroutine function.

        So a token on the loop costs a coroutine only when it has to wait. A token in a thread must
        not be given a coroutine, for which LangChain would make an event loop each time.
        """
        if get_ident() != self._thread:
            return self._token_in_thread
        return self._token_and_pause if self._pacer.due() else self._token

    def _token(self, token: Any, *, run_id: UUID, chunk: Any = None, **_: Any) -> None:
        if self.refusing and run_id not in self._clean_up:
            raise CancelledError
        if said := self._heard(run_id, token, chunk):
            self._sink.put(said)

    async def _token_and_pause(self, token: Any, **kwargs: Any) -> None:
        if get_ident() == self._thread:
            self._token(token, **kwargs)
            await self._pacer.pause()
        else:
            # From a sync call on the loop's thread, which stands until this is done.
            self._pass_on(token, **kwargs)

    def _pass_on(self, token: Any, *, run_id: UUID, chunk: Any = None, **_: Any) -> None:
        """What `_token` does, in another thread."""
        if self.refusing:
            raise CancelledError
        if said := self._heard(run_id, token, chunk):
            self._emit(said)

    def _token_in_thread(self, token: Any, *, run_id: UUID, chunk: Any = None, **_: Any) -> None:
        self._pass_on(token, run_id=run_id, chunk=chunk)
        self._hold_back()

    def write(self, data: Any) -> None:
        """LangGraph's stream writer, from whichever thread."""
        in_thread = get_ident() != self._thread
        if not self.refusing:
            self.written(data)
        elif in_thread:
            raise CancelledError
        if in_thread:
            self._hold_back()

    def _hold_back(self) -> None:
        """Let a thread that has said something wait for the loop, if it is far ahead of that."""
        # What a thread says waits in the loop's own queue, where nothing counts it.
        self._said_in_threads += 1
        if self._said_in_threads % AHEAD and not self._sink.full:
            return
        pause = self._pacer.pause()
        with contextlib.suppress(RuntimeError):  # the loop has been closed under this thread
            paused = asyncio.run_coroutine_threadsafe(pause, self._loop)
            while not self._loop.is_closed():
                with contextlib.suppress(NotYet):
                    paused.result(1)
                    return
        pause.close()
        raise CancelledError

    def _heard(self, run_id: UUID, token: Any, chunk: Any) -> Event | None:
        """A model has said something: what to pass on of it."""
        return None

    def _started(
        self, run_id: UUID, type_: str, serialized: dict[str, Any] | None, **about: Any
    ) -> Step:
        task = asyncio.current_task() if get_ident() == self._thread else None
        parent: Any = about.get("parent_run_id")
        within, depth = self._started_in.get(parent, (None, 0))
        if self.refusing:
            self._refuse(run_id, task, parent, within)
        # A worker that serves several runs takes steps of this one too; it is not ours.
        elif task is not None and in_context_of(self):
            self._tasks.setdefault(task, depth + 1)
        known = serialized or {}
        name = about.get("name") or known.get("name") or (known.get("id") or ["Unnamed"])[-1]
        metadata = about.get("metadata") or {}
        node, namespace = metadata.get("langgraph_node"), metadata.get("langgraph_checkpoint_ns")
        step = Step(str(run_id), name, type_, about.get("tags") or (), node, None, namespace or "")
        if agent := self._agent_of(run_id, step, parent, metadata.get("lc_agent_name")):
            step = replace(step, agent=agent)
        self.steps[run_id] = step
        self._started_in[run_id] = task, depth + 1
        if run_id == self.root_id:
            self.root = step
        return step

    def _agent_of(
        self, run_id: UUID, step: Step, parent: UUID | None, named: str | None
    ) -> str | None:
        """The agent that a step is a part of.

        LangChain's agents name themselves in the metadata of all their steps, and what runs in them
        has that too; so a graph in an agent is told from it by where the name comes up first.
        """
        agent, inherited, itself = self._agents.get(parent, (None, None, False))
        begins = named != inherited
        if begins:
            agent = named
        elif step.is_node and not itself and parent is not None:
            graph = self.steps[parent].name
            agent = None if graph == UNNAMED_GRAPH else graph
        self._agents[run_id] = agent, named, begins
        return agent

    def _refuse(
        self, run_id: UUID, task: Task[Any] | None, parent: UUID | None, within: Task[Any] | None
    ) -> None:
        """Let a step start if the clean-up of a cancelled task needs it.

        Raises:
            CancelledError: It does not. What goes on in a task that has swallowed its cancellation
                is no clean-up.
        """
        cancelled = any(each is not None and each.cancelling() for each in (task, within))
        if task is None or self._swallowed or not (cancelled or parent in self._clean_up):
            raise CancelledError
        self._clean_up.add(run_id)

    def _ended(self, run_id: UUID, output: Any) -> None:
        if self.refusing and run_id not in self._clean_up:
            task, _ = self._started_in.get(run_id, (None, 0))
            self._swallowed |= task is not None and task.cancelling() > 0
        self._close(run_id)
        if run_id == self.root_id:
            self.finished, self.output = True, output

    def _close(self, run_id: UUID) -> None:
        self._started_in.pop(run_id, None)
        self._agents.pop(run_id, None)
        self.steps.pop(run_id, None)

    # LangChain's names and signatures from here on.

    def on_chain_start(self, serialized: Any, inputs: Any, *, run_id: UUID, **kwargs: Any) -> None:
        self._started(run_id, kwargs.pop("run_type", None) or "chain", serialized, **kwargs)

    def on_chat_model_start(
        self, serialized: Any, messages: Any, *, run_id: UUID, **kwargs: Any
    ) -> None:
        self._started(run_id, "chat_model", serialized, **kwargs)

    def on_llm_start(self, serialized: Any, prompts: Any, *, run_id: UUID, **kwargs: Any) -> None:
        self._started(run_id, "llm", serialized, **kwargs)

    def on_tool_start(
        self, serialized: Any, input_str: Any, *, run_id: UUID, **kwargs: Any
    ) -> None:
        self._started(run_id, "tool", serialized, **kwargs)

    def on_retriever_start(
        self, serialized: Any, query: Any, *, run_id: UUID, **kwargs: Any
    ) -> None:
        self._started(run_id, "retriever", serialized, **kwargs)

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **kwargs: Any) -> None:
        self._ended(run_id, outputs)

    def on_llm_end(self, response: Any, *, run_id: UUID, **kwargs: Any) -> None:
        generation = response.generations[0][0] if response.generations[0] else None
        self._ended(run_id, getattr(generation, "message", getattr(generation, "text", None)))

    def on_tool_end(self, output: Any, *, run_id: UUID, **kwargs: Any) -> None:
        self._ended(run_id, output)

    def on_retriever_end(self, documents: Any, *, run_id: UUID, **kwargs: Any) -> None:
        self._ended(run_id, documents)

    def _failed(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        self._close(run_id)

    on_chain_error = on_llm_error = on_tool_error = on_retriever_error = _failed
