"""What the nodes of a graph return: which of it is an answer, and each answer once."""

from __future__ import annotations

import json
from collections.abc import Callable, Set
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, NotRequired

import pytest
from langchain_core.messages import AIMessage, AnyMessage, ToolMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.runnables import RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import entrypoint
from langgraph.graph import START, MessagesState, StateGraph, add_messages
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.pregel import Pregel
from langgraph.types import Command, interrupt
from pydantic import BaseModel

from asgi_stream import StreamApp, StreamRoute
from asgi_stream.events import (
    ALL_EVENTS,
    Event,
    RunError,
    TextDelta,
    TextDiscarded,
    ToolCallStarted,
)

from ..asgi import post
from ..corpus import record
from ..models import Scripted
from .test_agents import HI, Turns, called, piece, results, text, weather, words

pytestmark = pytest.mark.anyio

WANTED = [ALL_EVENTS, frozenset({TextDelta, TextDiscarded})]
"""What the two handlers of answers take."""


class Noted(MessagesState):
    notes: NotRequired[list[AnyMessage]]


@dataclass
class NotedObject:
    messages: Annotated[list[AnyMessage], add_messages]
    notes: list[AnyMessage] | None = None


class NotedModel(BaseModel):
    messages: Annotated[list[AnyMessage], add_messages]
    notes: list[AnyMessage] | None = None


PLAN = {"notes": [AIMessage("Secret.")]}


def _returns(value: Any, state: Any) -> Any:
    return value


def noted(*returned: Any, state: Any = Noted, **schemas: Any) -> Any:
    """Return a graph whose nodes return these values, one after the other."""
    graph: Any = StateGraph(state, **({"output_schema": MessagesState} | schemas))
    before = START
    for index, value in enumerate(returned):
        node = f"node{index}"
        graph.add_node(
            node,
            value if isinstance(value, Pregel) or callable(value) else partial(_returns, value),
        )
        graph.add_edge(before, node)
        before = node
    return graph.compile()


async def answer_of(runnable: Any, wants: Set[type[Event]], input: Any = HI) -> str:
    return text(await record(runnable, input, wants))


HELLO = {"messages": [AIMessage("Hello.")]}
HANDS_UP: Any = Command(graph=Command.PARENT, update=HELLO | PLAN)


@pytest.mark.parametrize("wants", WANTED)
@pytest.mark.parametrize(
    "graph",
    [
        noted(PLAN, HELLO),
        noted(Command(update=PLAN), Command(update=[("notes", [AIMessage("Secret.")])]), HELLO),
        noted([PLAN, Command(update=HELLO)]),
        noted(NotedObject([], [AIMessage("Secret.")]), HELLO, state=NotedObject),
        noted(NotedModel(messages=[], notes=[AIMessage("Secret.")]), HELLO, state=NotedModel),
        noted(noted(PLAN, HELLO)),
        noted(noted(HANDS_UP)),
        RunnableLambda(noted(PLAN, HELLO).ainvoke),
    ],
)
async def test_a_message_in_a_private_field_is_no_answer(graph: Any, wants: Any) -> None:
    assert await answer_of(graph, wants) == "Hello."


@pytest.mark.parametrize("wants", WANTED)
async def test_a_message_that_becomes_public_is_an_answer_then(wants: Any) -> None:
    async def publishes(state: Any) -> Any:
        return {"messages": state["notes"]}

    draft = {"notes": [AIMessage("Draft.", tool_calls=[{"name": "f", "args": {}, "id": "c"}])]}
    events = await record(noted(draft, publishes), HI, wants)
    assert text(events) == "Draft."
    assert called(events) == (["c"] if wants is ALL_EVENTS else [])


@pytest.mark.parametrize("wants", WANTED)
async def test_a_field_that_one_of_several_graphs_shows_is_public(wants: Any) -> None:
    shows = noted({"notes": [AIMessage("Shown.")]}, output_schema=Noted)
    hides = noted(HELLO)
    assert await answer_of(RunnableLambda(shows.ainvoke) | hides, wants) == "Shown.Hello."


@pytest.mark.parametrize("wants", WANTED)
async def test_of_an_entrypoint_the_value_is_the_answer_not_what_it_saves(wants: Any) -> None:
    @entrypoint()
    async def says(input: Any) -> Any:
        return entrypoint.final(value="Hello.", save=[AIMessage("Secret.")])

    @entrypoint()
    async def adds(input: Any) -> Any:
        return entrypoint.final(value=HELLO, save=PLAN)

    assert await answer_of(says, wants) == await answer_of(adds, wants) == "Hello."


def remembers(saves_answer: bool) -> Any:
    """Return an agent that returns the whole conversation each time."""

    @entrypoint(checkpointer=InMemorySaver())
    async def agent(input: Any, *, previous: Any = None) -> Any:
        before: Any = add_messages(previous or [], input["messages"])
        count = len(before)
        call = {"name": "weather", "args": {}, "id": f"c{count}"}
        asks = AIMessage("", id=f"a{count}", tool_calls=[call])
        answers = ToolMessage("sunny", tool_call_id=call["id"])
        new = [asks, answers, AIMessage(f"{count}.", id=f"b{count}")]
        saved = [*before, *new] if saves_answer else before
        return entrypoint.final(value={"messages": [*before, *new]}, save=saved)

    return agent.with_config(configurable={"thread_id": "t"})


@pytest.mark.parametrize("saves_answer", [True, False])
@pytest.mark.parametrize("wants", WANTED)
async def test_what_an_entrypoint_has_from_before_is_no_answer(
    wants: Any, saves_answer: bool
) -> None:
    agent = remembers(saves_answer)
    runs = [await record(agent, HI, wants) for _ in range(3)]
    expected = ["1.", "5.", "9."] if saves_answer else ["1.", "2.", "3."]
    assert [text(events) for events in runs] == expected
    if wants is ALL_EVENTS:
        assert [called(events) for events in runs] == [[f"c{each[:-1]}"] for each in expected]


async def test_an_entrypoint_without_a_thread_has_nothing_from_before() -> None:
    @entrypoint(checkpointer=InMemorySaver())
    async def says(input: Any) -> Any:
        raise AssertionError

    [*_, end] = await record(says, HI, WANTED[1])
    assert isinstance(end, RunError)


# Messages that repeat what a model has said in the node.


SPEAKS = Scripted(script=["Hel", "lo."])
HIDDEN: Any = SPEAKS.with_config(tags=["nostream"])
CALLS: Any = Turns(turns=[[piece("c", "weather", '{"city": "Rome"}')], words("Sunny.")])


async def copies(state: Any) -> Any:
    return {"messages": [AIMessage((await SPEAKS.ainvoke("x")).content)]}


async def parses(state: Any) -> Any:
    return {"messages": [AIMessage(await (SPEAKS | StrOutputParser()).ainvoke("x"), name="bob")]}


async def asks_another(state: Any) -> Any:
    inner = await noted(copies).ainvoke(HI)
    return {"messages": [AIMessage(f" {inner['messages'][-1].text}")]}


async def keeps_for_itself(state: Any) -> Any:
    return {"notes": [AIMessage((await SPEAKS.ainvoke("x")).content)]}


async def publishes(state: Any) -> Any:
    return {"messages": state["notes"]}


async def asks_in_secret(state: Any) -> Any:
    return {"messages": [AIMessage((await HIDDEN.ainvoke("x")).content)]}


@pytest.mark.parametrize("wants", WANTED)
@pytest.mark.parametrize(
    "graph",
    [
        noted(copies),
        noted(parses),
        noted(asks_another),
        noted(noted(copies)),
        noted(keeps_for_itself, publishes),
        noted(asks_in_secret),
    ],
)
async def test_a_message_that_repeats_its_node_s_model_is_sent_once(graph: Any, wants: Any) -> None:
    assert await answer_of(graph, wants) == "Hello."


async def says_it_twice(state: Any) -> Any:
    answer = await SPEAKS.ainvoke("x")
    return {"messages": [answer, AIMessage(answer.content)]}


async def copies_it_twice(state: Any) -> Any:
    answer = await SPEAKS.ainvoke("x")
    return {"messages": [AIMessage(answer.content), AIMessage(answer.content)]}


@pytest.mark.parametrize("wants", WANTED)
@pytest.mark.parametrize(
    "graph", [noted(says_it_twice), noted(copies_it_twice), noted(copies, HELLO)]
)
async def test_two_equal_messages_are_two(graph: Any, wants: Any) -> None:
    assert await answer_of(graph, wants) == "Hello.Hello."


@pytest.mark.parametrize("explained", ["", "I look. "])
async def test_a_message_that_repeats_its_model_s_calls_makes_none(explained: str) -> None:
    async def asks(state: Any) -> Any:
        answer = await CALLS.ainvoke(state["messages"])
        text = answer.content or explained
        return {"messages": [AIMessage(text, tool_calls=answer.tool_calls)]}

    graph: Any = StateGraph(MessagesState)
    graph.add_node("asks", asks)
    graph.add_node("tools", ToolNode([weather]))
    graph.add_edge(START, "asks")
    graph.add_conditional_edges("asks", tools_condition)
    graph.add_edge("tools", "asks")
    events = await record(graph.compile(), HI, ALL_EVENTS)
    assert called(events) == ["c"]
    assert results(events) == [("c", "sunny in Rome")]
    assert text(events) == f"{explained}Sunny."
    assert [event.call_id for event in events if isinstance(event, ToolCallStarted)] == ["c"]


async def test_equal_text_with_other_calls_is_another_message() -> None:
    async def asks(state: Any) -> Any:
        answer = await SPEAKS.ainvoke("x")
        call = {"name": "weather", "args": {}, "id": "c"}
        return {"messages": [AIMessage(answer.content, tool_calls=[call])]}

    assert called(await record(noted(asks), HI, ALL_EVENTS)) == ["c"]


# Messages that a later step replaces.


async def redacts(state: Any) -> Any:
    return {"messages": [AIMessage("[redacted]", id=state["messages"][-1].id)]}


async def empties(state: Any) -> Any:
    return {"messages": [AIMessage("", id=state["messages"][-1].id)]}


async def annotates(state: Any) -> Any:
    return {"notes": [AIMessage("Secret.", id=state["messages"][-1].id)]}


async def stops(state: Any) -> Any:
    interrupt("Go on?")


async def says(state: Any) -> Any:
    return {"messages": [await SPEAKS.ainvoke("x")]}


async def adds(state: Any) -> Any:
    return {"messages": [AIMessage(" Bye.")]}


ASKED: Any = {"messages": [{"role": "user", "content": "hi"}], "model": "x"}
CALLED = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "x", "arguments": ASKED},
}
PIECES: dict[str, tuple[str, Any, Callable[[Any], str]]] = {
    "tokens": ("/x", HI, lambda document: document["output"]),
    "openai": (
        "/x/chat/completions",
        ASKED,
        lambda document: document["choices"][0]["message"]["content"],
    ),
    "openai ": (
        "/x/responses",
        {"model": "x", "input": "hi"},
        lambda document: "".join(
            part["text"] for item in document["output"] for part in item.get("content", ())
        ),
    ),
    "mcp": (
        "/x",
        CALLED,
        lambda document: document["result"]["content"][0]["text"],
    ),
}


@pytest.mark.parametrize("format", PIECES)
@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([says, redacts, adds], "[redacted] Bye."),
        ([copies, redacts], "[redacted]"),
        ([noted(says, redacts)], "[redacted]"),
        ([says, empties, adds], " Bye."),
        ([says, annotates], "Hello."),
        ([says, redacts, stops], "[redacted]"),
    ],
)
async def test_an_answer_in_one_piece_has_the_last_version_of_a_message(
    nodes: Any, expected: str, format: str
) -> None:
    path, body, text_in = PIECES[format]
    app = StreamApp([StreamRoute("/x", noted(*nodes), format=format.strip())])
    headers = {"accept": "application/json"}
    if format == "mcp":
        headers["accept"] += ", text/event-stream"
    answer = await post(app, path, body, headers=headers)
    assert text_in(json.loads(answer.body.removeprefix(b"data: "))) == expected


async def test_a_stream_has_what_was_said_first() -> None:
    for wants in WANTED:
        assert await answer_of(noted(says, redacts), wants) == "Hello."
