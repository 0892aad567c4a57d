"""Apps for tests with real servers: each error, a flood, mounts, and what a browser needs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import RunnableGenerator, RunnableLambda, RunnableParallel
from langchain_core.tools import tool
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Mount, Route

from asgi_stream import Limits, StreamApp, StreamRoute

from .guarantees.probes import noted
from .models import chain_of


class Flood(BaseChatModel):
    """Says `count` words as fast as it can."""

    count: int

    @property
    def _llm_type(self) -> str:
        return "flood"

    def _generate(self, *_: Any, **__: Any) -> ChatResult:
        raise NotImplementedError

    async def _astream(
        self, messages: Any, *_: Any, **__: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        key = str(messages[-1].content)
        with noted(key, "flood"):
            for n in range(self.count):
                yield ChatGenerationChunk(message=AIMessageChunk(content=f"w{n} "))


async def words(values: AsyncIterator[Any]) -> AsyncIterator[str]:
    """Says a word at once, and then one each 50 ms."""
    async for value in values:
        with noted(str(value), "words"):
            for n in range(200):
                yield f"w{n} "
                await asyncio.sleep(0.05)


async def flood(values: AsyncIterator[Any]) -> AsyncIterator[str]:
    """Says 10,000,000 words, as fast as it can. A model would keep them all in its memory."""
    async for value in values:
        with noted(str(value), "flood"):
            for n in range(10_000_000):
                yield f"w{n} "


async def pages(values: AsyncIterator[Any]) -> AsyncIterator[str]:
    """Says 200,000 times 1,000 characters, as fast as it can."""
    async for value in values:
        with noted(str(value), "pages"):
            for _ in range(200_000):
                yield "x" * 1000


async def books(values: AsyncIterator[Any]) -> AsyncIterator[str]:
    """Says 2,000 times 100,000 characters, which soon fill what a connection can hold."""
    async for value in values:
        with noted(str(value), "books"):
            for _ in range(2000):
                yield "x" * 100_000


async def silence(values: AsyncIterator[Any]) -> AsyncIterator[str]:
    """Says a word, nothing for five seconds, and another."""
    async for value in values:
        with noted(str(value), "silence"):
            yield "first "
            await asyncio.sleep(5)
            yield "last"


async def echo(values: AsyncIterator[Any]) -> AsyncIterator[str]:
    """Says what it was asked, twenty times."""
    async for value in values:
        for _ in range(20):
            yield value
            await asyncio.sleep(0.001)


@tool
async def broken_tool(key: str) -> str:
    """Fails."""
    raise ValueError("secret")


async def fails(_: Any) -> Any:
    raise ValueError("secret")


async def cancels(_: Any) -> Any:
    raise asyncio.CancelledError


async def waits(_: Any) -> Any:
    await asyncio.sleep(30)


class Unserializable:
    def __repr__(self) -> str:
        return "secret"


async def odd_chunks(values: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for _ in values:
        yield {"thing": Unserializable(), "n": float("nan")}


def after_a_word(step: Any) -> Any:
    """`step`, after one word of text."""

    async def speaks_first(values: AsyncIterator[Any]) -> AsyncIterator[Any]:
        async for value in values:
            yield "word"
            await RunnableLambda(step).ainvoke(value)

    return RunnableGenerator(speaks_first)


FAILURES: dict[str, tuple[Any, str]] = {
    "middle": (chain_of("a", ValueError("secret")), "run_failed"),
    "tool": (after_a_word(lambda value: broken_tool.invoke({"key": "x"})), "run_failed"),
    "parallel": (after_a_word(RunnableParallel(a=fails, b=waits).ainvoke), "run_failed"),
    "cancelled": (after_a_word(cancels), "incomplete"),
    "late": (after_a_word(waits), "timeout"),
}

FORGING = "a\r\n\r\ndata: forged\x00"

PAGE = """<!doctype html><title>…</title><pre id=text></pre><script>
let opened = 0, source = new EventSource("stream/browser?question=hi");
source.onopen = () => { opened += 1 };
source.onmessage = (event) => {
  text.textContent += event.data === "[DONE]" ? "|" : JSON.parse(event.data).token;
};
source.onerror = () => {
  if (source.readyState === EventSource.CLOSED)
    fetch("report", {method: "POST", body: `${opened} ${text.textContent}`});
};
</script>"""

STOPPING = """<!doctype html><title>…</title><script>
const url = `http://127.0.0.1:${location.port}/stream/chat/mine/stream?from=${location.hostname}`;
fetch(url, {method: "POST", mode: "no-cors", body: "as text/plain"});
</script>"""

reports: list[str] = []


async def page(request: Request) -> HTMLResponse:
    return HTMLResponse(PAGE)


async def stopping(request: Request) -> HTMLResponse:
    return HTMLResponse(STOPPING)


async def report(request: Request) -> PlainTextResponse:
    if request.method == "POST":
        reports.append((await request.body()).decode())
    return PlainTextResponse("\n".join(reports))


async def health(request: Request) -> PlainTextResponse:
    return PlainTextResponse("ok")


async def pid(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(os.getpid()))


streams = StreamApp(
    [
        StreamRoute("/words", RunnableGenerator(words)),
        StreamRoute("/silence", RunnableGenerator(silence), limits=Limits(ping=1)),
        StreamRoute("/silence-unpinged", RunnableGenerator(silence), limits=Limits(ping=0)),
        StreamRoute(
            "/silence-json", RunnableGenerator(silence), limits=Limits(ping=1), json_pings=True
        ),
        StreamRoute("/flood", RunnableGenerator(flood)),
        StreamRoute("/pages", RunnableGenerator(pages)),
        StreamRoute("/pages-chunks", RunnableGenerator(pages), format="chunks"),
        StreamRoute("/pages-events", RunnableGenerator(pages), format="events"),
        StreamRoute("/flood-40k", Flood(count=40_000), limits=Limits(buffer=None)),
        StreamRoute("/dropped", RunnableGenerator(books), limits=Limits(send=1)),
        StreamRoute("/echo", RunnableGenerator(echo)),
        StreamRoute(
            "/named",
            RunnableLambda(str.upper).with_config(run_name=FORGING, tags=[FORGING]),
            format="events",
        ),
        StreamRoute("/first", RunnableLambda(fails)),
        StreamRoute("/text/whole", chain_of("Hel", "lo"), format="text"),
        StreamRoute("/text/fails", after_a_word(fails), format="text"),
        StreamRoute("/odd", RunnableGenerator(odd_chunks), format="chunks"),
        StreamRoute("/chat", chain_of("a"), format="vercel", resume=True),
        StreamRoute("/browser", chain_of("Hel", "lo"), methods=("GET",)),
        StreamRoute("/small", chain_of("x"), limits=Limits(body=1000, receive=1)),
        StreamRoute("/few", RunnableGenerator(words), limits=Limits(concurrent=2)),
        *[
            StreamRoute(f"/fails/{name}", runnable, limits=Limits(run=1.5))
            for name, (runnable, _) in FAILURES.items()
        ],
        StreamRoute(
            "/tools",
            {name: runnable for name, (runnable, _) in FAILURES.items()},
            format="mcp",
            limits=Limits(run=1.5),
        ),
    ]
)

app = Starlette(
    routes=[
        Route("/", page),
        Route("/stopping", stopping),
        Route("/report", report, methods=["GET", "POST"]),
        Route("/health", health),
        Route("/pid", pid),
        Mount("/stream", app=streams),
    ]
)
