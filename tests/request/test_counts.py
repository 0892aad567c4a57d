"""Limits on everything in a request that costs time by the count."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from langgraph.graph import START, MessagesState, StateGraph
from pydantic import BaseModel

from asgi_stream import Limits, StreamApp, StreamRoute

from ..asgi import Exchange, get, post
from ..models import Scripted, chain_of

pytestmark = pytest.mark.anyio

IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


class Numbers(BaseModel):
    xs: list[int]


def graph() -> Any:
    builder = StateGraph(MessagesState)
    builder.add_node("n", lambda _: {"messages": [("ai", "a")]})
    builder.add_edge(START, "n")
    return builder.compile()


ROUTES = [
    StreamRoute("/graph", graph()),
    StreamRoute("/numbers", chain_of("a"), input=Numbers),
    StreamRoute("/events", chain_of("a"), format="events"),
    StreamRoute("/get", chain_of("a"), methods=("GET",)),
    StreamRoute("/vercel", Scripted(script=["a"]), format="vercel"),
    StreamRoute("/agui", Scripted(script=["a"]), format="agui"),
    StreamRoute("/v1", Scripted(script=["a"]), format="openai"),
    StreamRoute("/few", graph(), limits=Limits(messages=2)),
]


def user(count: int, content: Any = "x") -> list[Any]:
    return [{"id": str(n), "role": "user", "content": content} for n in range(count)]


def agui(**body: Any) -> dict[str, Any]:
    return {"threadId": "t", "runId": "r", "state": {}, "context": [], "tools": [], **body}


def parts(count: int, part: Any) -> list[Any]:
    return [{"id": "1", "role": "user", "parts": [part] * count}]


FILE = {"type": "file", "mediaType": "image/png", "url": "data:image/png;base64,AAAA"}


@pytest.mark.parametrize(
    ("path", "body", "limit"),
    [
        ("/graph", {"messages": [["human", "x"]] * 1_001}, "limits.messages"),
        ("/few", {"messages": [["human", "x"]] * 3}, "limits.messages"),
        ("/graph", {"messages": [{"role": "user", "content": [IMAGE] * 101}]}, "limits.files"),
        ("/numbers", {"xs": list(range(20_000))}, "limits.items"),
        ("/vercel", {"messages": user(1) * 1_001}, "messages"),
        ("/vercel", {"messages": parts(101, FILE)}, "limits.files"),
        ("/agui", agui(messages=user(1_001)), "limits.messages"),
        ("/agui", agui(messages=user(1), tools=[{"name": "f"}] * 129), "limits.tools"),
        ("/v1/chat/completions", {"model": "v1", "messages": user(1_001)}, "limits.messages"),
        (
            "/v1/chat/completions",
            {"model": "v1", "messages": user(1), "tools": [TOOL] * 129},
            "limits.tools",
        ),
        (
            "/v1/chat/completions",
            {"model": "v1", "messages": user(1, [IMAGE] * 101)},
            "limits.files",
        ),
    ],
)
async def test_counts_are_limited(path: str, body: Any, limit: str) -> None:
    response = await post(StreamApp(ROUTES), path, body)
    assert response.status == 422
    assert limit in response.body.decode()


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({"xs": ["no"] * 19_000}, 5),
        ({"xs": ["no"] * 3}, 3),
    ],
)
async def test_the_first_errors_are_reported(body: Any, errors: int) -> None:
    response = await post(StreamApp(ROUTES), "/numbers", body)
    assert response.status == 422
    assert response.body.count(b"should be a valid integer") == 2 * errors
    assert len(response.body) < 2_000


@pytest.mark.parametrize(
    ("path", "query", "status", "word"),
    [
        ("/events", {"include": "on_*," * 100}, 422, "a filter may have at most 100 words"),
        ("/events", {"include": "x" * 1_001}, 422, "1000 characters"),
        ("/events", {"include": "on_chat_model_*"}, 200, ""),
        ("/get", {"question": "x" * 65_536}, 413, "65536 bytes"),
        ("/get", [(f"k{n}", 1) for n in range(10_000)], 413, "65536 bytes"),
    ],
)
async def test_queries_are_limited(path: str, query: Any, status: int, word: str) -> None:
    app, url = StreamApp(ROUTES), f"{path}?{urlencode(query)}"
    response: Exchange = await (
        get(app, url) if path == "/get" else post(app, url, {"question": "q"})
    )
    assert response.status == status
    assert word in response.body.decode()


async def test_the_keys_of_a_query_are_counted() -> None:
    route = StreamRoute("/x", chain_of("a"), methods=("GET",), limits=Limits(items=3))
    response = await get(StreamApp([route]), "/x?a=1&b=2&c=3&d=4")
    assert response.status == 422
    assert "limits.items" in response.body.decode()
