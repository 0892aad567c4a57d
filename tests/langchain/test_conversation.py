from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables import RunnableLambda
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.graph.message import add_messages
from pydantic import BaseModel

from asgi_stream._langchain.conversation import Ambiguous, Conversation
from asgi_stream._langchain.input_schema import InputSchema
from asgi_stream.errors import InvalidInput

from ..models import PROMPT, Plain, Scripted, chain_of

PAST: Any = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
LAST: Any = {"role": "user", "content": [{"type": "text", "text": "How?"}]}
ASKED = [*PAST, LAST]


class Plan(MessagesState):
    plan: str


class Nested(TypedDict):
    talk: Annotated[list[AnyMessage], add_messages]


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


def taken(runnable: Any, messages: Any = ASKED, state: Any = None, **options: Any) -> Any:
    schema = InputSchema(runnable, options.get("input"))
    how = Conversation(schema.wanted, options.get("made"))
    return how.input_for(messages, state or {})


def test_a_chat_model_takes_the_messages() -> None:
    assert taken(Scripted(script=[])) == ASKED
    assert taken(Plain()) == ASKED


def test_a_graph_takes_them_where_its_state_has_messages() -> None:
    assert taken(graph_of(MessagesState)) == {"messages": ASKED}
    assert taken(graph_of(Nested)) == {"talk": ASKED}
    state = {"plan": "x", "other": 1, "messages": "no"}
    assert taken(graph_of(Plan), state=state) == {"messages": ASKED, "plan": "x"}


def test_a_prompt_takes_the_last_words_and_the_past() -> None:
    assert taken(chain_of("x")) == {"question": "How?", "chat_history": PAST}
    assert taken(ChatPromptTemplate.from_template("{q}")) == {"q": "How?"}
    assert taken(ChatPromptTemplate([MessagesPlaceholder("talk")])) == {"talk": ASKED}


def test_text_takes_the_last_words() -> None:
    assert taken(RunnableLambda(upper)) == "How?"
    assert taken(RunnableLambda(upper), [{"role": "user", "content": "Hi"}]) == "Hi"


def test_what_does_not_say_gets_messages() -> None:
    found = taken(RunnableLambda(anything), [{"role": "user", "content": "Hi"}, PAST[1]])
    assert found == [HumanMessage("Hi"), AIMessage("Hello")]


def test_a_declared_input_says_it_too() -> None:
    assert taken(RunnableLambda(anything), input=Model) == {"question": "How?"}


def test_a_function_of_the_route_s_decides() -> None:
    made = taken(PROMPT, made=lambda messages: {"n": len(messages), "last": messages[-1].text})
    assert made == {"n": 3, "last": "How?"}


@pytest.mark.parametrize(
    ("runnable", "options", "why"),
    [
        (ChatPromptTemplate.from_template("{a} {b}"), {}, "several variables: a, b"),
        (graph_of(Odd), {}, "neither messages nor one variable of text"),
        (RunnableLambda(anything), {"input": Several}, "several lists of messages: past, now"),
        (RunnableLambda(anything), {"input": int}, "is neither messages nor text"),
    ],
)
def test_what_leaves_it_open_is_told(runnable: Any, options: Any, why: str) -> None:
    with pytest.raises(Ambiguous) as told:
        taken(runnable, **options)
    assert why in str(told.value)


@pytest.mark.parametrize(
    ("messages", "why"),
    [
        ([], "it has none"),
        (PAST, "the last message is not the user's"),
        ([{"role": "user", "content": [{"type": "image"}]}], "takes text only, not image"),
    ],
)
def test_what_does_not_fit_is_told(messages: Any, why: str) -> None:
    with pytest.raises(InvalidInput) as told:
        taken(RunnableLambda(upper), messages)
    assert why in told.value.fields["messages"]


@pytest.mark.parametrize("made", [None, len])
def test_a_message_that_langchain_does_not_take_is_told(made: Any) -> None:
    bad: Any = {"role": "assistant", "content": "", "tool_calls": [{"id": "c", "args": [1]}]}
    with pytest.raises(InvalidInput, match="a message that LangChain does not take"):
        Conversation(list[AnyMessage] if made else Any, made).input_for([bad], {})
