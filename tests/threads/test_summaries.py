"""Threads whose older messages LangChain's ``SummarizationMiddleware`` has put into a summary."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import SummarizationMiddleware
from langgraph.checkpoint.memory import InMemorySaver

from asgi_stream import StreamApp, StreamRoute

from ..asgi import get
from .agents import Listener
from .test_agui import Chat

pytestmark = pytest.mark.anyio

SUMMARY = "Here is a summary"
WORDS = ("alpha", "bravo", "charlie", "delta")


def forgetful(keep: int = 1) -> Any:
    """An agent that keeps the newest of every four messages, and a summary of the others."""
    summing = SummarizationMiddleware(Listener(), trigger=("messages", 4), keep=("messages", keep))
    return create_agent(Listener(), [], middleware=[summing], checkpointer=InMemorySaver())


def app_of(agent: Any) -> StreamApp:
    routes = [StreamRoute(f"/{name}", agent, format=name) for name in ("agui", "vercel", "tokens")]
    return StreamApp(routes, threads=True, authorize=lambda _: "ann")


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
