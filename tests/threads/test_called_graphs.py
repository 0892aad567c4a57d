"""Approvals that a graph asks for which the code of a tool calls, as LangChain's sub-agents do."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import Send
from typing_extensions import TypedDict

from asgi_stream import StreamApp, StreamRoute

from ..asgi import frames, get, post
from .agents import Listener, agent_of
from .chat import CHAT, Client

pytestmark = pytest.mark.anyio

APPROVE = {"type": "approve"}


class Task(TypedDict):
    text: str


def calling(*agents: Any, send: bool = False, saver: Any = None) -> Any:
    """A graph with a tool that calls agents, one after the other, each with the same text."""

    @tool
    async def delegate(text: str) -> str:
        """Have others do it."""
        for n, agent in enumerate(agents):
            message = {"role": "user", "content": text, "id": f"u{n}"}
            await agent.ainvoke({"messages": [message], "text": text})
        return "done"

    async def step(state: Any) -> Any:
        return {"text": await delegate.ainvoke({"text": state["text"]})}

    builder: Any = StateGraph(Task)
    builder.add_node("step", step)
    builder.add_node("other", lambda _: {})
    builder.add_edge(START, "other")
    if send:
        builder.add_conditional_edges(START, lambda state: [Send("step", state)])
    else:
        builder.add_edge(START, "step")
    return builder.compile(checkpointer=saver)


def client_of(graph: Any) -> Client:
    more: Any = {"threads": True, "conversation": lambda _: {"text": "refund A"}}
    routes = [
        StreamRoute("/ask", graph, threads=True),
        StreamRoute("/chat", graph, format=CHAT, **more),
        StreamRoute("/ui", graph, format="vercel", **more),
        StreamRoute("/agui", graph, format="agui", **more),
    ]
    return Client(StreamApp(routes))


async def begun(graph: Any, text: str) -> Client:
    client = client_of(graph)
    await post(client.app, "/ask?thread_id=t", {"text": text})
    return client


@pytest.mark.parametrize("mode", ["batched", "per_call"])
@pytest.mark.parametrize("send", [True, False])
@pytest.mark.parametrize("stateful", [True, None])
async def test_a_call_of_a_sub_agent_is_decided_by_its_id(
    mode: str, send: bool, stateful: Any
) -> None:
    model = Listener()
    inner = agent_of(model, mode=mode)
    inner.checkpointer = stateful
    client = await begun(calling(inner, send=send, saver=InMemorySaver()), "refund A B")
    assert (await client.decide(**{"u9-0": APPROVE})).status == 409
    reject = {"type": "reject", "message": "not A"}
    assert (await client.decide(**{"u0-1": APPROVE, "u0-0": reject})).status == 200
    assert sorted(model.hears[-1][2:])[-1] == "tool: refunded B"
    assert "not A" in "".join(model.hears[-1][2:])


async def test_the_second_agent_that_a_tool_calls_has_calls_of_its_own() -> None:
    model = Listener()
    agents = [agent_of(model, mode="batched") for _ in range(2)]
    for each in agents:
        each.checkpointer = None
    client = await begun(calling(*agents, saver=InMemorySaver()), "refund A")
    assert (await client.decide(**{"u1-0": APPROVE})).status == 409
    assert (await client.decide(**{"u0-0": APPROVE})).status == 200
    assert (await client.decide(**{"u0-0": APPROVE})).status == 409
    assert (await client.decide(**{"u1-0": APPROVE})).status == 200
    assert model.hears[-1] == ["user: refund A", "calls: A", "tool: refunded A"]


@pytest.mark.parametrize("send", [True, False])
async def test_an_agent_in_a_graph_in_a_graph_is_found(send: bool) -> None:
    model = Listener()
    inner = agent_of(model, mode="batched")
    inner.checkpointer = None
    graph = calling(calling(inner, send=send), saver=InMemorySaver())
    client = await begun(graph, "refund A")
    assert (await client.decide(**{"u0-0": APPROVE})).status == 200
    assert model.hears[-1][2:] == ["tool: refunded A"]


async def test_all_formats_name_the_call_live_and_after_a_reload() -> None:
    inner = agent_of(Listener(), mode="batched")
    inner.checkpointer = None
    client = client_of(calling(inner, saver=InMemorySaver()))
    await post(client.app, "/ask?thread_id=t", {"text": "refund A"})
    chat = (await get(client.app, "/ui/t")).json()
    [part] = [each for each in chat["messages"][-1]["parts"] if each["type"] == "dynamic-tool"]
    assert (part["state"], part["toolCallId"]) == ("approval-requested", "u0-0")
    message = {"id": "q", "role": "user", "content": "refund A"}
    body = {"threadId": "g", "runId": "r", "messages": [message], "tools": [], "context": []}
    answer = await post(client.app, "/agui", body)
    [interrupt] = frames(answer.body)[-1]["outcome"]["interrupts"]
    assert interrupt["toolCallId"] == "u0-0"
