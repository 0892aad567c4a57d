from __future__ import annotations

import pytest
from langchain.agents import create_agent
from langchain_core.tools import tool

from asgi_stream import StreamApp, StreamRoute

from ..asgi import post
from ..threads.native_graphs import Refunds

pytestmark = pytest.mark.anyio


@tool
def refund(order: int) -> str:
    """Refund an order."""
    raise ValueError("the password is hunter2")


async def test_the_text_of_a_tool_s_exception_is_not_in_its_stream_mode() -> None:
    agent = create_agent(Refunds(), [refund])
    options = {"stream_mode": ["tools", "updates"]}
    app = StreamApp([StreamRoute("/x", agent, format="chunks", astream_kwargs=options)])
    body = (await post(app, "/x", {"messages": [["human", "7"]]})).body
    assert b"tool-error" in body
    assert b"hunter2" not in body
