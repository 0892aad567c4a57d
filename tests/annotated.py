"""Functions and types whose annotations are objects, not strings."""
# No ``from __future__ import annotations`` here: that is the point.

from dataclasses import dataclass
from typing import Annotated, Any, NotRequired, Required, TypedDict

from langchain_core.messages import AnyMessage, BaseMessage
from langgraph.graph import MessagesState
from pydantic import BaseModel, RootModel


class Question(BaseModel):
    question: str
    chat_history: list[AnyMessage] = []


class Typed(TypedDict):
    count: Required[int]
    history: NotRequired[Annotated[list[BaseMessage], "doc"]]


@dataclass
class Plain:
    question: str
    last: BaseMessage | None = None


class Words(RootModel[list[str]]):
    pass


class State(MessagesState):
    count: int
    docs: list[str]


def takes_question(question: Question) -> str:
    return question.question


def takes_typed(value: Typed) -> int:
    return value["count"]


def takes_messages(messages: list[BaseMessage]) -> int:
    return len(messages)


def takes_anything(value: Any) -> Any:
    return value["maybe"] if "maybe" in value else value  # noqa: SIM401 - LangChain reads this


class NoSchema:
    pass


def takes_no_schema(value: NoSchema) -> Any:
    return value
