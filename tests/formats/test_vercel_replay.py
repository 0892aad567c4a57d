"""Pages of ``vercel`` that are loaded again while a message goes on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt

from asgi_stream import Limits, Resume, StreamApp, StreamRoute
from asgi_stream.events import RunStarted
from asgi_stream.formats import FormatRequest
from asgi_stream.formats.vercel import VercelFormat
from asgi_stream.stores.memory import MemoryStore

from ..asgi import JSON, Exchange, frames, get, post
from ..clients import until

pytestmark = pytest.mark.anyio

CALL = {"toolCallId": "c", "input": {"n": 1}}
DYNAMIC = {"type": "dynamic-tool", "toolName": "look", **CALL}
INPUT = {"type": "tool-input-available", "toolName": "look", **CALL}
LABEL = {"toolCallId": "c", "dynamic": True}

PARTS: list[tuple[dict[str, Any], list[dict[str, Any]]]] = [
    ({"type": "step-start"}, [{"type": "start-step"}]),
    (
        {"type": "text", "text": "a\n\n: before data: \u2028", "state": "done"},
        [
            {"type": "text-start", "id": "before-0"},
            {"type": "text-delta", "id": "before-0", "delta": "a\n\n: before data: \u2028"},
            {"type": "text-end", "id": "before-0"},
        ],
    ),
    (
        {"type": "reasoning", "text": "b", "providerMetadata": {"x": {"y": 1}}},
        [
            {"type": "reasoning-start", "id": "before-0", "providerMetadata": {"x": {"y": 1}}},
            {"type": "reasoning-delta", "id": "before-0", "delta": "b"},
            {"type": "reasoning-end", "id": "before-0", "providerMetadata": {"x": {"y": 1}}},
        ],
    ),
    *(
        (part, [part])
        for part in (
            {"type": "file", "mediaType": "image/png", "url": "data:image/png;base64,QQ=="},
            {"type": "source-url", "sourceId": "s", "url": "https://example.org"},
            {"type": "source-document", "sourceId": "s", "mediaType": "a/b", "title": "t"},
            {"type": "data-interrupt", "id": "i", "data": {"value": "?"}},
        )
    ),
    ({**DYNAMIC, "state": "approval-responded"}, [{**INPUT, "dynamic": True}]),
    (
        {**DYNAMIC, "state": "output-available", "output": [1], "providerExecuted": True},
        [
            {**INPUT, "dynamic": True, "providerExecuted": True},
            {"type": "tool-output-available", **LABEL, "providerExecuted": True, "output": [1]},
        ],
    ),
    (
        {**DYNAMIC, "state": "output-error", "errorText": "no"},
        [
            {**INPUT, "dynamic": True},
            {"type": "tool-output-error", **LABEL, "errorText": "no"},
        ],
    ),
    (
        {**DYNAMIC, "state": "output-denied"},
        [{**INPUT, "dynamic": True}, {"type": "tool-output-denied", "toolCallId": "c"}],
    ),
    (
        {"type": "tool-look", "state": "output-available", "output": 2, **CALL},
        [INPUT, {"type": "tool-output-available", "toolCallId": "c", "output": 2}],
    ),
    ({"type": "other"}, []),
    ({"type": "tool-look"}, []),
    ({"type": 1}, []),
]


def first_frame(*parts: Any, **options: Any) -> tuple[VercelFormat, bytes]:
    """The first frame of a run that goes on with a message of these parts."""
    format = VercelFormat()
    pending = {"type": "dynamic-tool", "toolName": "x", "toolCallId": "x"}
    decided = {**pending, "state": "approval-responded", "approval": {"approved": True}}
    message = {"id": "a", "role": "assistant", "parts": [*parts, decided]}
    body = {"id": "c", "messages": [message]}
    format.parse(FormatRequest(body=body, threads=True, **options))
    return format, format.encode(RunStarted("r"))


START_PART = {"type": "start", "messageId": "a"}


@pytest.mark.parametrize(("part", "replayed"), PARTS)
def test_what_a_message_said_before_is_for_pages_that_are_loaded_again(
    part: dict[str, Any], replayed: list[dict[str, Any]]
) -> None:
    format, frame = first_frame(part, resumable=True)
    assert frame.count(b"\n\n") == 1
    assert frames(frame) == [START_PART]
    start, *before, _ = frames(format.first_frame(frame))
    assert start == START_PART
    assert before == replayed


def test_a_run_that_is_not_stored_says_nothing_twice() -> None:
    format, frame = first_frame({"type": "text", "text": "a"})
    assert frame == b'data: {"type":"start","messageId":"a"}\n\n'
    assert format.first_frame(frame) == frame


class Desk:
    """A graph that asks for a name, waits for `gate`, and greets."""

    def __init__(self, *, resume: bool | Resume = True, **options: Any) -> None:
        options["resume"] = resume
        self.gate, self.begun = asyncio.Event(), asyncio.Event()
        graph = StateGraph(MessagesState).add_node("node", self._node).add_edge(START, "node")
        compiled = graph.compile(checkpointer=InMemorySaver())
        route = StreamRoute("/chat", compiled, format="vercel", threads=True, **options)
        self.app = StreamApp([route])

    async def _node(self, state: MessagesState) -> Any:
        name = interrupt("?") if state["messages"][-1].text == "ask" else "you"
        self.begun.set()
        await self.gate.wait()
        return {"messages": [AIMessage(f"Hello, {name}.")]}

    @asynccontextmanager
    async def says(self, *messages: Any, **body: Any) -> AsyncIterator[Exchange]:
        chat = {"id": "c", "messages": messages, **body}
        async with Exchange(self.app, "POST", "/chat", chat, headers=JSON) as exchange:
            yield exchange

    async def shown(self) -> list[Any]:
        messages: list[Any] = (await get(self.app, "/chat/c")).json()["messages"]
        return messages


def user(text: str, id_: str = "u") -> dict[str, Any]:
    return {"id": id_, "role": "user", "parts": [{"type": "text", "text": text}]}


async def test_a_page_that_is_loaded_again_after_an_answer_shows_no_open_question() -> None:
    desk = Desk()
    question = await post(desk.app, "/chat", {"id": "c", "messages": [user("ask")]})
    [part] = [each for each in frames(question.body)[:-1] if each["type"] == "data-interrupt"]
    [_, answer] = before = await desk.shown()
    assert answer["parts"] == [part]
    async with desk.says(*before, resume="Bob") as exchange:
        await desk.begun.wait()
        assert await desk.shown() == [user("ask")]
        async with Exchange(desk.app, "GET", "/chat/c/stream") as page:
            await page.until(b"data-interrupt")
            desk.gate.set()
            await page.finished()
        await exchange.finished()
    mine, replayed = frames(exchange.body), frames(page.body)
    assert mine[0] == replayed[0] == {"type": "start", "messageId": answer["id"]}
    assert replayed == [mine[0], part, *mine[1:]]
    run = exchange.headers["x-run-id"]
    again = await get(desk.app, f"/chat/runs/{run}", headers={"accept": "text/event-stream"})
    assert again.body == exchange.body  # a client that has lost its connection, not its page
    assert json.dumps("Hello, Bob.") in json.dumps((await desk.shown())[-1])


class SlowStore(MemoryStore):
    """Writes the first frames of a run when it is let."""

    local = False

    def __init__(self) -> None:
        super().__init__()
        self.first: list[Any] = []

    def append(self, run_id: str, first: int, *arguments: Any, **options: Any) -> bool:
        if first > 1:
            return super().append(run_id, first, *arguments, **options)
        self.first = [run_id, first, *arguments]
        return False

    def go_on(self) -> None:
        super().append(*self.first)
        producer = self._runs[self.first[0]].producer
        assert producer is not None
        producer.written()


async def test_a_page_may_resume_before_anything_is_stored() -> None:
    store = SlowStore()
    desk = Desk(resume=Resume(store=store), limits=Limits(hold=0.01, ping=0.01))
    desk.gate.set()
    message = {"id": "a", "role": "assistant", "parts": [{"type": "text", "text": "So far"}]}
    async with desk.says(user("hi"), message, user("more", "u2"), messageId="a") as exchange:
        await until(lambda: store.first)
        async with Exchange(desk.app, "GET", "/chat/c/stream") as page:
            await page.until(b": ping")
            store.go_on()
            await page.finished()
        await exchange.finished()
    texts = [each for each in frames(page.body)[:-1] if each["type"] == "text-delta"]
    assert [each["delta"] for each in texts] == ["So far", "Hello, you."]
