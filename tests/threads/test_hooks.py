"""A route's functions see which thread a request is about, and what it asks for."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import BaseMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command, interrupt

from asgi_stream import StreamApp, StreamError, StreamRoute
from asgi_stream.formats import RunSpec
from asgi_stream.requests import StreamRequest

from ..asgi import get, post
from .agents import Listener, agent_of
from .chat import CHAT, user

pytestmark = pytest.mark.anyio


async def test_authorize_may_ask_for_the_thread() -> None:
    async def authorize(request: StreamRequest) -> str:
        spec = await request.spec()
        assert spec is not None
        if spec.thread != "mine":
            raise StreamError("This is not your chat.", status=403)
        return "ann"

    app = StreamApp(
        [StreamRoute("/chat", agent_of(Listener()), format=CHAT, threads=True, authorize=authorize)]
    )
    body = {"id": "mine", "messages": [user("u1", "1")]}
    assert (await post(app, "/chat", body)).status == 200
    assert (await post(app, "/chat", {**body, "id": "yours"})).status == 403
    assert (await post(app, "/chat", [])).status == 500  # which the test's own format raises


async def test_no_run_is_asked_for_where_threads_are_read() -> None:
    specs: list[Any] = []

    async def authorize(request: StreamRequest) -> str:
        specs.append(await request.spec())
        return "ann"

    app = StreamApp([StreamRoute("/chat", agent_of(Listener()), threads=True, authorize=authorize)])
    assert (await get(app, "/chat/threads")).status == 200
    assert specs == [None]


async def test_the_other_functions_see_it_too() -> None:
    seen: dict[str, Any] = {}

    def configure(request: StreamRequest) -> Any:
        assert request.call is not None
        seen["configure"] = request.call.thread, request.owner, request.call.messages
        return {}

    def convert(messages: list[BaseMessage], spec: RunSpec) -> Any:
        seen["conversation"] = spec.thread, spec.owner, spec.body["id"], len(messages)
        return {"messages": messages}

    app = StreamApp(
        [
            StreamRoute(
                "/chat",
                agent_of(Listener()),
                format=CHAT,
                threads=True,
                authorize=lambda _: "ann",
                configure=configure,
                conversation=convert,
            )
        ]
    )
    messages = [user("u1", "1")]
    assert (await post(app, "/chat", {"id": "t", "messages": messages})).status == 200
    assert seen == {"configure": ("t", "ann", messages), "conversation": ("t", "ann", "t", 1)}


@pytest.mark.parametrize("threads", [True, False])
async def test_a_command_passes_where_an_input_passes(threads: bool) -> None:
    def ask(_: Any) -> Any:
        return {"messages": [{"role": "assistant", "content": f"so: {interrupt('Sure?')}"}]}

    builder: Any = StateGraph(MessagesState)
    builder.add_node("ask", ask)
    builder.add_edge(START, "ask")
    graph = builder.compile(checkpointer=InMemorySaver())

    def convert(messages: list[BaseMessage]) -> Any:
        if str(messages[-1].content) == "yes":
            return Command(resume="yes")
        return {"messages": messages}

    options: Any = {"threads": True} if threads else {"configurable": ["thread_id"]}
    path = "/chat" if threads else "/chat?thread_id=t"
    for input in (None, Any):
        app = StreamApp(
            [StreamRoute("/chat", graph, format=CHAT, conversation=convert, input=input, **options)]
        )
        await post(app, path, {"id": "t", "messages": [user("u1", "hi")]})
        answer = await post(app, path, {"id": "t", "messages": [user("u2", "yes")]})
        assert answer.status == 200
        state = await graph.aget_state({"configurable": {"thread_id": "t"}})
        assert state.values["messages"][-1].content == "so: yes"
        await graph.checkpointer.adelete_thread("t")
