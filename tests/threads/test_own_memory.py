"""Another answer, an edit, a message instead of an approval, to agents with memory of their own.

The first two begin with the input that the run had, not with what the graph has made of it.
"""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph

from asgi_stream import StreamApp, StreamRoute

from .agents import Listener, agent_of
from .chat import CHAT, Client, user

pytestmark = pytest.mark.anyio


class State(MessagesState):
    tone: str


def client_of(*nodes: Any, **options: Any) -> Client:
    builder: Any = StateGraph(State)
    for n, node in enumerate(nodes):
        builder.add_node(f"n{n}", node).add_edge(f"n{n - 1}" if n else START, f"n{n}")
    graph = builder.compile(checkpointer=InMemorySaver(), **options)
    return Client(StreamApp([StreamRoute("/chat", graph, format=CHAT, threads=True)]))


def remembering(model: Listener) -> Any:
    """An agent with memory of its own."""
    agent = agent_of(model)
    agent.checkpointer = True
    return agent


async def rewrite(state: State) -> Any:
    last = state["messages"][-1]
    text = f"{state.get('tone', '')}{last.content}!"
    return {"messages": [HumanMessage(text, id=last.id)], "tone": "softly "}


async def test_a_message_that_the_graph_has_changed_is_changed_once() -> None:
    model = Listener()
    client = client_of(rewrite, agent_of(model))
    await client.say("one", "u1")
    client.messages = [user("u1", "one!")]  # as it is after a reload
    await client.send()
    assert model.hears == [["user: one!"]] * 2


async def test_a_state_that_the_client_has_changed_counts() -> None:
    model = Listener()
    client = client_of(rewrite, agent_of(model))
    await client.say("one", "u1")
    client.messages = [user("u1", "one!")]
    await client.send(state={"tone": "loudly "})
    assert model.hears == [["user: one!"], ["user: loudly one!!"]]


async def test_an_agent_with_memory_of_its_own_forgets_what_came_after() -> None:
    model = Listener()
    client = client_of(remembering(model))
    await client.say("one", "u1")
    for _ in range(3):
        client.messages[2:] = [user("u2", "two")]
        await client.send()
    assert model.hears[1:] == [["user: one", "ai: re: one", "user: two"]] * 3
    for text in ("three", "four"):
        client.messages[2:] = [user("u2", text)]
        await client.send()
        assert model.hears[-1] == ["user: one", "ai: re: one", f"user: {text}"]
    client.messages[:] = [user("u1", "five")]
    await client.send()
    assert model.hears[-1] == ["user: five"]


async def test_an_edited_message_does_not_pass_a_breakpoint() -> None:
    model = Listener()
    client = client_of(remembering(model), interrupt_before=["n0"])
    for text in ("one", "two"):
        client.messages = [user("u1", text)]
        await client.send()
    assert model.hears == []


async def test_calls_that_an_agent_with_memory_of_its_own_left_open_are_closed() -> None:
    model = Listener()
    client = client_of(remembering(model), rewrite)
    await client.say("refund A B", "u1")
    await client.say("never mind", "u2")  # to open calls, the model would not answer
    results = ["tool: The user interrupted this tool call."] * 2
    assert model.hears[-1] == ["user: refund A B", "calls: A, B", *results, "user: never mind"]
