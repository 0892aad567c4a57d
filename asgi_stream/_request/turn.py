"""A run's turn on the thread that its request names."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

from .._importer import kind_of
from .._langchain.graphs import checkpointer_of, graph_of
from .._langchain.served_runnable import ServedRunnable
from .._langchain.tasks import RunTasks
from .._langchain.threads.claim import MULTITASK
from .._langchain.threads.graph_thread import GraphThread
from .._langchain.threads.turn import MakeInput, ThreadTurn
from .._routing.bound import BoundRoute
from ..errors import InvalidInput
from ..formats import STORED_THREAD, RunSpec
from ..requests import StreamRequest
from ..threads import THREAD_ID, Threads, thread_scope

MAX_THREAD_ID = 1000
"""Characters of a client's id of a thread."""

LINGER = 5.0
"""Seconds that the claim of a run outlives its worker, if another worker may go on with the run.

That long it takes others to be sure that the worker is dead.
"""

CHECKPOINT_ID = "checkpoint_id"
"""The query parameter, and LangGraph's key, that names a checkpoint of it to go on from."""


def named_thread(request: StreamRequest, spec: RunSpec, query: Mapping[str, str]) -> RunSpec:
    """Return `spec` with the id of the thread that the request is about; a new one if it has none.

    The query may also have the checkpoint to go on from.

    Args:
        request: The request, perhaps with the thread in its path.
        spec: What the format has parsed.
        query: What its query has.

    Raises:
        InvalidInput: The id is empty or too long, or there are several.
    """
    ids = [request.path_params.get(STORED_THREAD), query.get(THREAD_ID), spec.thread]
    chosen = {each for each in ids if each is not None}
    if len(chosen) > 1:
        raise InvalidInput.at(THREAD_ID, "the request names two threads")
    if chosen:
        spec = replace(spec, thread=checked_id(chosen.pop()), ephemeral=False)
    else:
        spec = replace(spec, thread=str(uuid4()))
    checkpoint = query.get(CHECKPOINT_ID)
    return replace(spec, checkpoint={CHECKPOINT_ID: checkpoint}) if checkpoint else spec


def checked_id(thread_id: str) -> str:
    """Return a client's id of a thread.

    Raises:
        InvalidInput: It is empty or too long.
    """
    if not 0 < len(thread_id) <= MAX_THREAD_ID:
        raise InvalidInput.at(THREAD_ID, f"expected 1 to {MAX_THREAD_ID} characters")
    return thread_id


def graph_thread(
    route: BoundRoute,
    served: ServedRunnable,
    thread_id: str,
    owner: str | None,
    configurable: Mapping[str, Any] | None = None,
    astream_kwargs: Mapping[str, Any] | None = None,
) -> GraphThread:
    """Return a thread in the checkpointer of a graph.

    Args:
        route: The route.
        served: The graph.
        thread_id: The client's id of the thread.
        owner: Whose thread it is.
        configurable: Further keys that the graph needs.
        astream_kwargs: What ``astream`` is called with; None: what the route has.

    Raises:
        TypeError: The route's function has returned a graph without a checkpointer.
    """
    if checkpointer_of(served.runnable) is None:
        raise TypeError(
            f"the function of route {route.path!r} returned {kind_of(served.runnable)}, which has"
            " no checkpointer to keep threads in"
        )
    kwargs = route.astream_kwargs if astream_kwargs is None else astream_kwargs
    return GraphThread(graph_of(served.runnable), thread_id, owner, configurable, kwargs)


def turn_of(
    route: BoundRoute,
    policy: Threads,
    served: ServedRunnable,
    request: StreamRequest,
    spec: RunSpec,
    run_id: UUID,
    configurable: Mapping[str, Any],
    make_input: MakeInput,
    held: ExitStack,
    tasks: RunTasks,
) -> ThreadTurn:
    """Return the turn of a run on its thread, which `held` gives up at the end.

    Raises:
        InvalidInput: The choice for concurrent runs is unknown, or there are several inputs.
        TypeError: The route's function has returned a graph without a checkpointer.
    """
    if spec.many:
        raise InvalidInput.at(THREAD_ID, "a thread takes one input at a time, not a batch")
    kwargs = {**route.astream_kwargs, **spec.astream_kwargs}
    turn = ThreadTurn(
        str(run_id),
        thread=graph_thread(route, served, str(spec.thread), request.owner, configurable, kwargs),
        store=policy.opened,
        claims=route.claims(spec.model, request.owner),
        scope=thread_scope(route.thread_path, request.owner),
        route=route.thread_path,
        spec=spec,
        multitask=_multitask(route, spec),
        linger=LINGER if route.continues else 0.0,
        make_input=make_input,
        graph=spec.model or next(iter(route.runnables)),
        tasks=tasks,
        in_order=bool(route.resume_policy and route.format_class.thread_runs),
    )
    held.callback(turn.release)
    return turn


def _multitask(route: BoundRoute, spec: RunSpec) -> str:
    """Return what to do if another run has the thread."""
    multitask = spec.multitask or route.multitask or route.format_class.multitask
    if multitask not in MULTITASK:
        raise InvalidInput.at("multitask_strategy", f"expected one of {', '.join(MULTITASK)}")
    return multitask
