"""Tasks of LangGraph's functional API that have finished before their run stopped."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import entrypoint, task
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt

from asgi_stream import StreamApp, StreamRoute

from ..asgi import frames, post
from ..langchain.test_agents import Turns, piece, weather, words
from .test_agui import Chat
from .test_silent_turns import FORMATS, HI, YES

OWN: Any = True
"""A thread of a graph's own in its parent's."""

pytestmark = pytest.mark.anyio


@task
async def by_model(_: Any) -> Any:
    return await GenericFakeChatModel(messages=iter([AIMessage("Draft. ")])).ainvoke("")


@task
async def by_code(_: Any) -> Any:
    return AIMessage("Draft. ", id="draft")


def steps(writes: Any, *, breaks: bool = False) -> Any:
    """Return what writes a draft in a task, and then asks, or fails the first time."""
    runs: list[Any] = []

    async def step(state: Any) -> Any:
        draft = await writes(state)
        runs.append(draft)
        if breaks and len(runs) == 1:
            raise ValueError
        answer = "yes" if breaks else interrupt("Send it?")
        return {"messages": [draft, AIMessage(f"Sent: {answer}.")]}

    return step


def graph_of(node: Any, saver: Any = None) -> Any:
    return StateGraph(MessagesState).add_node("node", node).add_edge(START, "node").compile(saver)


def called(step: Any) -> Any:
    inner = {"agent": entrypoint(checkpointer=OWN)(step)}  # hidden from LangGraph

    async def node(state: Any) -> Any:
        return await inner["agent"].ainvoke(state)

    return graph_of(node, InMemorySaver())


GRAPHS: dict[str, Any] = {
    "an entrypoint": lambda step: entrypoint(checkpointer=InMemorySaver())(step),
    "a node": lambda step: graph_of(step, InMemorySaver()),
    "a node of a subgraph": lambda step: graph_of(graph_of(step), InMemorySaver()),
    "an entrypoint that a node calls": called,
}


async def both_runs(graph: Any, format: str, body: Any) -> list[str]:
    app = StreamApp([StreamRoute("/ask", graph, format=format, threads=True)])
    answers = [await post(app, "/ask?thread_id=t", each) for each in (HI, body)]
    parts = [frames(each.body)[:-1] for each in answers]
    return ["".join(part.get("token", "") for part in each) for each in parts]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("kind", GRAPHS)
async def test_what_a_task_s_model_has_said_is_not_sent_again(kind: str, format: str) -> None:
    graph = GRAPHS[kind](steps(by_model))
    assert await both_runs(graph, format, YES) == ["Draft. ", "Sent: yes."]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("kind", GRAPHS)
async def test_what_a_task_s_code_has_made_is_sent_when_it_is_returned(
    kind: str, format: str
) -> None:
    graph = GRAPHS[kind](steps(by_code))
    assert await both_runs(graph, format, YES) == ["", "Draft. Sent: yes."]


@pytest.mark.parametrize("format", FORMATS)
async def test_what_was_lost_with_a_failed_run_is_sent_again(format: str) -> None:
    graph = GRAPHS["an entrypoint"](steps(by_model, breaks=True))
    assert (await both_runs(graph, format, None))[1] == "Draft. Sent: yes."


async def test_a_call_of_a_task_s_model_is_not_announced_again() -> None:
    calls = [piece("c1", "weather", '{"city": "Oslo"}', 0)]
    model = Turns(turns=[calls, words("It is sunny.")])

    @task
    async def thinks(messages: Any) -> Any:
        return await model.ainvoke(messages)

    @task
    async def runs(call: Any) -> Any:
        return await weather.ainvoke(call)

    @entrypoint(checkpointer=InMemorySaver())
    async def agent(state: Any) -> Any:
        call = await thinks(state["messages"])
        interrupt("Sure?")
        result = await runs(call.tool_calls[0])
        messages = [*state["messages"], call, result]
        return {"messages": [*messages, await thinks(messages)]}

    options: Any = {"format": "agui", "conversation": lambda messages: {"messages": messages}}
    chat = Chat(StreamApp([StreamRoute("/t", agent, threads=True, **options)]), "/t")
    await chat.say("hi")
    assert [each for each in chat.frames if each["type"] == "TOOL_CALL_START"]
    await chat.resume("yes")
    kinds = [each["type"] for each in chat.frames]
    assert (kinds.count("TOOL_CALL_START"), kinds.count("TOOL_CALL_RESULT")) == (0, 1)
    assert chat.texts[-1] == ("assistant", "It is sunny.")
