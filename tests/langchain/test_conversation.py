from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NotRequired, TypedDict

import pytest
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables import RunnableLambda
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.graph.message import add_messages
from pydantic import BaseModel

from asgi_stream._langchain.conversation import Ambiguous, Conversation
from asgi_stream._langchain.schemas.input import InputSchema
from asgi_stream.errors import InvalidInput

from ..models import PROMPT, Plain, Scripted, chain_of

PAST: Any = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
LAST: Any = {"role": "user", "content": [{"type": "text", "text": "How?"}]}
MESSAGES = [*PAST, LAST]


class Plan(MessagesState):
    plan: str


class Nested(TypedDict):
    talk: Annotated[list[AnyMessage], add_messages]


class Quickstart(TypedDict):
    """The state of LangGraph's own quickstart, and a text."""

    messages: NotRequired[Annotated[list, add_messages]]  # type: ignore[type-arg]
    summary: str


class Renamed(TypedDict):
    summary: str
    talk: Annotated[list[dict[str, Any]], add_messages(format="langchain-openai")]


class QuickstartModel(BaseModel):
    messages: Annotated[Sequence[Any], add_messages]
    summary: str = ""


@dataclass
class QuickstartData:
    messages: Annotated[list[Any] | None, add_messages]
    summary: str = ""


class ByName(TypedDict):
    summary: str
    docs: list[AnyMessage]
    messages: Annotated[list[Any], operator.add]


class Odd(TypedDict):
    n: int


class Model(BaseModel):
    question: str
    limit: int = 3


@dataclass
class Several:
    past: list[BaseMessage]
    now: list[BaseMessage]


def graph_of(state: Any) -> Any:
    return StateGraph(state).add_node("n", lambda s: {}).add_edge(START, "n").compile()


def upper(text: str) -> str:
    return text.upper()


def anything(value: Any) -> Any:
    return value


def input_of(runnable: Any, messages: Any = MESSAGES, state: Any = None, **options: Any) -> Any:
    schema = InputSchema(runnable, options.get("input"))
    conversation = Conversation(schema.input_type, options.get("function"))
    return conversation.input_for(messages, state or {})


def test_a_chat_model_takes_the_messages() -> None:
    assert input_of(Scripted(script=[])) == MESSAGES
    assert input_of(Plain()) == MESSAGES


def test_a_graph_takes_them_in_its_field_of_messages() -> None:
    assert input_of(graph_of(MessagesState)) == {"messages": MESSAGES}
    assert input_of(graph_of(Nested)) == {"talk": MESSAGES}
    state = {"plan": "x", "other": 1, "messages": "no"}
    assert input_of(graph_of(Plan), state=state) == {"messages": MESSAGES, "plan": "x"}


@pytest.mark.parametrize("state", [Quickstart, QuickstartModel, QuickstartData])
def test_a_reducer_shows_where_the_messages_are(state: Any) -> None:
    assert input_of(graph_of(state)) == {"messages": MESSAGES}
    assert input_of(graph_of(Renamed)) == {"talk": MESSAGES}


def test_an_untyped_list_of_messages_is_known_by_its_name() -> None:
    messages = [HumanMessage("Hi"), AIMessage("Hello")]
    assert input_of(graph_of(ByName), PAST) == {"messages": messages}
    conversation = Conversation(ByName)
    assert conversation.takes_all


def test_a_prompt_takes_the_last_text_and_the_history() -> None:
    assert input_of(chain_of("x")) == {"question": "How?", "chat_history": PAST}
    assert input_of(ChatPromptTemplate.from_template("{q}")) == {"q": "How?"}
    assert input_of(ChatPromptTemplate([MessagesPlaceholder("talk")])) == {"talk": MESSAGES}


def test_a_runnable_of_text_takes_the_last_text() -> None:
    assert input_of(RunnableLambda(upper)) == "How?"
    assert input_of(RunnableLambda(upper), [{"role": "user", "content": "Hi"}]) == "Hi"


def test_a_runnable_of_unknown_type_takes_messages() -> None:
    value = input_of(RunnableLambda(anything), [{"role": "user", "content": "Hi"}, PAST[1]])
    assert value == [HumanMessage("Hi"), AIMessage("Hello")]


def test_a_declared_input_decides() -> None:
    assert input_of(RunnableLambda(anything), input=Model) == {"question": "How?"}


def test_the_route_s_function_decides() -> None:
    value = input_of(
        PROMPT, function=lambda messages: {"n": len(messages), "last": messages[-1].text}
    )
    assert value == {"n": 3, "last": "How?"}


@pytest.mark.parametrize(
    ("runnable", "options", "why"),
    [
        (ChatPromptTemplate.from_template("{a} {b}"), {}, "several variables: a, b"),
        (graph_of(Odd), {}, "neither a list of messages nor a single text variable"),
        (RunnableLambda(anything), {"input": Several}, "several lists of messages: past, now"),
        (RunnableLambda(anything), {"input": int}, "is neither messages nor text"),
    ],
)
def test_an_ambiguous_input_is_reported(runnable: Any, options: Any, why: str) -> None:
    with pytest.raises(Ambiguous) as raised:
        input_of(runnable, **options)
    assert why in str(raised.value)


@pytest.mark.parametrize(
    ("messages", "why"),
    [
        ([], "expected at least one message"),
        (PAST, "the last message must be a user message"),
        ([{"role": "user", "content": [{"type": "image"}]}], "only accepts text, not image"),
    ],
)
def test_a_conversation_that_does_not_fit_is_refused(messages: Any, why: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        input_of(RunnableLambda(upper), messages)
    assert why in raised.value.fields["messages"]


@pytest.mark.parametrize("function", [None, len])
def test_a_message_that_langchain_does_not_accept_is_refused(function: Any) -> None:
    bad: Any = {"role": "assistant", "content": "", "tool_calls": [{"id": "c", "args": [1]}]}
    with pytest.raises(InvalidInput, match="LangChain does not accept one of the messages"):
        Conversation(list[AnyMessage] if function else Any, function).input_for([bad], {})
