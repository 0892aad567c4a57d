"""Answers that name the checkpoint of their question, as ``useStream`` 2 sends them."""

from __future__ import annotations

from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph

from asgi_stream import StreamApp, StreamRoute
from asgi_stream.testing import Exchange

from ..asgi import JSON, get, post
from .native_graphs import approving, asks, counts, first, graph_of, second

pytestmark = pytest.mark.anyio

HI = {"messages": [["human", "hi"]]}
MODES = pytest.mark.parametrize("mode", ["batched", "per_call"])


def app_of(graph: Any) -> StreamApp:
    return StreamApp([StreamRoute("/t", graph, threads=True, format="chunks")])


async def checkpoint_of(app: StreamApp) -> str:
    state = (await get(app, "/t/threads/a/state")).json()
    return str(state["checkpoint"]["checkpoint_id"])


async def say(app: StreamApp, body: Any, checkpoint: str | None = None) -> Exchange:
    query = f"?checkpoint_id={checkpoint}" if checkpoint else ""
    return await post(app, f"/t/threads/a{query}", body, headers=JSON)


async def contents(app: StreamApp) -> list[str]:
    messages = (await get(app, "/t/threads/a/messages")).json()["messages"]
    return [each["content"] for each in messages]


def refused(answer: Exchange) -> bool:
    return (answer.status, answer.json()["error"]["code"]) == (409, "not_pending")


@MODES
async def test_an_answer_counts_once(mode: str) -> None:
    app = app_of(approving(interrupt_mode=mode))
    await say(app, {"messages": [["human", "7"]]})
    waits = await checkpoint_of(app)
    assert (await say(app, {"resume": [{"type": "approve"}]}, waits)).status == 200
    before = await contents(app)
    assert before[-1] == "refunded 7"
    for decision in ("approve", "reject"):
        assert refused(await say(app, {"resume": [{"type": decision}]}, waits))
    assert await contents(app) == before


async def test_an_answer_counts_once_while_other_questions_are_open() -> None:
    app = app_of(graph_of(first, second))
    await say(app, HI)
    waits = await checkpoint_of(app)
    questions = (await get(app, "/t/threads/a")).json()["interrupts"]
    ids = {each["value"]: each["id"] for each in questions}
    assert (await say(app, {"resume": {ids["First?"]: "1"}}, waits)).status == 200
    assert refused(await say(app, {"resume": {ids["First?"]: "1"}}, waits))
    assert (await say(app, {"resume": {ids["Second?"]: "2"}}, waits)).status == 200
    assert refused(await say(app, {"resume": {ids["Second?"]: "2"}}, waits))
    assert await contents(app) == ["hi", "first 1", "second 2"]


async def test_a_question_that_a_new_message_has_replaced_takes_no_answer() -> None:
    app = app_of(graph_of(asks))
    await say(app, HI)
    waits = await checkpoint_of(app)
    await say(app, {"messages": [["human", "forget it"]]})
    assert refused(await say(app, {"resume": "yes"}, waits))
    assert (await say(app, {"resume": "no"})).status == 200
    assert await contents(app) == ["hi", "forget it", "You said no"]


async def test_a_question_at_the_end_of_another_branch_is_still_answered() -> None:
    app = app_of(graph_of(asks))
    await say(app, HI)
    waits = await checkpoint_of(app)
    states = (await get(app, "/t/threads/a/history")).json()["states"]
    await say(app, {"messages": [["human", "hello"]]}, states[-1]["checkpoint"]["checkpoint_id"])
    assert (await say(app, {"resume": "yes"}, waits)).status == 200
    assert await contents(app) == ["hi", "You said yes"]


async def test_an_input_or_null_goes_on_from_where_an_answer_was() -> None:
    app = app_of(graph_of(asks))
    await say(app, HI)
    waits = await checkpoint_of(app)
    await say(app, {"resume": "yes"}, waits)
    again = await say(app, None, waits)
    assert again.status == 200
    assert (await say(app, {"resume": "no"})).status == 200
    assert await contents(app) == ["hi", "You said no"]
    assert (await say(app, {"messages": [["human", "well?"]]}, waits)).status == 200
    assert await contents(app) == ["hi", "well?"]


async def test_a_breakpoint_is_passed_once() -> None:
    builder = StateGraph(MessagesState).add_node(counts).add_edge(START, "counts")
    app = app_of(builder.compile(checkpointer=InMemorySaver(), interrupt_before=["counts"]))
    await say(app, HI)
    waits = await checkpoint_of(app)
    assert (await say(app, {"resume": True}, waits)).status == 200
    assert refused(await say(app, {"resume": True}, waits))
    assert await contents(app) == ["hi", "1 so far"]


async def test_a_question_is_asked_again_at_the_checkpoint_of_a_subgraph() -> None:
    inner = StateGraph(MessagesState).add_node(asks).add_edge(START, "asks").compile()
    outer: Any = StateGraph(MessagesState).add_node("inner", inner).add_edge(START, "inner")
    graph = outer.compile(checkpointer=InMemorySaver())
    app = StreamApp([StreamRoute("/lg", {"agent": graph}, threads=True, format="langgraph")])
    assistant = {"assistant_id": "agent"}
    await post(app, "/lg/threads", {"thread_id": "a"})
    await post(app, "/lg/threads/a/runs/wait", {**assistant, "input": HI})
    [task] = (await get(app, "/lg/threads/a/state?subgraphs=true")).json()["tasks"]
    body = {**assistant, "command": {"resume": "x"}, "checkpoint": task["state"]["checkpoint"]}
    values = (await post(app, "/lg/threads/a/runs/wait", body)).json()
    assert [each["value"] for each in values["__interrupt__"]] == ["Sure?"]
