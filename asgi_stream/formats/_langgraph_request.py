"""What the requests of LangGraph's SDKs name: stream modes, graphs, keys, assistants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from ..errors import NotFound
from ..errors.text import listed, one_line
from ._content import refused
from ._spec import Document, FormatRequest

MODES = {
    "values": "values",
    "updates": "updates",
    "custom": "custom",
    "messages": "messages",
    "messages-tuple": "messages",
}
"""The stream modes of the API, with the graph's own names for them."""

THREAD_MODES = ("tasks", "checkpoints", "debug")
"""Stream modes that are about the checkpoints of a thread."""

THREAD = ("thread_id", "checkpoint_id", "checkpoint_ns", "checkpoint_map")
"""Keys about a thread, which clients always send; they have an effect if the route lists them."""

SORTS = ("assistant_id", "graph_id", "name", "created_at", "updated_at")


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


def search(request: FormatRequest) -> list[dict[str, Any]]:
    """Return the assistants with the graph, the part of a name and the metadata of a search.

    Raises:
        InvalidInput: The search is not valid.
    """
    body = request.body if isinstance(request.body, dict) else {}
    graph, name, metadata = body.get("graph_id"), body.get("name"), body.get("metadata") or {}
    if not isinstance(metadata, dict) or not isinstance(name, str | None):
        raise refused("metadata or name", "expected an object and a text")
    return [
        each
        for each in map(assistant_of, request.models)
        if graph in (None, each["graph_id"])
        and (name or "").lower() in each["name"].lower()
        and all(each["metadata"].get(key) == value for key, value in metadata.items())
    ]


def page_of(assistants: list[dict[str, Any]], body: Any) -> Document:
    """Return a page of the assistants, in the order and with the fields that a search has.

    Raises:
        InvalidInput: The search is not valid.
    """
    body = body if isinstance(body, dict) else {}
    by, select = body.get("sort_by"), body.get("select")
    first, limit = body.get("offset"), body.get("limit")
    first, limit = 0 if first is None else first, 10 if limit is None else limit
    if type(first) is not int or type(limit) is not int or first < 0 or limit < 1:
        raise refused("limit", "expected a limit of at least 1 and an offset of at least 0")
    if by is not None:
        if by not in SORTS:
            raise refused("sort_by", f"expected one of {', '.join(SORTS)}")
        assistants = sorted(assistants, key=lambda each: str(each[by]))
        if body.get("sort_order") != "asc":
            assistants.reverse()
    last = first + limit
    more = {"X-Pagination-Next": str(last)} if last < len(assistants) else {}
    assistants = assistants[first:last]
    if isinstance(select, list):
        assistants = [{key: each[key] for key in each if key in select} for each in assistants]
    return Document(assistants, headers=more)


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
