"""Threads whose older messages LangChain's ``SummarizationMiddleware`` has put into a summary."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import SummarizationMiddleware
from langgraph.checkpoint.memory import InMemorySaver

from asgi_stream import StreamApp, StreamRoute
from asgi_stream._langchain.threads import removed_messages

from ..asgi import get, post
from .agents import Listener
from .test_agui import Chat

pytestmark = pytest.mark.anyio

SUMMARY = "Here is a summary"
WORDS = ("alpha", "bravo", "charlie", "delta")


class CountingSaver(InMemorySaver):
    """Counts how often checkpoints are listed."""

    lists = 0

    async def alist(self, *args: Any, **more: Any) -> Any:
        self.lists += 1
        async for each in super().alist(*args, **more):
            yield each


def forgetful(model: Listener | None = None, saver: Any = None) -> Any:
    """An agent that keeps the newest of every four messages, and a summary of the others."""
    summing = SummarizationMiddleware(Listener(), trigger=("messages", 4), keep=("messages", 1))
    model, saver = model or Listener(), saver or InMemorySaver()
    return create_agent(model, [], middleware=[summing], checkpointer=saver)


def app_of(agent: Any) -> StreamApp:
    routes = [StreamRoute(f"/{name}", agent, format=name) for name in ("agui", "vercel", "tokens")]
    return StreamApp(routes, threads=True, authorize=lambda _: "ann")


def part(id_: str, text: str, role: str = "user") -> dict[str, Any]:
    return {"id": id_, "role": role, "parts": [{"type": "text", "text": text}]}


async def test_a_summary_is_no_message_of_the_user() -> None:
    app = app_of(forgetful())
    chat = Chat(app, "/agui")
    for each in WORDS:
        await chat.say(each)
    assert [text for role, text in chat.texts if role == "user"] == list(WORDS)
    shown = (await get(app, "/agui/threads/t/messages")).json()["messages"]
    assert [each["content"] for each in shown] == ["delta", "re: delta"]
    shown = (await get(app, "/vercel/t")).json()["messages"]
    assert [each["role"] for each in shown] == ["user", "assistant"]
    [summarized] = (await get(app, "/vercel/threads")).json()["threads"]
    assert summarized["title"] == "delta"
    plain = (await get(app, "/tokens/threads/t/messages")).json()["messages"]
    assert plain[0]["content"].startswith(SUMMARY)


@pytest.mark.parametrize("edited", ["bravo two", "bravo"])
async def test_a_removed_message_is_edited_and_answered_again(edited: str) -> None:
    model = Listener()
    chat = Chat(app_of(forgetful(model)), "/agui")
    for each in WORDS:
        await chat.say(each)
    chat.messages = [*chat.messages[:2], {**chat.messages[2], "content": edited}]
    await chat.run()
    assert model.hears[-1] == ["user: alpha", "ai: re: alpha", f"user: {edited}"]
    expected = ["alpha", "re: alpha", edited, f"re: {edited}"]
    assert [text for _, text in chat.texts] == expected


@pytest.mark.parametrize(
    ("last", "how"),
    [
        ("bravo two", {"trigger": "submit-message", "messageId": "u1"}),
        ("bravo", {"trigger": "regenerate-message", "messageId": "u1-answer"}),
    ],
)
async def test_a_chat_that_shows_removed_messages_can_revise_them(
    last: str, how: dict[str, str]
) -> None:
    model = Listener()
    app = app_of(forgetful(model))
    sent: list[Any] = []
    for n, each in enumerate(WORDS):
        sent.append(part(f"u{n}", each))
        await post(app, "/vercel", {"id": "t", "messages": sent})
        sent.append(part(f"u{n}-answer", f"re: {each}", "assistant"))
    await post(app, "/vercel", {"id": "t", "messages": [*sent[:2], part("u1", last)], **how})
    assert model.hears[-1] == ["user: alpha", "ai: re: alpha", f"user: {last}"]
    shown = (await get(app, "/vercel/t")).json()["messages"]
    assert [each["id"] for each in shown] == ["u0", "u0-answer", "u1", "u1-answer"]


async def test_history_is_read_only_for_what_may_be_removed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, saver = Listener(), CountingSaver()
    app = app_of(forgetful(model, saver))
    chat = Chat(app, "/agui")
    for each in (*WORDS, "echo"):
        await chat.say(each)
    for n in range(2):
        await post(app, "/vercel", {"id": "t", "message": part(f"new-{n}", "hi")})
    assert saver.lists == 0
    chat.messages = chat.messages[:1]
    with monkeypatch.context() as patch:
        patch.setattr(removed_messages, "MOST", 3)  # further back it is a new message
        await chat.run()
    assert saver.lists == 1
    assert model.hears[-1][-1] == "user: alpha"
    chat.messages = []
    await chat.say("new")  # of a page that does not know the thread
    assert model.hears[-1][-1] == "user: new"
    assert saver.lists > 1


async def test_a_client_that_sends_new_messages_only_has_one_checkpoint_read() -> None:
    saver = CountingSaver()
    chat = Chat(app_of(forgetful(saver=saver)), "/agui")
    for each in WORDS[:2]:
        chat.messages = []
        await chat.say(each)
    assert saver.lists == 1
