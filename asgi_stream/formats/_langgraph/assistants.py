"""The assistants of LangGraph's SDKs: the graphs of a route, which no client can change."""

from __future__ import annotations

from typing import Any

from .._content import refused
from .._spec import Document, FormatRequest, GraphQuery
from .documents import selected
from .request import assistant_of, graph_name
from .threads import SORT_ORDERS, check_choice, page_of, texts_of

ASSISTANT = "/assistants/{assistant_id}"

ASSISTANTS = (
    ("POST", "/assistants/search"),
    ("POST", "/assistants/count"),
    ("GET", ASSISTANT),
    ("GET", f"{ASSISTANT}/graph"),
    ("GET", f"{ASSISTANT}/schemas"),
    ("GET", f"{ASSISTANT}/subgraphs"),
    ("GET", f"{ASSISTANT}/subgraphs/{{namespace}}"),
    ("POST", f"{ASSISTANT}/versions"),
)
"""The endpoints for assistants."""

FIXED = "The assistants are the graphs of this route; they cannot be created, changed or deleted."

NOT_OFFERED = dict.fromkeys(
    (
        ("POST", "/assistants"),
        ("PATCH", ASSISTANT),
        ("DELETE", ASSISTANT),
        ("POST", f"{ASSISTANT}/latest"),
    ),
    FIXED,
)
"""The other endpoints for assistants, and why they are not offered."""

SORTS = ("assistant_id", "graph_id", "name", "created_at", "updated_at")

VERSION = ("assistant_id", "graph_id", "config", "context", "metadata", "created_at", "version")
"""The fields of an assistant that one of its versions has."""


def assistant_document(request: FormatRequest) -> Document | None:
    """Return the response to a request about assistants; None if it is about something else.

    Raises:
        InvalidInput: A field is not valid.
        NotFound: The route has no such graph.
    """
    match request.endpoint:
        case "/assistants/search":
            return _page(_search(request), request.body)
        case "/assistants/count":
            return Document(len(_search(request)))
        case endpoint if not endpoint.startswith(ASSISTANT):
            return None
    name = str(graph_name(request.params["assistant_id"], request))
    query = request.body if isinstance(request.body, dict) else {}
    match request.endpoint.removeprefix(ASSISTANT):
        case "":
            return Document(assistant_of(name))
        case "/versions":
            assistant = assistant_of(name)
            return Document([{key: assistant[key] for key in (*VERSION, "name")}])
        case "/graph":
            return Document(graph=GraphQuery(name, "drawing", xray=_xray(query.get("xray"))))
        case "/schemas":
            return Document(graph=GraphQuery(name, "schemas"))
    below, recurse = request.params.get("namespace"), _flag("recurse", query.get("recurse"))
    return Document(graph=GraphQuery(name, "subgraphs", namespace=below, recurse=recurse))


def _flag(path: str, value: Any) -> bool:
    match value:
        case None | "false" | "False":
            return False
        case "true" | "True":
            return True
    raise refused(path, "expected true or false")


def _xray(value: Any) -> bool | int:
    if isinstance(value, str) and value.isascii() and value.isdecimal() and 0 < len(value) < 4:
        return int(value)
    return _flag("xray", value)


def _search(request: FormatRequest) -> list[dict[str, Any]]:
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


def _page(assistants: list[dict[str, Any]], body: Any) -> Document:
    """Return a page of the assistants, in the order and with the fields that a search has.

    Raises:
        InvalidInput: The search is not valid.
    """
    body = body if isinstance(body, dict) else {}
    by, order, select = (body.get(key) for key in ("sort_by", "sort_order", "select"))
    check_choice("sort_by", by, SORTS)
    check_choice("sort_order", order, SORT_ORDERS)
    fields = texts_of("select", select)
    limit, offset = page_of(body)
    if by is not None:
        assistants = sorted(assistants, key=lambda each: str(each[by]), reverse=order != "asc")
    last = offset + limit
    more = {"X-Pagination-Next": str(last)} if last < len(assistants) else {}
    return Document([selected(each, fields) for each in assistants[offset:last]], headers=more)
