"""What docs/pages/frontends/client.md calls, and its checks."""

from __future__ import annotations

from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langgraph.checkpoint.memory import InMemorySaver

from asgi_stream import StreamApp, StreamRoute

from ...models import chain_of
from ...threads.native_graphs import Refunds, refund
from ..python_blocks import Ran

agent = create_agent(
    Refunds(),
    tools=[refund],
    middleware=[HumanInTheLoopMiddleware({"refund": True})],
    checkpointer=InMemorySaver(),
)
NAMES: dict[str, Any] = {
    "app": StreamApp(
        [
            StreamRoute("/chat", chain_of("Hel", "lo")),
            StreamRoute("/chat/agent", agent, format="chunks", threads=True),
        ]
    )
}


def the_client_answers_an_interrupt(ran: Ran) -> None:
    thread = ran.names["agent"]
    assert thread.get_state()["interrupts"] == []
    assert thread.get_messages()[-1].content == "refunded 7"
