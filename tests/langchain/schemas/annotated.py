"""Functions and types whose annotations are objects, not strings."""
# No ``from __future__ import annotations`` here: that is the point.

from dataclasses import dataclass
from typing import Annotated, Any, NotRequired, Required, TypedDict

from langchain_core.messages import AnyMessage, BaseMessage
from langchain_core.runnables import Runnable
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


class Bare(Runnable):  # type: ignore[type-arg]  # the point
    """Says nothing of its input."""

    def invoke(self, input: Any, config: Any = None, **kwargs: Any) -> Any:
        return input


class BrokenSchema(Bare):
    """Says something that fails."""

    @property
    def InputType(self) -> Any:
        raise RuntimeError

    def get_input_schema(self, config: Any = None) -> Any:
        raise RuntimeError


@dataclass
class Hidden:
    question: "OnlyForTypes"  # type: ignore[name-defined]  # noqa: F821


def takes_anything(value: Any) -> Any:
    return value["maybe"] if "maybe" in value else value  # noqa: SIM401 - LangChain reads this


class NoSchema:
    pass


def takes_no_schema(value: NoSchema) -> Any:
    return value


def takes_hidden(value: Hidden) -> Any:
    return value
