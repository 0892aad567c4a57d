"""Approvals of calls that a ``@task`` has returned, which no state has while the graph waits."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import entrypoint, task
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt

from asgi_stream import StreamApp, StreamRoute

from ..asgi import get
from .chat import CHAT, Client

pytestmark = pytest.mark.anyio

APPROVE = {"type": "approve"}


@task
async def call_model(n: int) -> Any:
    calls = [{"name": "refund", "args": {"order": "A"}, "id": f"c{n}"}] if n < 2 else []
    return AIMessage("", tool_calls=calls)


@task
async def call_tool(call: Any) -> Any:
    return [ToolMessage("refunded A", tool_call_id=call["id"])]


async def agent(state: Any) -> Any:
    messages: list[Any] = []
    for n in range(3):
        answer = await call_model(n)
        messages.append(answer)
        for call in answer.tool_calls:
            action = {"name": "refund", "args": call["args"], "description": ""}
            config = {"action_name": "refund", "allowed_decisions": ["approve"]}
            interrupt({"action_requests": [action], "review_configs": [config]})
            messages += await call_tool(call)
    return {"messages": messages}


def graph_of(place: str) -> Any:
    if place == "entrypoint":
        return entrypoint(checkpointer=InMemorySaver())(agent)
    graph: Any = StateGraph(MessagesState).add_node("agent", agent).add_edge(START, "agent")
    if place == "node":
        return graph.compile(checkpointer=InMemorySaver())
    outer: Any = StateGraph(MessagesState).add_node("inner", graph.compile())
    return outer.add_edge(START, "inner").compile(checkpointer=InMemorySaver())


@pytest.mark.parametrize("place", ["entrypoint", "node", "subgraph"])
async def test_a_call_that_a_task_has_returned_is_decided_by_its_id(place: str) -> None:
    route: Any = {"threads": True, "conversation": lambda messages: {"messages": messages}}
    graph = graph_of(place)
    app = StreamApp(
        [
            StreamRoute("/chat", graph, format=CHAT, **route),
            StreamRoute("/plain", graph, threads=True),
        ]
    )
    client = Client(app)
    await client.say("refund A twice", "u1")
    for call in ("c0", "c1"):  # with equal arguments
        assert (await client.decide(other=APPROVE)).status == 409
        assert (await client.decide(**{call: APPROVE})).status == 200
    assert (await get(app, "/plain/threads/t")).json()["interrupts"] == []
