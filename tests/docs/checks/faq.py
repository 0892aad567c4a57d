"""Checks of docs/pages/faq.md."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from langchain_core.tools import BaseTool, tool

from asgi_stream import StreamApp, StreamRoute

from ...asgi import frames, post, tokens
from ...models import Scripted
from ..python_blocks import Ran

SESSIONS: list[str] = []
ASK = {"messages": [["human", "Hi?"]]}


class Client:
    """As the client of MCP servers."""

    @asynccontextmanager
    async def session(self, name: str) -> AsyncIterator[str]:
        SESSIONS.append("open")
        yield name
        SESSIONS.append("closed")


async def load_tools(session: str) -> list[BaseTool]:
    return [tool(session, description="Searches.")(lambda query: query)]


class Model(Scripted):
    def bind_tools(self, *_: Any, **__: Any) -> Any:
        return self


NAMES: dict[str, Any] = {
    "client": Client(),
    "load_tools": load_tools,
    "model": Model(script=["Hel", "lo"]),
}


async def the_graph_writes(ran: Ran) -> None:
    graph, topic = ran.names["graph"], {"topic": "tea"}
    app = StreamApp(
        [
            StreamRoute("/vercel", graph, format="vercel", conversation=lambda _: topic),
            StreamRoute(
                "/chunks",
                graph,
                format="chunks",
                astream_kwargs={"stream_mode": ["custom"], "subgraphs": True},
            ),
            StreamRoute("/events", graph, format="events"),
        ]
    )
    part = {"role": "user", "parts": [{"type": "text", "text": "tea"}]}
    body = (await post(app, "/vercel", {"id": "a", "messages": [{"id": "1", **part}]})).body
    assert {"type": "data-custom", "data": {"progress": "reading"}, "transient": True} in frames(
        body
    )
    first, *_ = frames((await post(app, "/chunks", topic)).body)
    assert first["data"] == {"progress": "reading"}
    assert b"reading" not in (await post(app, "/events", topic)).body


async def each_run_has_a_session(ran: Ran) -> None:
    app = ran.names["app"]
    for _ in range(2):
        assert tokens((await post(app, "/agent", ASK)).body) == ["Hel", "lo"]
    await app.aclose()
    assert SESSIONS == ["open", "closed"] * 2
    SESSIONS.clear()


async def both_have_a_context(ran: Ran) -> None:
    for path in ("/bound", "/configured"):
        response = await post(ran.names["app"], path, ASK)
        assert tokens(response.body) == ["Hel", "lo"]
