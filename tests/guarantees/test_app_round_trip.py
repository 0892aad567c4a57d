"""What a client of the whole app has of an answer is accepted with its next request.

Each test posts, reads the answer as the format's client does, and posts what that has made of it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from functools import reduce
from operator import add as add_chunks
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.runnables import RunnableLambda
from langgraph.graph import START, MessagesState, StateGraph
from pydantic import Field

from asgi_stream import StreamApp, StreamRoute
from asgi_stream._langchain.messages import whole

from ..asgi import Exchange, frames, post
from ..corpus import Answers, add, call, chunk, graph_of
from ..models import Scripted
from ..reducers import BODIES, ENDPOINTS, FIRST, READERS, check, frames_of
from ..said import FEW, IDS, MESSAGES, OBJECTS, PIECES, TEXTS, as_read, written

HI = {"type": "human", "content": "Hi"}
ASKED = {"messages": [HI]}
JSON_ONLY = {"accept": "application/json"}


def named(body: bytes, name: str) -> list[Any]:
    """The data of the frames of that name."""
    blocks = [block.split("\n") for block in body.decode().split("\n\n")]
    return [
        json.loads(line.removeprefix("data: "))
        for lines in blocks
        if f"event: {name}" in lines
        for line in lines
        if line.startswith("data: ")
    ]


async def answered(app: StreamApp, path: str, body: Any, **more: Any) -> Exchange:
    exchange = await post(app, path, body, **more)
    assert exchange.status == 200, exchange.body
    return exchange


class Speaker:
    """Answers with its messages, and keeps those that it is given."""

    def __init__(self, says: list[BaseMessage]) -> None:
        self.says = says
        self.received: list[BaseMessage] = []
        self.left: list[BaseMessage] = []

    async def speak(self, messages: Sequence[BaseMessage]) -> list[BaseMessage]:
        self.received = [*messages]
        return self.says

    async def begin(self, state: MessagesState) -> dict[str, Any]:
        return {"messages": await self.speak(state["messages"])}

    async def end(self, state: MessagesState) -> None:
        self.left = [*state["messages"]]

    def app(self) -> StreamApp:
        typed: Any = RunnableLambda(self.speak).with_types(input_type=list[BaseMessage])
        built = StateGraph(MessagesState).add_node("begin", self.begin).add_node("end", self.end)
        graph = built.add_edge(START, "begin").add_edge("begin", "end").compile()
        names = ("chunks", "events", "langserve")
        flat = [StreamRoute(f"/{name}", typed, format=name) for name in names]
        return StreamApp([*flat, StreamRoute("/langgraph", graph, format="langgraph")])


# What a client has of the messages of an answer: path, headers, and how it reads the answer.
ANSWERS: dict[str, tuple[str, dict[str, str], Callable[[Exchange], Any]]] = {
    "chunks": ("/chunks", {}, lambda got: frames(got.body)[0]),
    "chunks, as JSON": ("/chunks", JSON_ONLY, lambda got: got.json()["output"]),
    "events": ("/events", {}, lambda got: frames(got.body)[-2]["data"]["output"]),
    "events, as JSON": (
        "/events",
        JSON_ONLY,
        lambda got: got.json()["output"][-1]["data"]["output"],
    ),
    "langserve": ("/langserve/stream", {}, lambda got: named(got.body, "data")[0]),
    "langserve, invoked": ("/langserve/invoke", {}, lambda got: got.json()["output"]),
    "langserve, in a batch": ("/langserve/batch", {}, lambda got: got.json()["output"][0]),
}


@pytest.mark.parametrize("way", ANSWERS)
@FEW
@given(says=st.lists(MESSAGES, max_size=3))
def test_messages_that_a_run_has_sent_reach_the_next_one(way: str, says: list[BaseMessage]) -> None:
    path, headers, read = ANSWERS[way]

    def body(messages: list[Any]) -> Any:
        if path == "/langserve/batch":
            return {"inputs": [messages]}
        return {"input": messages} if path.startswith("/langserve") else messages

    async def twice() -> list[BaseMessage]:
        speaker = Speaker(says)
        app = speaker.app()
        got = read(await answered(app, path, body([HI]), headers=headers))
        await answered(app, path, body([HI, *got, HI]), headers=headers)
        return speaker.received[1:-1]

    received = asyncio.run(twice())
    assert list(map(written, received)) == [
        (kind, as_read(fields)) for kind, fields in map(written, map(whole, says))
    ]


STATES: dict[str, tuple[str, dict[str, Any], Callable[[Exchange], Any]]] = {
    "the route": ("/langgraph", {}, lambda got: named(got.body, "values")[-1]),
    "a stream": (
        "/langgraph/runs/stream",
        {"assistant_id": "langgraph"},
        lambda got: named(got.body, "values")[-1],
    ),
    "waiting": ("/langgraph/runs/wait", {"assistant_id": "langgraph"}, lambda got: got.json()),
}


@pytest.mark.parametrize("way", STATES)
@FEW
@given(says=st.lists(MESSAGES, max_size=3))
def test_the_state_that_a_graph_has_left_reaches_the_next_run(
    way: str, says: list[BaseMessage]
) -> None:
    path, about, read = STATES[way]

    async def twice() -> tuple[list[BaseMessage], list[BaseMessage]]:
        speaker = Speaker(says)
        app = speaker.app()
        got = read(await answered(app, path, {**about, "input": ASKED}))
        left = speaker.left
        messages = [*got["messages"], HI]
        await answered(app, path, {**about, "input": {**got, "messages": messages}})
        return left, speaker.received[:-1]

    left, received = asyncio.run(twice())
    assert list(map(written, received)) == [
        (kind, as_read(fields)) for kind, fields in map(written, left)
    ]


class Talks(Scripted):
    """Says its chunks, and keeps the messages that it is given."""

    heard: list[Any] = Field(default_factory=list)

    async def _astream(
        self, messages: Any, *_: Any, **__: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        self.heard = messages
        async for piece in super()._astream():
            yield piece

    def bind_tools(self, tools: Any, **_: Any) -> Any:
        return self


@pytest.mark.parametrize("format", ["tokens", "text"])
@FEW
@given(texts=st.lists(TEXTS, max_size=3))
def test_text_reaches_the_next_run_as_it_was_shown(format: str, texts: list[str]) -> None:
    async def twice() -> list[Any]:
        model = Talks(script=texts or [""])
        app = StreamApp([StreamRoute("/chat", model, format=format)])
        got = await answered(app, "/chat", [["human", "Hi"]])
        shown = got.body.decode()
        if format == "tokens":
            shown = "".join(frame["token"] for frame in frames(got.body)[:-1])
        await answered(app, "/chat", [["human", "Hi"], ["ai", shown], ["human", "Well?"]])
        return model.heard

    heard = asyncio.run(twice())
    answer = AIMessage(as_read("".join(texts)))
    assert heard == [HumanMessage("Hi"), answer, HumanMessage("Well?")]


async def next_turn(format: str, runnable: Any) -> None:
    """Post a chat, and once more with all that its client has made of the answer."""
    app = StreamApp([StreamRoute("/m", runnable, format=format)])
    path = f"/m{ENDPOINTS.get(format, '')}"
    body = BODIES[format]
    got = await answered(app, path, {**body, "messages": FIRST[format]})
    await answered(app, path, {**body, "messages": READERS[format](frames_of(got.body))})


ARGUMENTS = TEXTS | st.sampled_from(
    ["", "{}", '{"a', "[1]", "null", r'{"a": "\ud83d"}', '{"a": ' * 200, "[" * 2_000]
)
NAMES = st.sampled_from(["add", "", "odd name", "\ud83d"])


@pytest.mark.parametrize("format", READERS)
@FEW
@given(text=TEXTS, calls=st.lists(st.tuples(NAMES, ARGUMENTS), max_size=3))
@example(text="", calls=[("add", '{"a": ' * 200)])
def test_what_a_model_has_said_reaches_it_again(
    format: str, text: str, calls: list[tuple[str, str]]
) -> None:
    made = [call(n, args, name, f"c{n}") for n, (name, args) in enumerate(calls)]
    model = Talks(script=[text, *made])
    asyncio.run(next_turn(format, model))
    check(model.heard)
    assert "".join(each.text for each in model.heard if each.type == "ai") == as_read(text)


class Remembers(Answers):
    """Answers, and keeps the messages that it is given."""

    heard: list[Any] = Field(default_factory=list)

    def _generate(self, messages: Any, *_: Any, **__: Any) -> Any:
        self.heard = messages
        return super()._generate(messages)


@pytest.mark.parametrize("format", ["agui", "vercel"])
@FEW
@given(calls=st.lists(st.tuples(IDS, OBJECTS), min_size=1, max_size=3), text=TEXTS)
def test_the_calls_of_an_agent_reach_its_model_again(
    format: str, calls: list[tuple[str | None, Any]], text: str
) -> None:
    made: list[Any] = [{"name": "add", "args": args, "id": id_ or ""} for id_, args in calls]
    done = AIMessage("Done.")
    model = Remembers(messages=[AIMessage(text, tool_calls=made), done, done, done])
    asyncio.run(next_turn(format, graph_of(model, add)))
    check(model.heard)
    heard = [each for message in model.heard for each in getattr(message, "tool_calls", ())]
    assert [each["args"] for each in heard] == as_read([args for _, args in calls])


SPOKEN: dict[str, Callable[[bytes], list[Any]]] = {
    "messages": lambda body: named(body, "messages/partial")[-1],
    "updates": lambda body: [
        message
        for update in named(body, "updates")
        for message in (update.get("begin") or {"messages": []})["messages"]
    ],
}


@pytest.mark.parametrize("mode", SPOKEN)
@FEW
@given(pieces=st.lists(PIECES, min_size=1, max_size=3), text=TEXTS)
def test_what_a_graph_s_model_says_reaches_the_next_run(
    mode: str, pieces: list[Any], text: str
) -> None:
    model = Talks(script=[text, *(chunk(tool_call_chunks=[piece]) for piece in pieces)])
    left: list[Any] = []

    async def begin(state: MessagesState) -> dict[str, Any]:
        chunks = [piece async for piece in model.astream(state["messages"])]
        left.append(reduce(add_chunks, chunks))
        return {"messages": left[-1:]}

    graph = StateGraph(MessagesState).add_node("begin", begin).add_edge(START, "begin").compile()

    async def twice() -> None:
        app = StreamApp([StreamRoute("/g", graph, format="langgraph")])
        body = {"assistant_id": "g", "stream_mode": [mode]}
        got = await answered(app, "/g/runs/stream", {**body, "input": ASKED})
        history = [HI, *SPOKEN[mode](got.body), HI]
        await answered(app, "/g/runs/stream", {**body, "input": {"messages": history}})

    asyncio.run(twice())
    [heard] = model.heard[1:-1]
    kind, fields = written(whole(left[0]))
    assert type(heard) is kind
    for name in ("id", "content", "tool_calls", "invalid_tool_calls"):
        assert getattr(heard, name) == as_read(fields[name])
