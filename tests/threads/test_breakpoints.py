"""Threads that wait where their graph stops: how they go on, and how they do not."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph

from asgi_stream import StreamApp, StreamRoute
from asgi_stream.testing import Exchange

from ..asgi import JSON, frames, get, post, tokens
from .agui_agents import Clerk, graph_of, heard, refund
from .native_graphs import asks, counts
from .test_agui import Chat

pytestmark = pytest.mark.anyio

BREAKPOINT = {"id": "breakpoint", "value": {"when": "breakpoint"}}
HI = {"messages": [["human", "hi"]]}
REJECTED = "User rejected the tool call for `refund`. The tool was not executed."


def paying(**options: Any) -> Any:
    return create_agent(Clerk(), [refund], checkpointer=InMemorySaver(), **options)


def stopping(*nodes: Any, **stops: Any) -> Any:
    """A graph with nodes one after the other, which stops before the last one."""
    builder: Any = StateGraph(MessagesState)
    names = [START, *(node.__name__ for node in nodes)]
    for node, before in zip(nodes, names, strict=False):
        builder.add_node(node).add_edge(before, node.__name__)
    return builder.compile(
        checkpointer=InMemorySaver(), **(stops or {"interrupt_before": names[-1:]})
    )


def app_of(graph: Any, **options: Any) -> StreamApp:
    options = {"format": "chunks", **options}
    return StreamApp([StreamRoute("/t", graph, threads=True, **options)])


async def say(app: StreamApp, body: Any, query: str = "") -> Exchange:
    return await post(app, f"/t/threads/a{query}", body, headers=JSON)


async def contents(app: StreamApp) -> list[str]:
    messages = (await get(app, "/t/threads/a/messages")).json()["messages"]
    return [each["content"] for each in messages]


def chat_of(graph: Any, **options: Any) -> Chat:
    return Chat(app_of(graph, format="agui", **options), "/t", "a")


async def cancel(chat: Chat) -> None:
    [waits] = chat.interrupts
    await chat.run(resume=[{"interruptId": waits["id"], "status": "cancelled"}])


async def test_who_cancels_rejects_the_calls() -> None:
    chat = chat_of(paying(interrupt_before=["tools"]))
    await chat.say("refund 1, refund 2")
    await cancel(chat)
    [messages] = heard
    assert messages[2:] == [("tool", REJECTED)] * 2
    assert chat.texts[2:] == [
        ("tool", REJECTED),
        ("tool", REJECTED),
        ("assistant", f"Got {REJECTED}"),
    ]
    assert chat.interrupts == []


async def test_who_cancels_where_nothing_is_called_ends_the_thread() -> None:
    graph = stopping(counts)
    chat = chat_of(graph)
    await chat.say("hi")
    await cancel(chat)
    assert chat.texts == [("user", "hi")]
    assert chat.interrupts == []
    assert (await graph.aget_state({"configurable": {"thread_id": "a"}})).next == ()


@pytest.mark.parametrize("entry", [{}, {"payload": None}, {"payload": "yes"}])
async def test_a_breakpoint_is_passed_with_a_value_or_without(entry: dict[str, Any]) -> None:
    chat = chat_of(paying(interrupt_before=["tools"]))
    await chat.say("refund 1")
    await chat.run(resume=[{"interruptId": "breakpoint", "status": "resolved", **entry}])
    assert chat.texts[-1] == ("assistant", "Got refunded 1")


@pytest.mark.parametrize("stops", [{"interrupt_before": ["node"]}, {"interrupt_before": "*"}])
async def test_a_breakpoint_of_the_route_is_passed(stops: Any) -> None:
    from .agui_agents import answer

    chat = chat_of(graph_of(answer), astream_kwargs=stops)
    await chat.say("hi")
    assert [each["id"] for each in chat.interrupts] == ["breakpoint"]
    await chat.run()
    assert [each["id"] for each in chat.interrupts] == ["breakpoint"]
    await chat.resume(True)
    assert chat.texts[-1] == ("assistant", "Got hi")


async def test_what_passes_a_breakpoint_does_not_answer_what_is_asked_after_it() -> None:
    app = app_of(stopping(counts, asks))
    await say(app, HI)
    [*_, stop, _] = frames((await say(app, {"resume": True})).body)
    assert [each["value"] for each in stop["interrupted"]] == ["Sure?"]
    await say(app, {"resume": "no"})
    assert (await contents(app))[-1] == "You said no"


async def test_an_earlier_answer_does_not_pass_a_breakpoint() -> None:
    gate = HumanInTheLoopMiddleware({"refund": True})
    app = app_of(paying(middleware=[gate], interrupt_before=["tools"]))
    *_, stop, _ = frames((await say(app, {"messages": [["human", "refund 1"]]})).body)
    [question] = stop["interrupted"]
    approved = {"resume": {question["id"]: {"decisions": [{"type": "approve"}]}}}
    *_, stop, _ = frames((await say(app, approved)).body)
    assert stop == {"interrupted": [BREAKPOINT]}
    refused = await say(app, approved)
    assert (refused.status, refused.json()["error"]["code"]) == (409, "not_pending")
    assert (await say(app, None)).status == 200
    assert (await contents(app))[-1] == "Got refunded 1"


async def test_a_state_that_was_written_goes_on_without_a_value() -> None:
    graph = stopping(asks, interrupt_before=[])
    app = app_of(graph)
    await say(app, HI)
    written: Any = {"messages": [["human", "well?"]]}
    await graph.aupdate_state({"configurable": {"thread_id": "a"}}, written, as_node=START)
    *_, stop, _ = frames((await say(app, {"resume": None})).body)
    assert [each["value"] for each in stop["interrupted"]] == ["Sure?"]


async def test_a_question_is_given_up_at_its_checkpoint() -> None:
    app = StreamApp(
        [StreamRoute("/lg", {"agent": stopping(asks)}, threads=True, format="langgraph")]
    )
    await post(app, "/lg/threads", {"thread_id": "a"})
    await post(app, "/lg/threads/a/runs/wait", {"assistant_id": "agent", "input": HI})
    state = (await get(app, "/lg/threads/a/state")).json()
    end = {"command": {"goto": "__end__"}, "checkpoint": state["checkpoint"]}
    await post(app, "/lg/threads/a/runs/wait", {"assistant_id": "agent", **end})
    state = (await get(app, "/lg/threads/a/state")).json()
    assert (state["next"], state["tasks"]) == ([], [])


@pytest.mark.parametrize(
    "stops",
    [{"interrupt_before": ["asks"]}, {"interrupt_after": ["counts"]}, {"interrupt_before": "*"}],
)
@pytest.mark.parametrize("compiled", [True, False])
async def test_a_thread_at_a_breakpoint_is_interrupted(stops: Any, compiled: bool) -> None:
    graph = stopping(counts, asks, **(stops if compiled else {"interrupt_before": []}))
    kwargs = {} if compiled else {"astream_kwargs": stops}
    app = app_of(graph, authorize=lambda _: "ann", **kwargs)
    await say(app, HI)
    thread = (await get(app, "/t/threads/a")).json()
    assert (thread["status"], thread["interrupts"]) == ("interrupted", [BREAKPOINT])
    assert (await get(app, "/t/threads")).json()["threads"] == [thread]
    for _ in range(2):  # "*" stops before the other node, too
        if thread["interrupts"] == [BREAKPOINT]:
            await say(app, None)
            thread = (await get(app, "/t/threads/a")).json()
    assert [each["value"] for each in thread["interrupts"]] == ["Sure?"]
    await say(app, {"resume": "yes"})
    thread = (await get(app, "/t/threads/a")).json()
    assert (thread["status"], thread["interrupts"]) == ("idle", [])


async def test_langgraph_s_thread_at_a_breakpoint_is_interrupted() -> None:
    graph = {"agent": stopping(counts)}
    app = app_of(graph, format="langgraph", authorize=lambda _: "ann")
    await post(app, "/t/threads", {"thread_id": "a"})
    await post(app, "/t/threads/a/runs/wait", {"assistant_id": "agent", "input": HI})
    thread = (await get(app, "/t/threads/a")).json()
    assert (thread["status"], thread["interrupts"]) == ("interrupted", {})
    assert (await post(app, "/t/threads/search", {"status": "interrupted"})).json() == [thread]


async def test_a_page_that_is_loaded_again_shows_where_the_thread_waits() -> None:
    app = app_of(paying(interrupt_before=["tools"]), format="vercel")
    parts = [{"type": "text", "text": "refund 1"}]
    message = {"id": "u1", "role": "user", "parts": parts}
    await post(app, "/t", {"id": "a", "messages": [message]})
    *_, answer = (await get(app, "/t/a")).json()["messages"]
    *_, call, question = answer["parts"]
    assert call["state"] == "input-available"
    assert question == {"type": "data-interrupt", "id": "breakpoint", "data": BREAKPOINT}
    await post(app, "/t", {"id": "a", "messages": [message], "resume": None})
    *_, answer = (await get(app, "/t/a")).json()["messages"]
    assert "data-interrupt" not in {each["type"] for each in answer["parts"]}
    assert answer["parts"][-1]["text"] == "Got refunded 1"


async def test_a_state_that_is_written_after_a_node_still_waits_there() -> None:
    graph = stopping(counts, asks, interrupt_after=["counts"])
    app = app_of(graph)
    await say(app, HI)
    written: Any = {"messages": [["human", "well?"]]}
    await graph.aupdate_state({"configurable": {"thread_id": "a"}}, written, as_node="counts")
    thread = (await get(app, "/t/threads/a")).json()
    assert (thread["status"], thread["interrupts"]) == ("interrupted", [BREAKPOINT])
    *_, stop, _ = frames((await say(app, None)).body)
    assert [each["value"] for each in stop["interrupted"]] == ["Sure?"]


@pytest.mark.parametrize("query", ["/threads/a", ""])
async def test_a_stop_after_the_last_node_is_the_end(query: str) -> None:
    about: Any = {"configure": lambda _: {"configurable": {"thread_id": "a"}}}
    options = {"threads": True} if query else about
    graph = stopping(counts, interrupt_after=["counts"])
    app = StreamApp([StreamRoute("/t", graph, **options)])
    assert tokens((await post(app, f"/t{query}", HI)).body) == ["1 so far"]
    if query:
        thread = (await get(app, "/t/threads/a")).json()
        assert (thread["status"], thread["interrupts"]) == ("idle", [])


async def test_a_page_shows_no_question_after_the_last_node() -> None:
    chat = chat_of(paying(interrupt_after=["model"]))
    await chat.say("refund 1")
    assert [each["id"] for each in chat.interrupts] == ["breakpoint"]
    await chat.resume(True)
    assert chat.texts[-1] == ("assistant", "Got refunded 1")
    assert chat.interrupts == []


def says(text: str) -> Any:
    return lambda _: {"messages": [{"role": "assistant", "content": text}]}


def around(inner: Any, **options: Any) -> Any:
    """A graph whose first node is another graph."""
    builder: Any = StateGraph(MessagesState).add_node("sub", inner).add_node("end", says("End."))
    return builder.add_edge(START, "sub").add_edge("sub", "end").compile(**options)


def halting(**stops: Any) -> Any:
    builder: Any = StateGraph(MessagesState).add_node("one", says("One.")).add_node("two", asks)
    return builder.add_edge(START, "one").add_edge("one", "two").compile(**stops)


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize(
    "stops",
    [{"interrupt_before": ["two"]}, {"interrupt_after": ["one"]}, {"interrupt_after": "*"}],
)
async def test_a_thread_at_a_breakpoint_of_a_subgraph_is_interrupted(
    stops: Any, deep: bool
) -> None:
    inner = around(halting(**stops)) if deep else halting(**stops)
    app = app_of(around(inner, checkpointer=InMemorySaver()))
    await say(app, HI)
    thread = (await get(app, "/t/threads/a")).json()
    assert (thread["status"], thread["interrupts"]) == ("interrupted", [BREAKPOINT])
    await say(app, {"resume": "not for the node"})
    [question] = (await get(app, "/t/threads/a")).json()["interrupts"]
    assert question["value"] == "Sure?"
    await say(app, {"resume": "yes"})
    if "*" in stops.values():
        assert (await get(app, "/t/threads/a")).json()["interrupts"] == [BREAKPOINT]
        await say(app, None)
    assert (await get(app, "/t/threads/a")).json()["status"] == "idle"
    assert (await contents(app))[1:3] == ["One.", "You said yes"]


async def test_a_subgraph_that_has_not_come_to_its_breakpoint_does_not_wait() -> None:
    graph = around(halting(interrupt_after=["one"]), checkpointer=InMemorySaver())
    written: Any = {"messages": [["human", "hi"]]}
    await graph.aupdate_state({"configurable": {"thread_id": "a"}}, written, as_node=START)
    app = app_of(graph)
    thread = (await get(app, "/t/threads/a")).json()
    assert (thread["status"], thread["interrupts"]) == ("idle", [])
