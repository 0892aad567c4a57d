"""Tool calls in LangGraph's functional API, and in its quickstart."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import entrypoint, task
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.graph.message import add_messages

from asgi_stream.events import ALL_EVENTS, TextDelta, ToolCallStarted, ToolFailed, ToolFinished

from ..corpus import record
from .test_agents import HI, Turns, piece, results, weather, words

pytestmark = pytest.mark.anyio

OSLO = '{"city": "Oslo"}'
MODEL = Turns(
    turns=[
        [piece("c1", "weather", OSLO, 0), piece("c2", "weather", OSLO, 1)],
        words("It is sunny."),
    ]
)


async def whole(call: Any) -> Any:
    return await weather.ainvoke(call)


async def by_arguments(call: Any) -> Any:
    return ToolMessage(await weather.ainvoke(call["args"]), tool_call_id=call["id"])


async def content_only(call: Any) -> Any:
    return await weather.ainvoke(call["args"])


async def in_a_task(call: Any) -> Any:
    return await task(whole)(call)


def agent_with(tool: Any, **options: Any) -> Any:
    """An agent as in LangGraph's documentation: `tool` is a task that answers a call."""
    call_tool: Any = task(tool)

    @task
    async def call_model(messages: Any) -> Any:
        return await MODEL.ainvoke(messages)

    @entrypoint(**options)
    async def agent(state: Any) -> Any:
        messages: Any = add_messages([], state["messages"])
        answer = await call_model(messages)
        while answer.tool_calls:
            outputs = [call_tool(call) for call in answer.tool_calls]
            for call, output in zip(answer.tool_calls, outputs, strict=True):
                content = await output
                message = (
                    content
                    if isinstance(content, ToolMessage)
                    else ToolMessage(content, tool_call_id=call["id"])
                )
                answers: Any = [answer, message] if message.tool_call_id == "c1" else [message]
                messages = add_messages(messages, answers)
            answer = await call_model(messages)
        return {"messages": add_messages(messages, [answer])}

    return agent


@pytest.mark.parametrize("tool", [whole, by_arguments, content_only, in_a_task])
@pytest.mark.parametrize("memory", [True, False])
async def test_a_task_s_end_answers_its_calls(tool: Any, memory: bool) -> None:
    agent = agent_with(tool, checkpointer=InMemorySaver() if memory else None)
    if memory:
        agent = agent.with_config({"configurable": {"thread_id": "t"}})
    events = await record(agent, HI, ALL_EVENTS)
    kinds = [type(each) for each in events if isinstance(each, ToolFinished | TextDelta)]
    assert kinds == [ToolFinished, ToolFinished, TextDelta]
    assert sorted(results(events)) == [("c1", "sunny in Oslo"), ("c2", "sunny in Oslo")]
    assert [each.call_id for each in events if isinstance(each, ToolCallStarted)] == ["c1", "c2"]


async def test_a_task_that_fails_answers_at_the_end() -> None:
    async def breaks(call: Any) -> Any:
        await weather.ainvoke(call)
        raise ValueError("no")

    @entrypoint()
    async def agent(state: Any) -> Any:
        answer = await MODEL.ainvoke(state["messages"])
        for call in answer.tool_calls:
            with pytest.raises(ValueError, match="no"):
                await task(breaks)(call)
        return "end"

    events = await record(agent, HI, ALL_EVENTS)
    assert sorted(results(events)) == [("c1", "sunny in Oslo"), ("c2", "sunny in Oslo")]
    assert not [each for each in events if isinstance(each, ToolFailed)]


async def test_a_node_that_calls_tools_by_their_arguments_shows_each_call_once() -> None:
    async def llm(state: Any) -> Any:
        return {"messages": await MODEL.ainvoke(state["messages"])}

    async def tools(state: Any) -> Any:
        return {"messages": [await by_arguments(each) for each in state["messages"][-1].tool_calls]}

    builder: Any = StateGraph(MessagesState)
    builder.add_node("llm", llm)
    builder.add_node("tools", tools)
    builder.add_edge(START, "llm")
    builder.add_edge("llm", "tools")
    events = await record(builder.compile(), HI, ALL_EVENTS)
    assert [each.call_id for each in events if isinstance(each, ToolCallStarted)] == ["c1", "c2"]
    assert results(events) == [("c1", "sunny in Oslo"), ("c2", "sunny in Oslo")]
