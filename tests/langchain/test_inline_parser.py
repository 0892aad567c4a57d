"""An inline parser changes nothing that a user can see."""

from __future__ import annotations

import asyncio
import gc
import re
import threading
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.messages import AIMessageChunk
from langchain_core.output_parsers import JsonOutputParser, StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import (
    Runnable,
    RunnableBranch,
    RunnableGenerator,
    RunnableLambda,
    RunnableParallel,
    RunnablePassthrough,
)
from langgraph.graph import START, MessagesState, StateGraph

from asgi_stream._langchain import inline_parser as parsers
from asgi_stream._langchain.inline_parser import with_inline_parser

from ..models import PROMPT, AtOnce, InThread, Plain, Scripted

pytestmark = pytest.mark.anyio


class Tracer(AsyncCallbackHandler):
    """Records all callbacks, with comparable run ids."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self._known: dict[UUID, int] = {}

    def _tell(self, what: str, values: tuple[Any, ...], about: dict[str, Any]) -> None:
        ids = [about.pop("run_id"), about.pop("parent_run_id", None)]
        numbers = [None if i is None else self._known.setdefault(i, len(self._known)) for i in ids]
        about.pop("chunk", None)
        metadata = about.pop("metadata", None)
        self.events.append((what, numbers, plain(values), plain(about), plain(metadata)))

    def __getattribute__(self, name: str) -> Any:
        if not name.startswith("on_") or name == "on_stream_event":
            return super().__getattribute__(name)

        async def tell(*values: Any, **about: Any) -> None:
            self._tell(name, values, about)

        return tell


def plain(value: Any) -> str:
    """Return a value as text, without ids that differ from run to run."""
    if isinstance(value, dict):
        return str({k: plain(v) for k, v in sorted(value.items(), key=str) if k != "id"})
    if isinstance(value, (list, tuple)):
        return str([plain(item) for item in value])
    if hasattr(value, "model_dump"):
        return type(value).__name__ + plain(value.model_dump())
    text = f"{type(value).__name__} {value}" if isinstance(value, BaseException) else str(value)
    return re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|0x[0-9a-f]+", "*", text)


MODEL = Scripted(script=["Hel", "", "lo"])
BLOCKS = Scripted(
    script=[
        AIMessageChunk(content=[{"type": "text", "text": "a", "index": 0}]),
        AIMessageChunk(content=[{"type": "thinking", "thinking": "b"}, {"text": "legacy"}]),
        AIMessageChunk(content=["c"]),
    ]
)


async def words(values: AsyncIterator[Any]) -> AsyncIterator[str]:
    async for _ in values:
        yield "Hel"
        yield "lo"


async def fails(values: AsyncIterator[Any]) -> AsyncIterator[str]:
    async for _ in values:
        yield "Hel"
        raise ValueError("no")


def a_dict(value: Any) -> Any:
    return {"a": value}


class Loud(StrOutputParser):
    def parse(self, text: str) -> str:
        return text.upper()


async def asks(state: MessagesState) -> dict[str, Any]:
    return {"messages": [await (MODEL | StrOutputParser()).ainvoke("x")]}


GRAPH = StateGraph(MessagesState).add_node("n", asks).add_edge(START, "n").compile()
ASK = {"question": "?"}

CHAINS: dict[str, tuple[Any, Any]] = {
    "chain": (PROMPT | MODEL | StrOutputParser(), ASK),
    "model": (MODEL | StrOutputParser(), "x"),
    "parser alone": (StrOutputParser(), "x"),
    "named parser": (MODEL | StrOutputParser(name="mine"), "x"),
    "configured parser": (
        MODEL | StrOutputParser().with_config(run_name="p", tags=["t"], metadata={"m": 1}),
        "x",
    ),
    "configured chain": ((MODEL | StrOutputParser()).with_config(run_name="c", tags=["t"]), "x"),
    "configured twice": (
        (MODEL | StrOutputParser()).with_config(tags=["a"]).with_config(tags=["b"]),
        "x",
    ),
    "blocks": (BLOCKS | StrOutputParser(), "x"),
    "no model": (RunnableGenerator(words) | StrOutputParser(), "x"),
    "model that does not stream": (AtOnce(says="Hello") | StrOutputParser(), "x"),
    "llm": (Plain() | StrOutputParser(), "x"),
    "thread": (InThread(script=["a", "b"]) | StrOutputParser(), "x"),
    "nested": (PROMPT | (MODEL | StrOutputParser()), ASK),
    "failure": (RunnableGenerator(fails) | StrOutputParser(), "x"),
    "failing model": (Scripted(script=["a", ValueError("no")]) | StrOutputParser(), "x"),
    "wrong type": (RunnableLambda(a_dict) | StrOutputParser(), "x"),
    "fallback": ((MODEL | StrOutputParser()).with_fallbacks([MODEL | StrOutputParser()]), "x"),
    "subclass": (MODEL | Loud(), "x"),
    "parser in the middle": (MODEL | StrOutputParser() | RunnablePassthrough(), "x"),
    "other parser": (Scripted(script=["[1", "]"]) | JsonOutputParser(), "x"),
    "parallel": (RunnableParallel(a=MODEL | StrOutputParser()), "x"),
    "branch": (RunnableBranch((lambda x: False, MODEL), MODEL | StrOutputParser()), "x"),
    "assign": (
        RunnablePassthrough.assign(a=PROMPT | MODEL | StrOutputParser())
        | ChatPromptTemplate.from_template("{a}")
        | MODEL
        | StrOutputParser(),
        ASK,
    ),
    "bound": (MODEL.bind(stop=["x"]) | StrOutputParser(), "x"),
    "graph": (GRAPH, {"messages": []}),
    "lambda": (RunnableLambda(str.upper), "x"),
}

REPLACED = {
    *("chain", "model", "parser alone", "named parser", "configured parser", "configured chain"),
    *("configured twice", "blocks", "no model", "model that does not stream", "llm", "thread"),
    *("nested", "failure", "failing model", "wrong type", "assign", "bound"),
}


async def traced(runnable: Runnable[Any, Any], value: Any) -> tuple[list[Any], list[Any]]:
    tracer, chunks = Tracer(), list[Any]()
    try:
        async for chunk in runnable.astream(value, {"callbacks": [tracer]}):
            chunks.append(plain(chunk))
    except Exception as error:
        chunks.append(repr(error))
    # Generators that a failure has left in the middle say so when they are collected.
    gc.collect()
    await asyncio.sleep(0.01)
    return chunks, tracer.events


async def events_of(runnable: Runnable[Any, Any], value: Any) -> list[Any]:
    events: list[Any] = []
    try:
        async for event in runnable.astream_events(value, version="v2"):
            events.append((event["event"], event["name"], event["tags"], plain(event["data"])))
    except Exception as error:
        events.append(repr(error))
    return events


@pytest.mark.parametrize("name", CHAINS)
async def test_output_callbacks_and_events_are_the_same(name: str) -> None:
    runnable, value = CHAINS[name]
    inline = with_inline_parser(runnable)
    assert (inline is not runnable) == (name in REPLACED)
    chunks, events = await traced(runnable, value)
    assert events
    assert await traced(inline, value) == (chunks, events)
    assert await events_of(inline, value) == await events_of(runnable, value)
    assert inline.get_name() == runnable.get_name()


async def test_chunks_stay_on_the_loop() -> None:
    seen: list[str] = []

    class Watched(parsers.StrOutputParser):
        def parse(self, text: str) -> str:
            seen.append(threading.current_thread().name)
            return text

    model = Scripted(script=[[{"type": "text", "text": "Hel"}], "lo"])
    async for _ in (model | Watched()).astream("x"):
        await asyncio.sleep(0)
    assert set(seen) == {threading.current_thread().name}
