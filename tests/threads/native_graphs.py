"""Graphs with a checkpointer, for the tests of threads in the native formats."""

from __future__ import annotations

from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolCall
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt


def counts(state: MessagesState) -> Any:
    """Says how many messages there are, so that each one too many is seen."""
    return {"messages": [AIMessage(f"{len(state['messages'])} so far")]}


def asks(state: MessagesState) -> Any:
    return {"messages": [AIMessage(f"You said {interrupt('Sure?')}")]}


def first(state: MessagesState) -> Any:
    return {"messages": [AIMessage(f"first {interrupt('First?')}")]}


def second(state: MessagesState) -> Any:
    return {"messages": [AIMessage(f"second {interrupt('Second?')}")]}


def graph_of(*nodes: Any) -> Any:
    """A graph with nodes that run at once, and a checkpointer of its own."""
    graph: Any = StateGraph(MessagesState)
    for node in nodes:
        graph = graph.add_node(node.__name__, node).add_edge(START, node.__name__)
    return graph.compile(checkpointer=InMemorySaver())


@tool
def refund(order: int) -> str:
    """Refunds an order."""
    return f"refunded {order}"


class Refunds(BaseChatModel):
    """Refunds the orders that it is told, and repeats what came of it."""

    @property
    def _llm_type(self) -> str:
        return "refunds"

    def bind_tools(self, tools: Any, **_: Any) -> Any:
        return self

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        last = messages[-1]
        answer = AIMessage(last.text)
        if isinstance(last, HumanMessage):
            calls = [
                ToolCall(name="refund", args={"order": int(order)}, id=f"call_{order}")
                for order in last.text.split()
            ]
            answer = AIMessage("", tool_calls=calls)
        return ChatResult(generations=[ChatGeneration(message=answer)])


def approving(**options: Any) -> Any:
    """An agent whose one tool a person has to approve."""
    middleware: Any = HumanInTheLoopMiddleware({"refund": True}, **options)
    return create_agent(Refunds(), [refund], middleware=[middleware], checkpointer=InMemorySaver())
