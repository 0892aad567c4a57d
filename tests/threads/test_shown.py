"""What is shown of a thread that waits in subgraphs, whose messages its state does not have yet."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.outputs import ChatResult
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Send

from asgi_stream import StreamApp, StreamRoute

from ..asgi import get, post
from .agents import Listener, agent_of
from .test_breakpoints import around, halting

pytestmark = pytest.mark.anyio


class Named(Listener):
    """Calls its tool with its own name as the id."""

    name: str = ""

    async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
        result = await super()._agenerate(*args, **kwargs)
        message: Any = result.generations[0].message
        message.tool_calls[0]["id"] = self.name
        return result


def agent(model: Listener) -> Any:
    made = agent_of(model)
    made.checkpointer = None  # that of the graph around it
    return made


def side_by_side() -> Any:
    builder: Any = StateGraph(MessagesState)
    for name in ("one", "two"):
        builder.add_node(name, agent(Named(name=name))).add_edge(START, name)
    return builder


def sent_to() -> Any:
    def fan(_: Any) -> Any:
        messages = [{"role": "user", "content": f"refund {order}", "id": order} for order in "AB"]
        return [Send("agent", {"messages": [each]}) for each in messages]

    builder: Any = StateGraph(MessagesState).add_node("agent", agent(Listener()))
    return builder.add_conditional_edges(START, fan, ["agent"])


def deep() -> Any:
    inner = sent_to().compile()
    return StateGraph(MessagesState).add_node("inner", inner).add_edge(START, "inner")


async def shown(graph: Any, text: str) -> tuple[list[str], list[str]]:
    """Return the ids of the calls and the texts that a page shows when it is loaded."""
    app = StreamApp([StreamRoute("/t", graph, threads=True, format="vercel")])
    message = {"id": "u", "role": "user", "parts": [{"type": "text", "text": text}]}
    await post(app, "/t", {"id": "a", "messages": [message]})
    user, answer = (await get(app, "/t/a")).json()["messages"]
    assert (user["role"], answer["role"]) == ("user", "assistant")
    requests = [each for each in answer["parts"] if each.get("state") == "approval-requested"]
    texts = [each["text"] for each in answer["parts"] if each["type"] == "text"]
    return [each["toolCallId"] for each in requests], texts


@pytest.mark.parametrize(
    ("graph", "calls"),
    [
        (side_by_side(), ["one", "two"]),
        (sent_to(), ["A-0", "B-0"]),
        (deep(), ["A-0", "B-0"]),
    ],
)
async def test_all_calls_that_wait_are_shown(graph: Any, calls: list[str]) -> None:
    compiled = graph.compile(checkpointer=InMemorySaver())
    assert await shown(compiled, "refund A") == (calls, [])


async def test_what_a_subgraph_has_written_before_its_breakpoint_is_shown() -> None:
    graph = around(halting(interrupt_before=["two"]), checkpointer=InMemorySaver())
    assert await shown(graph, "hi") == ([], ["One."])
