"""Fields of the requests of LangGraph's SDKs: stream modes, graphs and keys."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from ...errors import NotFound
from ...errors.text import listed, one_line
from .._content import refused
from .._spec import FormatRequest

EVENTS = "events"
"""The stream mode of LangChain's events, which is no mode of a graph's."""

MODES = {
    "values": "values",
    "updates": "updates",
    "custom": "custom",
    "messages": "messages",
    "messages-tuple": "messages",
    EVENTS: EVENTS,
}
"""The stream modes of the API, with the graph's own names for them."""

THREAD_MODES = ("tasks", "checkpoints", "debug", "tools")
"""Stream modes for runs on a thread, which are the graph's own."""

EVERY_READER = (b"metadata", b"end", b"error")
"""The names of frames that those who join a run get, whatever they ask for."""

THREAD = ("thread_id", "checkpoint_id", "checkpoint_ns", "checkpoint_map")
"""Keys about a thread, which clients always send; they have an effect if the route lists them."""


def offered_modes(*, threads: bool) -> Mapping[str, str]:
    """Return the stream modes that are offered, with the graph's own names for them."""
    return MODES | {mode: mode for mode in THREAD_MODES} if threads else MODES


def modes_of(value: Any, default: tuple[str, ...], offered: Mapping[str, str]) -> tuple[str, ...]:
    """Return the stream modes that a request asks for.

    Raises:
        InvalidInput: One of them is not offered.
    """
    if value is None:
        return default
    modes = [value] if isinstance(value, str) else value
    known = isinstance(modes, list) and all(mode in list(offered) for mode in modes)
    if not known or not modes:
        raise refused("stream_mode", f"expected one or more of {', '.join(offered)}")
    return tuple(modes)


def frame_filter(query: Mapping[str, Any]) -> Callable[[bytes], bool] | None:
    """Return what says whether a frame belongs to the stream modes that a query asks for.

    Raises:
        InvalidInput: There is no such stream mode.
    """
    wanted = query.get("stream_mode")
    if isinstance(wanted, str) and wanted.startswith("["):
        try:
            wanted = json.loads(wanted)  # JavaScript's SDK sends a list like that
        except ValueError:
            wanted = [wanted]
    offered = offered_modes(threads=True)
    modes = modes_of(wanted or None, (), offered)
    names = {*EVERY_READER, *(offered[mode].encode() for mode in modes)}
    if not modes:
        return None

    def accepts(frame: bytes) -> bool:
        _, _, rest = frame.partition(b"event: ")
        name = rest[: rest.index(b"\n")]
        return name.partition(b"|")[0].partition(b"/")[0] in names

    return accepts


def graph_name(name: Any, request: FormatRequest) -> str | None:
    """Return the name of the graph that `name`, a name or an assistant's id, stands for.

    Raises:
        NotFound: The route has no such graph.
    """
    if name is None and not request.endpoint:
        return None
    for model in request.models:
        if name in (model, assistant_of(model)["assistant_id"]):
            return model
    there = listed(list(request.models))
    raise NotFound(f"Unknown assistant {one_line(repr(name), 200)}; available: {there}.")


def allowed_keys(request: FormatRequest, name: str, value: Any) -> dict[str, Any]:
    """Return the keys of the request's object `name` that the client may set.

    Raises:
        InvalidInput: It has another key, which is not about a thread.
    """
    keys = value if isinstance(value, dict) else {}
    for key in keys:
        # A ``RemoteGraph`` within a graph sends some of LangGraph's own, which begin like that.
        known = key in request.configurable or key in THREAD or key.startswith("__pregel_")
        if not known:
            raise refused(f"{name}.{key}", "this route does not accept it")
    return {key: value for key, value in keys.items() if key in request.configurable}


def assistant_of(name: str) -> dict[str, Any]:
    """Return the assistant of a graph."""
    created = "2026-01-01T00:00:00+00:00"
    return {
        "assistant_id": str(uuid5(NAMESPACE_URL, name)),
        "graph_id": name,
        "name": name,
        "config": {},
        "context": {},
        "metadata": {"created_by": "system"},
        "version": 1,
        "created_at": created,
        "updated_at": created,
    }
