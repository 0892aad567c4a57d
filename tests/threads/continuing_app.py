"""An agent whose runs go on with another worker, on stores that several workers share.

The user's text is what the agent does, step by step: ``look work:1 say``. A number is how often
the step hangs, until its worker is killed. ``NOTES`` is the path of a file with a line for each
time that a step begins, ``REDIS`` the URL of the stores, ``DATABASE`` the path of the
checkpointer's file.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.tools import tool
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from asgi_stream import Limits, Resume, StreamApp, StreamRoute, Threads
from asgi_stream.requests import StreamRequest

REDIS, NOTES = os.environ["REDIS"], Path(os.environ["NOTES"])
HANG_SECONDS = 60
WORDS = [f"w{n} " for n in range(10)]


def note(name: str) -> int:
    """Note that a step begins, and return how often it has."""
    with NOTES.open("a") as notes:
        notes.write(f"{name}\n")
    return NOTES.read_text().split().count(name)


async def noted(step: str) -> None:
    """Note that a step begins, and hang if it has to."""
    name, _, hangs = step.partition(":")
    if await asyncio.to_thread(note, name) <= int(hangs or 0):
        await asyncio.sleep(HANG_SECONDS)


@tool
async def look(step: str) -> str:
    """Look."""
    await noted(step)
    return "looked"


@tool
async def work(step: str) -> str:
    """Work."""
    await noted(step)
    return "worked"


class Steps(BaseChatModel):
    """Does what the user says, one step after the other."""

    @property
    def _llm_type(self) -> str:
        return "steps"

    def bind_tools(self, tools: Any, **_: Any) -> Any:
        return self

    def _generate(self, *_: Any, **__: Any) -> ChatResult:
        raise NotImplementedError

    async def _astream(
        self, messages: list[BaseMessage], *_: Any, **__: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        turn = max(n for n, each in enumerate(messages) if isinstance(each, HumanMessage))
        done = sum(isinstance(each, AIMessage) for each in messages[turn:])
        step = str(messages[turn].content).split()[done]
        name = step.partition(":")[0]
        if name in ("look", "work"):
            for chunk in (
                {"name": name, "args": '{"step": ', "id": f"{name}-{turn}", "index": 0},
                {"name": None, "args": f'"{step}"}}', "id": None, "index": 0},
            ):
                message = AIMessageChunk(content="", tool_call_chunks=[chunk])  # type: ignore[list-item]
                yield ChatGenerationChunk(message=message)
            return
        for n, word in enumerate(WORDS):
            if n == len(WORDS) // 2:
                await noted(step)
            yield ChatGenerationChunk(message=AIMessageChunk(content=word))


async def agent(request: StreamRequest) -> AsyncIterator[Any]:
    async with AsyncSqliteSaver.from_conn_string(os.environ["DATABASE"]) as saver:
        yield create_agent(Steps(), [look, work], checkpointer=saver)


async def authorize(request: StreamRequest) -> str:
    return request.headers.get("x-user", "ann")


# Sync: when a step begins, the one before is stored, however soon the worker dies.
MODES = {"stream_mode": ["updates", "messages"], "durability": "sync"}

app = StreamApp(
    [
        StreamRoute("/vercel", agent, format="vercel", sdk_version=7),
        StreamRoute("/langgraph", {"agent": agent}, format="langgraph"),
        StreamRoute("/chunks", agent, format="chunks", astream_kwargs=MODES),
        StreamRoute("/events", agent, format="events"),
    ],
    threads=Threads(store=REDIS),
    resume=Resume(store=REDIS, on_worker_lost="continue"),
    limits=Limits(hold=0.2, ping=0.2),
    authorize=authorize,
)
