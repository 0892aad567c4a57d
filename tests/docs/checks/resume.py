"""Checks of docs/pages/resume.md."""

from __future__ import annotations

from typing import Any

from langchain.agents import create_agent
from langgraph.checkpoint.base import BaseCheckpointSaver

from ...asgi import call, get, post, tokens
from ...threads.native_graphs import Refunds, refund
from ..python_blocks import Ran


class SharedSaver(BaseCheckpointSaver[str]):
    """Stands for a checkpointer that workers share."""

    async def aget_tuple(self, config: Any) -> None:
        return None


NAMES = {"agent": create_agent(Refunds(), [refund], checkpointer=SharedSaver())}


async def a_reader_comes_back(ran: Ran) -> None:
    app, headers = ran.names["app"], {"idempotency-key": "once"}
    first = await post(app, "/chat", {"question": "Hi?"}, headers=headers)
    run = "/" + first.headers["content-location"]
    assert run == f"/chat/runs/{first.headers['x-run-id']}"
    ids = [line[4:] for line in first.body.decode().splitlines() if line.startswith("id: ")]
    rest = await get(app, run, headers={"last-event-id": ids[0]})
    assert tokens(first.body) == ["Hel", "lo"]
    assert tokens(rest.body) == ["lo"]
    again = await post(app, "/chat", {"question": "Hi?"}, headers=headers)
    assert again.headers["x-run-id"] == first.headers["x-run-id"]
    assert (await call(app, "DELETE", run)).json()["state"] == "done"
