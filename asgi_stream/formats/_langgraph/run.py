"""Runs as LangGraph's SDKs request them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from .._content import refused
from .._plain_request import answers_of
from .._spec import Answer, FormatRequest, RunSpec
from .._threads import STORED_THREAD
from .request import EVENTS, allowed_keys, assistant_of, graph_name, modes_of, offered_modes
from .user import of_user

ALL_AT_ONCE = ("values", "messages-tuple", "updates", "custom")
"""The stream modes for a ``FetchStreamTransport``, which sends none, and for background runs."""

NOT_OFFERED = {
    "webhook": "this server calls no webhooks",
    "after_seconds": "this server starts a run at once",
    "feedback_keys": "this server collects no feedback",
}
"""Fields of runs that have no effect here, and why."""

THREADS_ONLY = dict.fromkeys(
    ("command", "checkpoint", "checkpoint_id", "interrupt_before", "interrupt_after"),
    "this route keeps no threads",
)
"""The same on a route without threads."""

POSITION = ("checkpoint_id", "checkpoint_ns", "checkpoint_map")
"""The keys of a checkpoint, besides its thread's id, which the path has."""

DURABILITY = ("sync", "async", "exit")


def run_spec(request: FormatRequest) -> tuple[RunSpec, tuple[str, ...]]:
    """Return the run that a request asks for, and its stream modes.

    Raises:
        InvalidInput: A field is not valid, or not supported.
        NotFound: The route has no such graph.
    """
    body = request.body
    if not isinstance(body, dict):
        raise refused("body", "expected an object")
    for key, why in (NOT_OFFERED if request.threads else NOT_OFFERED | THREADS_ONLY).items():
        if body.get(key):
            raise refused(key, f"not supported: {why}")
    if body.get("on_completion") == "keep" and STORED_THREAD not in request.params:
        raise refused("on_completion", "not supported: a run without a thread leaves nothing")
    waits, background = (request.endpoint.endswith(end) for end in ("/runs/wait", "/runs"))
    stream: dict[str, Any] = {"stream_mode": ["values"]}
    modes: tuple[str, ...] = ()
    if not waits:
        offered = offered_modes(threads=request.threads)
        default = ALL_AT_ONCE if background or not request.endpoint else ("values",)
        modes = modes_of(_wanted_modes(request), default, offered)
        of_graph = dict.fromkeys(offered[mode] for mode in modes)
        stream["stream_mode"] = [mode for mode in of_graph if mode != EVENTS]
        if body.get("stream_subgraphs"):
            stream["subgraphs"] = True
    if context := allowed_keys(request, "context", body.get("context")):
        stream["context"] = context
    configurable = _configurable(body)
    spec = RunSpec(
        input=body.get("input"),
        model=graph_name(body.get("assistant_id"), request),
        configurable=allowed_keys(request, "configurable", configurable),
        astream_kwargs=stream,
        gathered=waits,
        stored=True if waits and STORED_THREAD in request.params else None,
        cancel_on_disconnect=body.get("on_disconnect") == "cancel" and not background,
        background=background,
    )
    return _on_thread(spec, request) if request.threads else spec, modes


def _wanted_modes(request: FormatRequest) -> Any:
    """Return the stream modes of a request; a ``useStream`` that reads nothing sends none."""
    wanted = request.body.get("stream_mode")
    return None if request.threads and wanted == [] else wanted


def position_of(path: str, value: Any, checkpoint_id: Any = None) -> dict[str, Any]:
    """Return the ``configurable`` keys of a checkpoint; ``{}`` if a request names none.

    Args:
        path: Where in the request it is.
        value: An object with ``checkpoint_id``, ``checkpoint_ns`` and ``checkpoint_map``, or None.
        checkpoint_id: The id alone.

    Raises:
        InvalidInput: It is something else.
    """
    if not isinstance(value, dict | None):
        raise refused(path, "expected an object")
    position = {key: each for key, each in (value or {}).items() if key in POSITION and each}
    if checkpoint_id:
        position["checkpoint_id"] = checkpoint_id
    for key, each in position.items():
        ids = each.values() if key == "checkpoint_map" and isinstance(each, dict) else (each,)
        if not all(isinstance(id_, str) and id_.isprintable() for id_ in ids):
            raise refused(f"{path}.{key}", "expected text")
    return position


def _configurable(body: Mapping[str, Any]) -> Mapping[str, Any]:
    match body.get("config"):
        case {"configurable": dict(configurable)}:
            return configurable
    return {}


def _on_thread(spec: RunSpec, request: FormatRequest) -> RunSpec:
    """Return `spec` with what concerns a thread."""
    body, thread = request.body, None
    if not request.endpoint:
        # The only place that a ``FetchStreamTransport`` has for it.
        thread = _configurable(body).get("thread_id")
        if not isinstance(thread, str | None):
            raise refused("config.configurable.thread_id", "expected text")
    answers, update, goto = _command(body.get("command"))
    commands = bool(answers or update is not None or goto)
    position = position_of("checkpoint", body.get("checkpoint"), body.get("checkpoint_id"))
    graph = spec.model or next(iter(request.models))
    spec = replace(
        spec,
        input=None if commands else spec.input,
        astream_kwargs={**spec.astream_kwargs, **_stops(body), **_durability(body)},
        thread=thread,
        ephemeral=thread is None and STORED_THREAD not in request.params,
        answers=answers,
        update=update,
        goto=goto,
        resumes=not commands and spec.input is None,
        checkpoint=position if "checkpoint_id" in position else None,
        must_exist=STORED_THREAD in request.params and body.get("if_not_exists") != "create",
        multitask=body.get("multitask_strategy"),
        metadata={**object_of("metadata", body.get("metadata")), **metadata_of(graph)},
    )
    return of_user(spec) if request.user_messages_only else spec


def object_of(path: str, value: Any) -> dict[str, Any]:
    """Return `value`, which must be an object, or nothing.

    Raises:
        InvalidInput: It is something else.
    """
    if not isinstance(value, dict | None):
        raise refused(path, "expected an object")
    return value or {}


def metadata_of(graph: str) -> dict[str, str]:
    """Return the metadata of a thread by which clients search for those of a graph."""
    return {"graph_id": graph, "assistant_id": assistant_of(graph)["assistant_id"]}


def _command(value: Any) -> tuple[Sequence[Answer], Any, Sequence[Any]]:
    """Return the answers, the update and the nodes of a command; clients send empty ones too."""
    command = object_of("command", value)
    if command.get("graph"):
        raise refused("command.graph", "not supported")
    answers = answers_if_any(command.get("resume"), "command.resume")
    return answers, _update(command.get("update")), _goto(command.get("goto"))


def answers_if_any(value: Any, path: str) -> Sequence[Answer]:
    """Return the answers in a request; none for ``null``, which clients send without an answer."""
    return () if value is None else answers_of(value, path)


def _update(update: Any) -> Any:
    if not update:
        return None
    if isinstance(update, dict):
        return update
    pairs = []
    for each in update if isinstance(update, list) else [None]:
        match each:
            case [str(key), value]:
                pairs.append((key, value))
            case _:
                raise refused("command.update", "expected an object, or a list of pairs")
    return pairs


def _goto(goto: Any) -> Sequence[Any]:
    targets = [goto] if isinstance(goto, str | dict) and goto else goto or []
    for each in targets if isinstance(targets, list) else [None]:
        node = each.get("node") if isinstance(each, dict) else each
        if not isinstance(node, str):
            raise refused("command.goto", "expected names of nodes, or objects with node and input")
    return targets


def _stops(body: Mapping[str, Any]) -> dict[str, Any]:
    stops: dict[str, Any] = {}
    for key in ("interrupt_before", "interrupt_after"):
        value = body.get(key)
        if value == "*" or (isinstance(value, list) and all(isinstance(n, str) for n in value)):
            stops[key] = value
        elif value is not None:
            raise refused(key, 'expected a list of nodes, or "*"')
    return stops


def _durability(body: Mapping[str, Any]) -> dict[str, Any]:
    durability = body.get("durability")
    if durability is None:
        return {}
    if durability not in DURABILITY:
        raise refused("durability", f"expected one of {', '.join(DURABILITY)}")
    return {"durability": durability}
