"""Tools that the model's provider has run: a reload and a snapshot show what the run has sent."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessageChunk
from langgraph.checkpoint.memory import InMemorySaver

from asgi_stream import EventFilter, StreamApp, StreamRoute

from ..asgi import frames, get, post
from ..models import Scripted
from .test_agui import Chat

pytestmark = pytest.mark.anyio

SECRET = "the key sk-123 has expired"


def text(content: str) -> dict[str, Any]:
    return {"type": "text", "text": content}


def search(id_: str) -> dict[str, Any]:
    return {"type": "server_tool_call", "id": id_, "name": "search", "args": {"q": id_}}


def result(id_: str, output: Any, status: str = "success") -> dict[str, Any]:
    about = {"type": "server_tool_result", "tool_call_id": id_}
    return {**about, "status": status, "output": output}


ANSWERS = {
    "a text on each side": [text("Wait. "), search("a"), result("a", {"n": 1}), text("Found.")],
    "one after the other": [
        *(search("a"), result("a", "1"), text("And? "), search("b"), result("b", "2")),
        text("Found."),
    ],
    "at once": [text("Wait. "), search("a"), search("b"), result("b", "2"), result("a", "1")],
    "failed": [text("Wait. "), search("a"), result("a", SECRET, "error"), text("Sorry.")],
}


def app_of(blocks: list[Any], format: str, **options: Any) -> StreamApp:
    chunks = [
        AIMessageChunk(content=[{**each, "index": n}], response_metadata={"output_version": "v1"})
        for n, each in enumerate(blocks)
    ]
    agent: Any = create_agent(Scripted(script=chunks), [], checkpointer=InMemorySaver())
    return StreamApp([StreamRoute("/chat", agent, format=format, threads=True, **options)])


@pytest.mark.parametrize("answer", ANSWERS)
async def test_agui_s_snapshot_has_what_the_run_has_sent(answer: str) -> None:
    chat = Chat(app_of(ANSWERS[answer], "agui"), "/chat")
    await chat.say("Hi")
    last = next(each for each in chat.frames if each["type"] == "MESSAGES_SNAPSHOT")
    live = Chat(chat.app, "/chat")
    for each in chat.frames:
        if each is not last:
            live.apply(each)
    for role in ("assistant", "tool"):  # a result belongs to its call, wherever it is
        sent, kept = (
            [(each["id"], each["content"]) for each in messages if each["role"] == role]
            for messages in (live.messages, last["messages"])
        )
        assert sent == kept
    calls = [each["toolCallId"] for each in chat.frames if each["type"] == "TOOL_CALL_START"]
    assert [each["id"] for each in last["messages"][1]["toolCalls"]] == calls
    loaded = (await get(chat.app, "/chat/threads/t/messages")).json()["messages"]
    assert loaded[1:] == last["messages"][1:]
    assert SECRET not in str(loaded)
    await chat.say("again")  # the client has it all
    assert [each["type"] for each in chat.frames].count("MESSAGES_SNAPSHOT") == 1


async def test_a_failure_is_as_neutral_after_a_reload() -> None:
    app = app_of(ANSWERS["failed"], "vercel")
    message = {"id": "u1", "role": "user", "parts": [text("Hi")]}
    sent = frames((await post(app, "/chat", {"id": "t", "messages": [message]})).body)
    [live] = [each["errorText"] for each in sent if "errorText" in each]
    [_, answer] = (await get(app, "/chat/t")).json()["messages"]
    [kept] = [each["errorText"] for each in answer["parts"] if "errorText" in each]
    assert live == kept == "The tool failed."


async def test_what_a_filter_hides_has_no_result_either() -> None:
    hides = EventFilter(exclude_names=["search"])
    chat = Chat(app_of(ANSWERS["a text on each side"], "agui", filter=hides), "/chat")
    await chat.say("Hi")
    assert [each["role"] for each in chat.messages].count("tool") == 0
