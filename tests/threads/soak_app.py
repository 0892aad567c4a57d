"""An agent that answers with the ids of all the user's messages that reach it.

``REDIS`` is the URL of the store of threads, ``DATABASE`` the path of the checkpointer's file.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import START, MessagesState, StateGraph
from starlette.applications import Starlette
from starlette.routing import Mount

from asgi_stream import StreamApp, StreamRoute, Threads

from .chat import CHAT


class Echo(BaseChatModel):
    """Streams the ids of the user's messages, slowly enough to be interrupted."""

    @property
    def _llm_type(self) -> str:
        return "echo"

    def _generate(self, *_: Any, **__: Any) -> ChatResult:
        raise NotImplementedError

    async def _astream(
        self, messages: list[BaseMessage], *_: Any, **__: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        for message in messages:
            if isinstance(message, HumanMessage):
                await asyncio.sleep(0.01)
                yield ChatGenerationChunk(message=AIMessageChunk(content=f"{message.id} "))


async def answer(state: MessagesState) -> Any:
    return {"messages": [await Echo().ainvoke(state["messages"])]}


builder = StateGraph(MessagesState)
builder.add_node("answer", answer)
builder.add_edge(START, "answer")
opened: dict[str, Any] = {}


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    async with AsyncSqliteSaver.from_conn_string(os.environ["DATABASE"]) as saver:
        await saver.conn.execute("PRAGMA busy_timeout = 20000")
        opened["graph"] = builder.compile(checkpointer=saver)
        async with streams.lifespan():
            yield


streams = StreamApp(
    [StreamRoute("/chat", lambda _: opened["graph"], format=CHAT)],
    threads=Threads(store=os.environ["REDIS"]),
    multitask="interrupt",
    authorize=lambda request: request.headers["x-user"],
)
app = Starlette(routes=[Mount("/", streams)], lifespan=lifespan)
