"""Messages that a graph removes from its thread, and that its clients still have."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware, hook_config
from langchain_core.messages import AIMessage, RemoveMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph

from asgi_stream import StreamApp, StreamRoute

from ..asgi import post
from .agents import Listener
from .chat import CHAT, Client, user

pytestmark = pytest.mark.anyio

SECRET = "my password is 123"


class Guard(AgentMiddleware[Any, Any]):
    """Removes what must not be kept, and says so."""

    @hook_config(can_jump_to=["end"])
    async def abefore_model(self, state: Any, runtime: Any) -> dict[str, Any] | None:
        last = state["messages"][-1]
        if not last.text.startswith(SECRET):
            return None
        new = [RemoveMessage(id=last.id), AIMessage("I have removed that.")]
        return {"messages": new, "jump_to": "end"}


class CountingSaver(InMemorySaver):
    """Counts how often checkpoints are listed."""

    lists = 0

    async def alist(self, *args: Any, **more: Any) -> Any:
        self.lists += 1
        async for each in super().alist(*args, **more):
            yield each


@pytest.fixture
def saver() -> CountingSaver:
    return CountingSaver()


@pytest.fixture
def model() -> Listener:
    return Listener()


@pytest.fixture
def client(model: Listener, saver: CountingSaver) -> Client:
    agent: Any = create_agent(model, [], middleware=[Guard()], checkpointer=saver)
    return Client(StreamApp([StreamRoute("/chat", agent, format=CHAT, threads=True)]))


async def test_a_message_that_the_graph_has_removed_stays_removed(
    client: Client, model: Listener
) -> None:
    for n, text in enumerate(["1", SECRET, "3", SECRET, SECRET, "6"]):
        assert (await client.say(text, f"u{n}")).status == 200
    assert model.hears == [
        ["user: 1"],
        ["user: 1", "ai: re: 1", "ai: I have removed that.", "user: 3"],
        [
            *("user: 1", "ai: re: 1", "ai: I have removed that.", "user: 3", "ai: re: 3"),
            *("ai: I have removed that.", "ai: I have removed that.", "user: 6"),
        ],
    ]


async def test_without_an_answer_too(client: Client, model: Listener) -> None:
    """A client that has lost the answer sends both messages at its end."""
    await client.say("1", "u1")
    await client.say(SECRET, "u2")
    del client.messages[-1]
    client.messages.append(user("u3", "3"))  # never sent alone
    await client.say("4", "u4")
    assert model.hears[-1][2:] == ["ai: I have removed that.", "user: 3", "user: 4"]


async def test_the_first_message_of_a_thread_too(client: Client, model: Listener) -> None:
    await client.say(SECRET, "u1")
    del client.messages[-1]
    await client.say("2", "u2")
    assert model.hears == [["ai: I have removed that.", "user: 2"]]


async def test_without_any_known_message_all_checkpoints_are_read(
    client: Client, model: Listener
) -> None:
    await client.say(SECRET, "u1")
    client.messages[:] = [user("u1", SECRET), user("u2", "never sent alone")]
    await client.say("3", "u3")
    assert model.hears == [["ai: I have removed that.", "user: never sent alone", "user: 3"]]


async def test_what_never_reached_the_graph_comes_with_the_next(
    client: Client, model: Listener
) -> None:
    await client.say("1", "u1")
    client.messages += [user("u2", "2"), user("u3", "3")]
    await client.say("4", "u4")
    assert model.hears[-1][2:] == ["user: 2", "user: 3", "user: 4"]


async def test_a_long_history_is_not_read_to_its_end(
    client: Client, model: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asgi_stream._langchain.threads.removed_messages.MOST", 1)
    await client.say(SECRET, "u1")
    client.messages[:] = [user("u1", SECRET)]
    await client.say("2", "u2")
    assert model.hears == [["ai: I have removed that.", f"user: {SECRET}", "user: 2"]]


async def test_usually_no_history_is_read(client: Client, saver: CountingSaver) -> None:
    for n in range(4):
        await client.say(f"{n}", f"u{n}")
    assert saver.lists == 0
    client.messages.append(user("u5", "5"))
    await client.say("6", "u6")
    assert saver.lists == 1


async def trim(state: Any) -> Any:
    return {"messages": [RemoveMessage(id=each.id) for each in state["messages"][:-2]]}


@pytest.mark.parametrize("format", ["vercel", "agui"])
@pytest.mark.parametrize("text", ["one", "edited"])
async def test_the_first_message_is_revised_where_the_graph_has_removed_it(
    model: Listener, format: str, text: str
) -> None:
    answer = create_agent(model, [])
    builder: Any = StateGraph(MessagesState).add_node("answer", answer).add_node(trim)
    graph = builder.add_edge(START, "answer").add_edge("answer", "trim")
    compiled = graph.compile(checkpointer=InMemorySaver())
    app = StreamApp([StreamRoute("/t", compiled, format=format, threads=True)])
    more: Any = {"runId": "r", "tools": [], "context": []}
    for n, each in enumerate(("one", "two", "three", text)):
        id_ = f"u{n % 3}"
        message: Any = {"id": id_, "role": "user", "content": each}
        if format == "vercel":
            message = {"id": id_, "role": "user", "parts": [{"type": "text", "text": each}]}
            more = {"messageId": id_} if n == 3 else {}
        body = {"id": "a", "threadId": "a", "messages": [message], **more}
        assert (await post(app, "/t", body)).status == 200
    assert model.hears[-1] == [f"user: {text}"]
    assert model.hears[2][-1] == "user: three"
