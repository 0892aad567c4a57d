"""What docs/pages/conversations.md calls, and its checks."""

from __future__ import annotations

import re
from contextlib import AsyncExitStack
from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.messages import BaseMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from starlette.types import ASGIApp

from asgi_stream import StreamApp, StreamRoute

from ...asgi import frames, get, post
from ...threads.native_graphs import Refunds
from ..python_blocks import Ran


class Clerk(Refunds):
    """Refunds the orders whose numbers are in a sentence."""

    def _generate(self, messages: list[BaseMessage], *args: Any, **options: Any) -> Any:
        *before, last = messages
        if isinstance(last, HumanMessage):
            last = HumanMessage(" ".join(re.findall(r"\d+", last.text)))
        return super()._generate([*before, last], *args, **options)


NAMES: dict[str, Any] = {"model": Clerk()}
HEADERS = {"authorization": "Bearer secret-of-ann"}
URL = "/agent/threads/mine"
ORDER = {"messages": [["human", "Refund order 7."]]}


async def the_agent_asks_and_goes_on(ran: Ran) -> None:
    await asks_and_goes_on(ran.names["app"])


async def the_script_refunds(ran: Ran) -> None:
    agent = create_agent(
        ran.names["model"],
        tools=[ran.names["refund"]],
        middleware=[HumanInTheLoopMiddleware({"refund": True})],
        checkpointer=InMemorySaver(),
    )
    route = StreamRoute("/agent", agent, threads=True, authorize=ran.names["user_of"])
    await asks_and_goes_on(StreamApp([route]))


async def asks_and_goes_on(app: ASGIApp) -> None:
    """Check that an agent asks before it refunds, and refunds once."""
    assert (await post(app, URL, ORDER)).status == 401
    [end, _] = frames((await post(app, URL, ORDER, headers=HEADERS)).body)
    assert end["interrupted"][0]["value"]["action_requests"][0]["args"] == {"order": 7}
    answer = {"resume": {"decisions": [{"type": "approve"}]}}
    answered = await post(app, URL, answer, headers=HEADERS)
    assert frames(answered.body)[:1] == [{"token": "refunded 7"}]
    assert (await post(app, URL, answer, headers=HEADERS)).status == 409
    for path in ("", "/messages", "/state", "/history"):
        assert (await get(app, URL + path, headers=HEADERS)).status == 200


async def the_message_is_gone(ran: Ran) -> None:
    app = ran.names["app"]
    await asks_and_goes_on(app)
    messages = (await get(app, f"{URL}/messages", headers=HEADERS)).json()["messages"]
    ids = [each["id"] for each in messages]
    await ran.names["delete_messages"]("ann", "mine", ids[:3])
    left = (await get(app, f"{URL}/messages", headers=HEADERS)).json()["messages"]
    assert [each["id"] for each in left] == ids[3:] != []


async def the_threads_are_in_the_file(ran: Ran) -> None:
    app = ran.names["app"]
    async with AsyncExitStack() as stack:
        if "lifespan" in ran.block.code:
            await stack.enter_async_context(ran.names["lifespan"](app))
        else:
            stack.push_async_callback(app.aclose)  # which closes the last file, too
        answered = await post(app, URL, ORDER, headers=HEADERS)
        assert frames(answered.body)[:1] == [{"token": "refunded 7"}], answered.body
        messages = (await get(app, f"{URL}/messages", headers=HEADERS)).json()["messages"]
    assert (ran.folder / "threads.db").exists()
    assert [each["type"] for each in messages][-1] == "ai"
