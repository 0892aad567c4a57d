"""The state of a run: its open steps, the tasks that they run in, and how its root ended."""

from __future__ import annotations

import asyncio
from asyncio import CancelledError, Task
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from threading import get_ident
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary, WeakSet

import langchain_core
from langchain_core.runnables.config import var_child_runnable_config

from ...events import Step
from ..tasks import context_of, in_context_of, made_in, start_run

UNNAMED_GRAPH = "LangGraph"
"""LangGraph's default name for a graph."""

_LANGCHAIN = str(Path(langchain_core.__file__).parent)
_CALLBACKS = str(Path(langchain_core.__file__).parent / "callbacks")


class RunTracker:
    """Tracks the open steps of a run and the tasks that they run in.

    LangChain awaits an inline callback handler in the very task that starts a step. Nothing else
    tells which tasks a run has started, and which of them it leaves behind when it is cancelled.

    Args:
        root_id: LangChain's run id of the root step.
        name: The name of the Runnable that runs, if the root may be another one that it calls.

    Attributes:
        steps: The open steps by run id.
        root: The root step, once it has started.
        is_own: Whether the root has started, and is the Runnable itself.
        finished: Whether the root step has succeeded.
        output: The root step's output.
        refusing: Set when the run is cancelled or has failed. From then on no step may start and
            no token is taken, except in the clean-up of a cancelled task. A thread stops at its
            next step or token.
    """

    def __init__(self, root_id: UUID, name: str | None = None) -> None:
        self.root_id = root_id
        self._name = name
        self.steps: dict[UUID, Step] = {}
        self.root: Step | None = None
        self.is_own = False
        self.finished = False
        self.output: Any = None
        self.refusing = False
        self._depths: WeakKeyDictionary[Task[Any], int] = WeakKeyDictionary()
        """How deep in the run the steps are that started in a task."""
        self._cancelled: WeakSet[Task[Any]] = WeakSet()
        self._started_in: dict[UUID, tuple[Task[Any] | None, int]] = {}
        """The task that an open step started in, None in a thread, and the step's depth."""
        self._agents: dict[UUID | None, tuple[str | None, str | None, bool]] = {}
        """An open step's agent, the name in its metadata, and whether the agent starts there."""
        self._clean_up: set[UUID] = set()
        """Steps that started in the clean-up of a cancelled task."""
        self._swallowed = False
        """Whether a task has swallowed its cancellation and gone on."""
        self._thread = get_ident()

    def follow(self) -> None:
        """Make the current task the run's: all tasks started from it belong to the run."""
        start_run(self)

    # The steps.

    def start(
        self,
        run_id: UUID,
        type_: str,
        serialized: Mapping[str, Any] | None,
        about: Mapping[str, Any],
    ) -> Step:
        """Track a step that starts now, and return it.

        Args:
            run_id: LangChain's id of the step.
            type_: The step's type.
            serialized: LangChain's description of the Runnable.
            about: The other arguments of LangChain's callback.

        Raises:
            CancelledError: The run is over, and the step is not part of a clean-up.
        """
        task = asyncio.current_task() if get_ident() == self._thread else None
        parent: Any = about.get("parent_run_id")
        parent_task, depth = self._started_in.get(parent, (None, 0))
        if self.refusing:
            self._allow_clean_up(run_id, task, parent, parent_task)
        # A worker task that serves several runs starts steps of this one too; it is not the run's.
        elif task is not None and in_context_of(self):
            self._depths.setdefault(task, depth + 1)
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
            self.is_own = self._name is None or step.name == self._name
        return step

    def end(self, run_id: UUID, output: Any) -> Step | None:
        """Note that a step has succeeded, and return it; None if it is unknown."""
        if self.refusing and run_id not in self._clean_up:
            task, _ = self._started_in.get(run_id, (None, 0))
            self._swallowed |= task is not None and task.cancelling() > 0
        if run_id == self.root_id:
            self.finished, self.output = True, output
        return self._close(run_id)

    def fail(self, run_id: UUID) -> Step | None:
        """Note that a step has failed, and return it; None if it is unknown."""
        return self._close(run_id)

    def _close(self, run_id: UUID) -> Step | None:
        self._started_in.pop(run_id, None)
        self._agents.pop(run_id, None)
        return self.steps.pop(run_id, None)

    def allows(self, run_id: UUID) -> bool:
        """Return whether a step may go on although the run is over: it belongs to a clean-up."""
        return run_id in self._clean_up

    def graph_in(self, namespace: str) -> tuple[UUID, str | None]:
        """Return the run id of the graph with a checkpoint namespace, and its agent's name."""
        graph = self.root_id
        for run_id, step in tuple(self.steps.items()):  # threads start and end steps meanwhile
            if step.type == "chain" and step.namespace == namespace:
                graph = run_id
        return graph, self._agents[graph][1]

    def _agent_of(
        self, run_id: UUID, step: Step, parent: UUID | None, named: str | None
    ) -> str | None:
        """Return the name of the agent that a step belongs to.

        LangChain's agents name themselves in the metadata of all their steps, and whatever runs in
        them inherits that. So a graph inside an agent is recognized by where the name first occurs.
        """
        agent, inherited, starts_agent = self._agents.get(parent, (None, None, False))
        starts = named != inherited
        if starts:
            agent = named
        elif step.is_node and not starts_agent and parent is not None:
            graph = self.steps[parent].name
            agent = None if graph == UNNAMED_GRAPH else graph
        self._agents[run_id] = agent, named, starts
        return agent

    def _allow_clean_up(
        self,
        run_id: UUID,
        task: Task[Any] | None,
        parent: UUID | None,
        parent_task: Task[Any] | None,
    ) -> None:
        """Let a step start if the clean-up of a cancelled task needs it.

        Raises:
            CancelledError: It does not. What runs in a task that has swallowed its cancellation is
                no clean-up.
        """
        cancelled = any(each is not None and each.cancelling() for each in (task, parent_task))
        if task is None or self._swallowed or not (cancelled or parent in self._clean_up):
            raise CancelledError
        self._clean_up.add(run_id)

    # The tasks.

    def tasks(self) -> set[Task[Any]]:
        """Return the unfinished tasks that steps of the run started in."""
        return {task for task in self._depths if not task.done()}

    def in_threads(self) -> list[str]:
        """Return the names of open steps that were started in threads."""
        started = tuple(self._started_in.items())  # threads start and end steps meanwhile
        steps = (self.steps.get(run_id) for run_id, (task, _) in started if task is None)
        return [step.name for step in steps if step is not None]

    def has_moved_on(self) -> bool:
        """Return whether an open step goes on in another task than the one it started in."""
        started = tuple(self._started_in.values())
        return any(task is not None and task.done() for task, _ in started)

    def orphans(self, tasks: Iterable[Task[Any]]) -> set[Task[Any]]:
        """Return those of the run's `tasks` to cancel next; each is returned once.

        These are the outermost ones that steps started in, or that LangChain itself created, and
        that nobody has cancelled yet. `RunnableParallel` creates a task for each chunk of each
        branch and cancels none of them; no callback mentions those. Other tasks that the user's
        code created are left alone, and so are those that a clean-up started.
        """
        depths: dict[Task[Any], int] = {}
        for task in tasks:
            if not (task.done() or task.cancelling() or task in self._cancelled):
                depth = self._depths.get(task)
                if depth is None:
                    depth = self._depth_by_context(task)
                if depth is not None:
                    depths[task] = depth
        orphans = {task for task, depth in depths.items() if depth == min(depths.values())}
        self._cancelled.update(orphans)
        return orphans

    def names(self, tasks: set[Task[Any]]) -> set[str]:
        """Return what `tasks` are running: their innermost steps, or the user's coroutines."""
        names = {
            task: step.name
            for run_id, (task, _) in self._started_in.items()
            if task in tasks and (step := self.steps.get(run_id))
        }
        for task in tasks - names.keys():
            if not made_in(task, _LANGCHAIN):
                names[task] = getattr(task.get_coro(), "__qualname__", task.get_name())
        return set(names.values())

    def _depth_by_context(self, task: Task[Any]) -> int | None:
        """Return how deep in the run LangChain created `task`; None if it did not."""
        if not made_in(task, _LANGCHAIN) or made_in(task, _CALLBACKS):
            return None  # LangChain shields callbacks on purpose
        config: Any = context_of(task).get(var_child_runnable_config) or {}
        parent = getattr(config.get("callbacks"), "parent_run_id", None)
        if parent in self._clean_up:
            return None
        return 1 + self._started_in[parent][1] if parent in self._started_in else 0
