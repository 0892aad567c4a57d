"""Checks of docs/pages/migrate/langgraph-server.md."""

from __future__ import annotations

from ...asgi import get, post
from ..python_blocks import Ran

HEADERS = {"authorization": "Bearer secret-of-ann", "origin": "http://localhost:5173"}


async def the_graph_runs(ran: Ran) -> None:
    config = {"configurable": {"thread_id": "t"}}
    state = await ran.names["agent"].ainvoke({"messages": [("human", "Hi?")]}, config)
    assert state["messages"][-1].text == "Hello"


async def the_sdk_s_endpoints_are_there(ran: Ran) -> None:
    app = ran.names["app"]
    assert (await post(app, "/api/threads", {})).status == 401
    thread = (await post(app, "/api/threads", {}, headers=HEADERS)).json()["thread_id"]
    body = {"assistant_id": "agent", "input": {"messages": [{"role": "user", "content": "Hi?"}]}}
    run = await post(app, f"/api/threads/{thread}/runs/stream", body, headers=HEADERS)
    assert run.headers["content-location"].startswith(f"/threads/{thread}/runs/")
    assert "content-location" in run.headers["access-control-expose-headers"]
    state = (await get(app, f"/api/threads/{thread}/state", headers=HEADERS)).json()
    assert state["values"]["messages"][-1]["content"] == "Hello"
    assert (await post(app, "/api/runs/crons", {}, headers=HEADERS)).status in (404, 405)
