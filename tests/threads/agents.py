"""Agents with memory whose model shows what reaches it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from pydantic import ConfigDict, Field

SLOW = "slow"
"""What the user says to a model that is to take its time."""


@tool
def refund(order: str) -> str:
    """Refund an order."""
    return f"refunded {order}"


@tool
def look(order: str) -> str:
    """Look an order up."""
    return f"order {order} is there"


class Listener(BaseChatModel):
    """Answers "re: TEXT" to a text; to "refund A B" with a call for each, and "done" after those.

    ``hears`` has the messages of each call, short.
    """

    hears: list[list[str]] = Field(default_factory=list)
    slow: list[asyncio.Event] = Field(default_factory=list)

    model_config = ConfigDict(arbitrary_types_allowed=True)

    @property
    def _llm_type(self) -> str:
        return "listener"

    def bind_tools(self, tools: Any, **_: Any) -> Any:
        return self

    def _generate(self, *_: Any, **__: Any) -> ChatResult:
        raise NotImplementedError

    async def _agenerate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        refuse_open_calls(messages)
        self.hears.append([short(each) for each in messages])
        last = messages[-1]
        text = str(last.content)
        if isinstance(last, ToolMessage):
            return result(AIMessage("done"))
        if text.startswith(SLOW):
            event = asyncio.Event()
            self.slow.append(event)
            await event.wait()
        verb, *orders = text.split()
        if verb in ("refund", "look"):
            calls = [
                {"name": verb, "args": {"order": order}, "id": f"{last.id}-{n}"}
                for n, order in enumerate(orders)
            ]
            return result(AIMessage("", tool_calls=calls))
        return result(AIMessage(f"re: {text}"))


def result(message: AIMessage) -> ChatResult:
    return ChatResult(generations=[ChatGeneration(message=message)])


def refuse_open_calls(messages: Sequence[BaseMessage]) -> None:
    """Raise what providers answer to a conversation with a call that has no result."""
    waiting: list[Any] = []
    for message in messages:
        if isinstance(message, ToolMessage):
            waiting.remove(message.tool_call_id)
        elif waiting:
            raise ValueError(f"calls without results: {waiting}")
        elif isinstance(message, AIMessage):
            waiting = [call["id"] for call in message.tool_calls]
    if waiting:
        raise ValueError(f"calls without results: {waiting}")


def short(message: BaseMessage) -> str:
    match message:
        case HumanMessage():
            return f"user: {message.content}"
        case ToolMessage():
            return f"tool: {message.content}"
        case AIMessage(tool_calls=calls) if calls:
            return f"calls: {', '.join(call['args']['order'] for call in calls)}"
    return f"{message.type}: {message.content}"


def agent_of(
    model: Listener, *, mode: Any = None, saver: Any = None, gated: bool = True, **options: Any
) -> Any:
    """An agent whose refunds need approval."""
    kwargs = {} if mode is None else {"interrupt_mode": mode}
    middleware = [HumanInTheLoopMiddleware({"refund": True}, **kwargs)] if gated else []
    return create_agent(
        model,
        [refund, look],
        checkpointer=InMemorySaver() if saver is None else saver,
        middleware=middleware,
        **options,
    )
