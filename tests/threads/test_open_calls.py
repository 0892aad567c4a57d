"""Tools that run side by side: some have finished when the run is stopped."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatResult
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from asgi_stream import StreamApp, StreamRoute

from ..asgi import JSON, Exchange, post
from .agents import Listener, refuse_open_calls, result, short
from .chat import CHAT, user

pytestmark = pytest.mark.anyio

UNFINISHED = "tool: The run ended before this tool call had a result."
STOPPED = "tool: The user interrupted this tool call."


class Caller(Listener):
    """Calls `book` and `wait` at once, if it is told to go."""

    async def _agenerate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        refuse_open_calls(messages)
        self.hears.append([short(each) for each in messages])
        if messages[-1].text != "go":
            return result(AIMessage("heard"))
        names = ("book", "wait")
        calls = [{"name": each, "args": {"order": each}, "id": each} for each in names]
        return result(AIMessage("", tool_calls=calls))


def agent_of(model: BaseChatModel, waiting: asyncio.Event) -> Any:
    @tool
    async def book(order: str) -> str:
        """Book, at once."""
        return "booked"

    @tool
    async def wait(order: str) -> str:
        """Wait, for ever."""
        waiting.set()
        await asyncio.Event().wait()
        return ""

    return create_agent(model, [book, wait], checkpointer=InMemorySaver())


@pytest.fixture
def model() -> Caller:
    return Caller()


@pytest.fixture
async def app(model: Caller) -> StreamApp:
    """An app with a thread on which a run was stopped, when one of its two tools had finished."""
    waiting = asyncio.Event()
    agent = agent_of(model, waiting)
    routes = [
        StreamRoute("/chat", agent, format=CHAT, threads=True),
        StreamRoute("/plain", agent, threads=True),
    ]
    app = StreamApp(routes)
    async with Exchange(app, "POST", "/chat", body("u1", "go"), headers=JSON) as run:
        async with asyncio.timeout(20):
            await waiting.wait()
            while not await results(agent):
                await asyncio.sleep(0.01)
        run.disconnect()
        await run.finished()
    return app


async def results(agent: Any) -> list[BaseMessage]:
    state = await agent.aget_state({"configurable": {"thread_id": "t"}})
    return [each for each in state.values.get("messages", ()) if isinstance(each, ToolMessage)]


def body(id_: str, text: str) -> Any:
    return {"id": "t", "messages": [user(id_, text)]}


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("/chat", body("u2", "next")),
        ("/plain/threads/t", {"messages": [["human", "next"]]}),
    ],
)
async def test_a_tool_s_result_outlives_the_run_that_was_stopped(
    app: StreamApp, model: Caller, path: str, more: Any
) -> None:
    assert (await post(app, path, more)).status == 200
    assert model.hears[1] == [
        "user: go",
        "calls: book, wait",
        "tool: booked",
        STOPPED,
        "user: next",
    ]


@pytest.mark.parametrize("again", [True, False])
async def test_a_tool_s_result_outlives_the_message_that_closed_the_other_call(
    app: StreamApp, model: Caller, again: bool
) -> None:
    assert (await post(app, "/chat", body("u2", "next"))).status == 200
    more = {"trigger": "regenerate-message"} if again else {"messageId": "u2"}
    text = "next" if again else "other"
    assert (await post(app, "/chat", {**body("u2", text), **more})).status == 200
    assert model.hears[2][2:] == ["tool: booked", STOPPED, f"user: {text}"]


async def test_a_client_may_answer_a_call_that_had_a_result(app: StreamApp, model: Caller) -> None:
    answered = {"role": "tool", "tool_call_id": "book", "content": "cancelled"}
    value = {"messages": [answered, ["human", "next"]]}
    assert (await post(app, "/plain/threads/t", value)).status == 200
    assert sorted(model.hears[1][2:4]) == [STOPPED, "tool: cancelled"]


async def test_an_edited_message_drops_the_calls_that_followed(
    app: StreamApp, model: Caller
) -> None:
    assert (await post(app, "/chat", body("u1", "other"))).status == 200
    assert model.hears[1] == ["user: other"]


def breaking(model: BaseChatModel) -> Any:
    """An agent one of whose tools fails when the other one has finished, or that stops there."""

    @tool
    async def book(order: str) -> str:
        """Book, at once."""
        return "booked"

    @tool
    async def wait(order: str) -> str:
        """Fail."""
        await asyncio.sleep(0.05)
        raise ValueError("down")

    return create_agent(model, [book, wait], checkpointer=InMemorySaver())


@pytest.mark.parametrize("limited", [True, False])
@pytest.mark.parametrize("path", ["/chat", "/plain/threads/t"])
async def test_after_a_failure_the_model_hears_of_no_interruption(
    model: Caller, path: str, limited: bool
) -> None:
    agent = breaking(model)
    limits: Any = {"recursion_limit": 1 if limited else 9}
    options: Any = {"threads": True, "configure": lambda _: limits}
    chat = StreamRoute("/chat", agent, format=CHAT, **options)
    app = StreamApp([chat, StreamRoute("/plain", agent, **options)])

    def more(id_: str, text: str) -> Any:
        value = {"type": "human", "content": text, "id": id_}
        return body(id_, text) if path == "/chat" else {"messages": [value]}

    assert b'"error"' in (await post(app, path, more("u1", "go"))).body
    limits["recursion_limit"] = 9
    assert (await post(app, path, more("u2", "next"))).status == 200
    expected = [UNFINISHED, UNFINISHED] if limited else ["tool: booked", UNFINISHED]
    assert model.hears[1][2:-1] == expected
