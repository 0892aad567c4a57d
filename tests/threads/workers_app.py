"""An agent on a store of threads and a checkpointer that several workers share.

``REDIS`` is the URL of the store, ``DATABASE`` the path of the checkpointer's SQLite file.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatResult
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from asgi_stream import Limits, Resume, StreamApp, StreamRoute, Threads
from asgi_stream.requests import StreamRequest

from .agents import SLOW, Listener, agent_of, refuse_open_calls, result, short
from .chat import CHAT

REDIS = os.environ["REDIS"]


class Counter(Listener):
    """Answers with what reaches it; slowly, if it is told so."""

    async def _agenerate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        refuse_open_calls(messages)
        last = messages[-1]
        if isinstance(last, ToolMessage) or not str(last.content).startswith(("refund", SLOW)):
            return result(AIMessage(" | ".join(map(short, messages))))
        if str(last.content).startswith(SLOW):
            await asyncio.sleep(30)
        return await super()._agenerate(messages)


async def agent(request: StreamRequest) -> AsyncIterator[Any]:
    async with AsyncSqliteSaver.from_conn_string(os.environ["DATABASE"]) as saver:
        yield agent_of(Counter(), saver=saver)


app = StreamApp(
    [
        StreamRoute(f"/{multitask}/chat", agent, multitask=multitask)
        for multitask in ("reject", "enqueue", "interrupt", "rollback")
    ],
    format=CHAT,
    threads=Threads(store=REDIS),
    resume=Resume(store=REDIS),
    limits=Limits(hold=0.2, ping=0.2),
    authorize=lambda request: request.headers.get("x-user", "ann"),
)
