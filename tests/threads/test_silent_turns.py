"""Runs that add no message: an answer from before is not sent again, and what is new is sent."""

from __future__ import annotations

import operator
from typing import Annotated, Any, NotRequired, TypedDict

import pytest
from langchain_core.messages import AIMessage, AnyMessage, RemoveMessage
from langchain_core.runnables import RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import entrypoint
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt

from asgi_stream import StreamApp, StreamRoute
from asgi_stream.events import ALL_EVENTS
from asgi_stream.formats.tokens import TokensFormat

from ..asgi import frames, post, tokens

pytestmark = pytest.mark.anyio

HI = {"messages": [["human", "hi"]]}
YES = {"resume": "yes"}


class Drafted(MessagesState):
    draft: NotRequired[list[AnyMessage]]


class Listed(TypedDict):
    messages: Annotated[list[AnyMessage], operator.add]


def says(state: Any) -> Any:
    return {"messages": [AIMessage("The draft.")]}


def drafts(state: Any) -> Any:
    return {"draft": [AIMessage("The draft.")]}


def reviews(state: Any) -> Any:
    return {} if interrupt("Send it?") == "yes" else {"messages": [AIMessage("Not sent.")]}


def publishes(state: Any) -> Any:
    return {"messages": state["draft"]}


def plain(state: Any) -> Any:
    return {"messages": [{"role": "assistant", "content": "The draft."}]}


def silent(state: Any) -> Any:
    return {}


def guards(state: Any) -> Any:
    """Answers a question, but takes a bad word out of the conversation."""
    question = state["messages"][-1]
    if "bad" in question.text:
        return {"messages": [RemoveMessage(question.id)]}
    return {"messages": [AIMessage(f"Answer to {question.text}.")]}


def graph_of(*nodes: Any, state: Any = MessagesState, saver: bool = True, **schemas: Any) -> Any:
    builder: Any = StateGraph(state, **schemas)
    before = START
    for node in nodes:
        builder.add_node(node.__name__, node).add_edge(before, node.__name__)
        before = node.__name__
    return builder.compile(checkpointer=InMemorySaver() if saver else None)


class Everything(TokensFormat):
    """Tokens of the answer, from the handler for formats that show everything."""

    wants = ALL_EVENTS


FORMATS = ["tokens", f"{__name__}:Everything"]


def app_of(graph: Any, format: Any, **options: Any) -> StreamApp:
    return StreamApp([StreamRoute("/ask", graph, format=format, **options)])


async def ask(app: StreamApp, body: Any, query: str = "?thread_id=t") -> str:
    return "".join(tokens((await post(app, f"/ask{query}", body)).body))


async def drafted(app: StreamApp) -> tuple[str, str]:
    """What a person reads of a run that asks, and then of the one with the answer."""
    parts = frames((await post(app, "/ask?thread_id=t", HI)).body)
    text = "".join(each.get("token", "") for each in parts[:-1])
    return text, await ask(app, YES)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("graph", [graph_of(says, reviews), graph_of(says, silent, reviews)])
async def test_a_draft_that_is_approved_is_not_sent_again(graph: Any, format: Any) -> None:
    assert await drafted(app_of(graph, format, threads=True)) == ("The draft.", "")


@pytest.mark.parametrize("format", FORMATS)
async def test_a_draft_that_nobody_has_seen_is_sent_when_it_is_approved(format: Any) -> None:
    graph = graph_of(drafts, reviews, publishes, state=Drafted, output_schema=MessagesState)
    assert await drafted(app_of(graph, format, threads=True)) == ("", "The draft.")


@pytest.mark.parametrize("format", FORMATS)
async def test_a_question_that_is_removed_has_no_answer(format: Any) -> None:
    app = app_of(graph_of(guards), format, threads=True)
    assert await ask(app, {"messages": [["human", "one"]]}) == "Answer to one."
    assert await ask(app, {"messages": [["human", "bad words"]]}) == ""
    assert await ask(app, {"messages": [["human", "two"]]}) == "Answer to two."


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("chain", [False, True])
async def test_an_answer_that_the_client_has_sent_is_none(format: Any, chain: bool) -> None:
    graph = graph_of(guards, saver=False)

    async def last(input: Any) -> Any:
        return (await graph.ainvoke(input))["messages"][-1]

    runnable = RunnableLambda(last) if chain else graph
    sent = [["human", "one"], ["ai", "Answer to one."], ["human", "bad words"]]
    assert await ask(app_of(runnable, format), {"messages": sent}, "") == ""


@pytest.mark.parametrize("format", FORMATS)
async def test_messages_without_ids_are_told_apart(format: Any) -> None:
    graph = graph_of(silent, state=Listed, saver=False)
    sent = [["human", "one"], ["ai", "Answer to one."]]
    assert await ask(app_of(graph, format), {"messages": sent}, "") == ""


@pytest.mark.parametrize("format", FORMATS)
async def test_a_message_that_langgraph_makes_of_plain_data_is_an_answer(format: Any) -> None:
    app = app_of(graph_of(plain, silent), format, threads=True)
    assert await ask(app, HI) == "The draft."


@entrypoint(checkpointer=InMemorySaver())
async def agent(input: Any) -> Any:
    return {"messages": [*input["messages"], AIMessage("The draft.")]}


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("graph", [graph_of(says), agent])
async def test_who_goes_on_with_what_has_ended_gets_nothing(graph: Any, format: Any) -> None:
    app = app_of(graph, format, threads=True)
    assert await ask(app, HI) == "The draft."
    assert await ask(app, None) == ""
