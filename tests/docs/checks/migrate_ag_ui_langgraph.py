"""Checks of docs/pages/migrate/ag-ui-langgraph.md."""

from __future__ import annotations

from typing import Any

from ...asgi import frames, post
from ..python_blocks import Ran


async def a_run_is_an_ag_ui_run(ran: Ran) -> None:
    body: dict[str, Any] = {"threadId": "t", "runId": "r", "state": {}, "tools": [], "context": []}
    body["messages"] = [{"id": "1", "role": "user", "content": "Hi?"}]
    events = frames((await post(ran.names["app"], "/agent", body)).body)
    assert [events[0]["type"], events[-1]["type"]] == ["RUN_STARTED", "RUN_FINISHED"]
    text = [each["delta"] for each in events if each["type"] == "TEXT_MESSAGE_CONTENT"]
    assert "".join(text) == "Hello"
