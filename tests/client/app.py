"""What the client calls: each readable format, failures, a run that can be resumed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from langchain_core.callbacks import adispatch_custom_event
from langchain_core.documents import Document
from langchain_core.messages import AIMessage
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable, RunnableGenerator, RunnableLambda
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt
from starlette.requests import Request

from asgi_stream import EventFilter, Limits, Resume, StreamApp, StreamError, StreamRoute

from ..apps import words
from ..corpus import Answers, add, calling, graph_of
from ..guarantees.probes import noted
from ..models import PROMPT, Scripted, chain_of


class Finds(BaseRetriever):
    """Finds a page."""

    def _get_relevant_documents(self, query: str, **_: Any) -> list[Document]:
        return [Document(query, metadata={"source": "https://example.com"})]


@tool
async def weather(city: str) -> str:
    """The weather."""
    return f"It rains in {city}."


@tool
async def broken(city: str) -> str:
    """Breaks."""
    raise ValueError("secret")


async def everything(question: str) -> str:
    await adispatch_custom_event("progress", {"percent": 10})
    await Finds().ainvoke(question)
    await weather.ainvoke({"city": "Paris"})
    with contextlib.suppress(ValueError):
        await broken.ainvoke({"city": "Paris"})
    message = await Scripted(script=["Hel", "lo"]).ainvoke(question)
    return f"It said {message.text}"


async def counts(values: AsyncIterator[Any]) -> AsyncIterator[str]:
    async for _ in values:
        for n in range(100):
            yield f"{n} "
            await asyncio.sleep(0.005)


async def silent(key: str) -> str:
    with noted(key, "silent"):
        await asyncio.sleep(30)
    return key


def fails(_: Any) -> Any:
    raise ValueError("secret")


def refuses(request: Request) -> str:
    if request.headers.get("authorization") != "Bearer ann":
        raise StreamError("Who are you?", code="unknown_user", status=401)
    return "ann"


def reads(value: Any) -> Any:
    return {"got": value, "document": Document("page", id="1")}


def ask(state: MessagesState) -> Any:
    return {"messages": [AIMessage(str(interrupt("Sure?")))]}


asks: Any = StateGraph(MessagesState).add_node("ask", ask).add_edge(START, "ask")
asks = asks.compile(checkpointer=InMemorySaver())

warm: Runnable[Any, Any] = RunnableLambda(lambda value, config: config["configurable"])

chain = chain_of("Hel", "lo")
app = StreamApp(
    [
        StreamRoute("/tokens", chain),
        StreamRoute("/text", chain, format="text"),
        StreamRoute("/messages", PROMPT | Scripted(script=["Hel", "lo"]), format="chunks"),
        StreamRoute("/plain", RunnableLambda(reads), format="chunks"),
        StreamRoute("/chain", chain, format="events"),
        StreamRoute("/model", Scripted(script=["Hel", "lo"]), format="events"),
        StreamRoute("/everything", RunnableLambda(everything), format="events"),
        StreamRoute("/agent", graph_of(calling(("add", {"a": 1, "b": 2})), add), format="events"),
        StreamRoute("/langserve", chain, format="langserve"),
        StreamRoute("/vercel", chain, format="vercel"),
        StreamRoute("/openai", chain, format="openai"),
        StreamRoute("/agui", graph_of(Answers(messages=[AIMessage("Hello")])), format="agui"),
        StreamRoute("/langgraph", graph_of(Scripted(script=["Hel", "lo"])), format="langgraph"),
        StreamRoute("/fails", RunnableLambda(fails)),
        StreamRoute("/late", chain_of("Hel", ValueError("secret"))),
        StreamRoute("/late/text", chain_of("Hel", ValueError("secret")), format="text"),
        StreamRoute("/late/events", chain_of("Hel", ValueError("secret")), format="events"),
        StreamRoute("/late/langserve", chain_of("Hel", ValueError("x")), format="langserve"),
        StreamRoute("/slow", RunnableGenerator(words), limits=Limits(run=0.3)),
        StreamRoute("/words", RunnableGenerator(words)),
        StreamRoute("/kept", RunnableGenerator(words), resume=True),
        StreamRoute("/counts", RunnableGenerator(counts), resume=True),
        StreamRoute("/short", RunnableGenerator(counts), resume=Resume(frames=10)),
        StreamRoute("/held", RunnableLambda(silent), limits=Limits(hold=4)),
        StreamRoute("/held/kept", RunnableLambda(silent), limits=Limits(hold=4), resume=True),
        StreamRoute("/silent/kept", RunnableLambda(silent), resume=True),
        StreamRoute("/thread", asks, format="chunks", threads=True),
        StreamRoute("/mine", chain, authorize=refuses),
        StreamRoute(
            "/warm", warm, format="chunks", configurable=("temperature",), config={"tags": ["x"]}
        ),
        StreamRoute("/finds", Finds(), format="events"),
        StreamRoute(
            "/models",
            chain,
            format="events",
            filter=EventFilter(include=("on_chat_model_*",), exclude=("on_chat_model_end",)),
        ),
        StreamRoute("/asks", asks, format="chunks", configurable=("thread_id",)),
        StreamRoute("/warm/langserve", warm, format="langserve", configurable=("temperature",)),
    ],
    client_js=True,
)
