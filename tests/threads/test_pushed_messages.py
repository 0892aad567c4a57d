"""Messages that the code of a node sends by LangGraph's ``push_message``, before it returns."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.graph.message import push_message

from asgi_stream import StreamApp, StreamRoute

from ..asgi import frames, post
from .test_silent_turns import FORMATS, HI

pytestmark = pytest.mark.anyio

SEARCHING = AIMessage("Searching. ", id="p")


async def pushes(state: Any) -> Any:
    push_message(HumanMessage("Not an answer.", id="h"))
    for _ in range(2):
        push_message(SEARCHING)
    return {"messages": [SEARCHING, AIMessage("Found.")]}


def pushes_in_a_thread(state: Any) -> Any:
    push_message(SEARCHING, state_key=None)
    return {"messages": [AIMessage("Found.")]}


async def pushes_chunks(state: Any) -> Any:
    for part in ("Sear", "ching. "):
        push_message(AIMessageChunk(content=part, id="p"), state_key=None)
    return {"messages": [SEARCHING, AIMessage("Found.")]}


async def pushes_in_a_subgraph(state: Any) -> Any:
    return await graph_of(pushes).ainvoke(state)


async def pushes_and_fails(state: Any) -> Any:
    push_message(SEARCHING, state_key=None)
    raise ValueError


def graph_of(node: Any, saver: Any = None) -> Any:
    return StateGraph(MessagesState).add_node("node", node).add_edge(START, "node").compile(saver)


async def parts_of(graph: Any, format: str) -> list[Any]:
    app = StreamApp([StreamRoute("/ask", graph, format=format, threads=True)])
    return frames((await post(app, "/ask?thread_id=t", HI)).body)


def text_of(parts: list[Any]) -> str:
    return "".join(each.get("token", "") for each in parts if isinstance(each, dict))


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("node", [pushes, pushes_in_a_thread, pushes_chunks, pushes_in_a_subgraph])
async def test_a_pushed_message_is_sent_once(node: Any, format: str) -> None:
    parts = await parts_of(graph_of(node, InMemorySaver()), format)
    assert text_of(parts) == "Searching. Found."
    tokens = [each["token"] for each in parts[:-1]]
    assert tokens == ["Searching. ", "Found."]


@pytest.mark.parametrize("format", FORMATS)
async def test_a_message_that_a_failed_node_has_pushed_comes_before_its_error(format: str) -> None:
    parts = await parts_of(graph_of(pushes_and_fails, InMemorySaver()), format)
    assert text_of(parts[:1]) == "Searching. "
    assert "error" in parts[-2]


@pytest.mark.parametrize("format", FORMATS)
async def test_a_langgraph_that_has_no_such_handler_pushes_nothing(
    monkeypatch: Any, format: str
) -> None:
    monkeypatch.delitem(sys.modules, "langgraph.pregel._messages")
    parts = await parts_of(graph_of(pushes_in_a_thread, InMemorySaver()), format)
    assert text_of(parts) == "Found."
