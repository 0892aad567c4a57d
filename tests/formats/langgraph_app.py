"""Graphs with threads for the format ``langgraph``, in this process and on real servers."""

from __future__ import annotations

import asyncio
import operator
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any

from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.chat_models import agenerate_from_stream
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import entrypoint, task
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt
from starlette.requests import Request
from typing_extensions import TypedDict

from asgi_stream import Limits, StreamApp, StreamRoute, Threads


class Echo(BaseChatModel):
    """Repeats the user's words, and says how many messages it was called with."""

    @property
    def _llm_type(self) -> str:
        return "echo"

    def _generate(self, *_: Any, **__: Any) -> ChatResult:
        raise NotImplementedError

    async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
        return await agenerate_from_stream(self._astream(*args, **kwargs))

    async def _astream(
        self, messages: Any, *_: Any, **__: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        for word in (f"{len(messages)} ", str(messages[-1].content)):
            yield ChatGenerationChunk(message=AIMessageChunk(content=word))


class Slow(Echo):
    """Says a word each 20 ms, up to 500."""

    async def _astream(
        self, messages: Any, *_: Any, **__: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        for n in range(500):
            yield ChatGenerationChunk(message=AIMessageChunk(content=f"w{n} "))
            await asyncio.sleep(0.02)


class Asking(TypedDict):
    """What ``ask`` keeps; `hidden` is not part of its output."""

    question: str
    log: Annotated[list[str], operator.add]
    hidden: str


class Shown(TypedDict):
    question: str
    log: Annotated[list[str], operator.add]


async def prepare(state: Asking) -> dict[str, Any]:
    return {"log": ["prepared"], "hidden": "secret"}


async def ask(state: Asking) -> dict[str, Any]:
    answer = interrupt({"question": state["question"]})
    return {"log": [f"answered {answer}"]}


async def conclude(state: Asking) -> dict[str, Any]:
    return {"log": ["concluded"]}


async def ask_twice(state: Asking) -> dict[str, Any]:
    return {"log": [f"also {interrupt({'question': 'again?'})}"]}


async def fail(state: Asking) -> dict[str, Any]:
    raise ValueError("secret")


def chat_graph(model: Any, saver: Any) -> Any:
    async def reply(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    built = StateGraph(MessagesState).add_node("reply", reply).add_edge(START, "reply")
    return built.compile(checkpointer=saver)


def ask_graph(saver: Any, *, several: bool = False) -> Any:
    built = StateGraph(Asking, input_schema=Shown, output_schema=Shown)
    built.add_sequence([prepare, ask, conclude]).add_edge(START, "prepare")
    if several:
        built.add_node(ask_twice).add_edge("prepare", "ask_twice")
    return built.compile(checkpointer=saver)


def nested_graph(saver: Any) -> Any:
    built = StateGraph(Asking, input_schema=Shown, output_schema=Shown)
    built.add_node("inner", ask_graph(None)).add_edge(START, "inner")
    return built.compile(checkpointer=saver)


def failing_graph(saver: Any) -> Any:
    built = StateGraph(Asking).add_node(fail).add_edge(START, "fail")
    return built.compile(checkpointer=saver)


def workflow(saver: Any) -> Any:
    """A graph whose state is one value, which is no mapping."""

    @task
    async def double(n: int) -> int:
        return 2 * n

    @entrypoint(checkpointer=saver)
    async def double_twice(n: int) -> int:
        doubled = await double(n)
        return interrupt(doubled) if n == 1 else await double(doubled)

    return double_twice


def graphs() -> Mapping[str, Any]:
    """The graphs by their names, with one checkpointer."""
    saver = InMemorySaver()
    return {
        "chat": chat_graph(Echo(), saver),
        "slow": chat_graph(Slow(), saver),
        "ask": ask_graph(saver),
        "several": ask_graph(saver, several=True),
        "nested": nested_graph(saver),
        "fails": failing_graph(saver),
        "workflow": workflow(saver),
    }


def user_of(request: Request) -> str:
    """The caller: whom the header names, or ``me``."""
    return request.headers.get("x-user", "me")


def said(text: str, id_: str | None = None) -> dict[str, Any]:
    """The input of a turn."""
    message = {"type": "human", "content": text}
    return {"messages": [message if id_ is None else {**message, "id": id_}]}


def last_answer(values: Any) -> str:
    """The text of a thread's last message."""
    message = values["messages"][-1]
    content = message.content if isinstance(message, AIMessage) else message["content"]
    return str(content)


def app_of(**options: Any) -> StreamApp:
    """An app with all graphs at ``/lg``."""
    options = {"threads": True, "authorize": user_of, "limits": Limits(run=20), **options}
    return StreamApp([StreamRoute("/lg", graphs(), format="langgraph", **options)])


served = StreamApp(
    [
        StreamRoute("/lg", graphs(), format="langgraph", resume=True),
        StreamRoute("/plain", graphs(), format="langgraph"),
        StreamRoute(
            "/users", graphs(), format="langgraph", threads=Threads(user_messages_only=True)
        ),
    ],
    threads=True,
    authorize=user_of,
    limits=Limits(run=20),
)
