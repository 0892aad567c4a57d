"""All contenders, and what each is sent."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

from .common import RUNNABLES
from .driver import Contender

EVERY = tuple(RUNNABLES)
OWN = [
    Contender("floor", "contenders:floor", runnables=EVERY),
    Contender("hand", "contenders:hand", runnables=EVERY),
    Contender("hand_sr", "contenders:hand_sr"),
    Contender("hand_events", "contenders:hand_events", events=True),
    Contender("hand_models", "contenders:hand_models", events=True),
    Contender("constant", "contenders:constant"),
    Contender("constant_sr", "contenders:constant_sr"),
    Contender("ours", "contenders:ours", runnables=EVERY),
    Contender("ours_memory", "contenders:ours_memory"),
    Contender("ours_redis", "contenders:ours_redis"),
    Contender("ours_chunks", "contenders:ours_chunks", runnables=("model", "chain")),
    Contender("ours_events", "contenders:ours_events", events=True),
    Contender("ours_models", "contenders:ours_models", events=True),
]


def _vercel(question: str, runnable: str) -> Any:
    messages = [{"id": "1", "role": "user", "parts": [{"type": "text", "text": question}]}]
    return {"id": "chat", "trigger": "submit-message", "messages": messages}


def _openai(question: str, runnable: str) -> Any:
    messages = [{"role": "user", "content": question}]
    return {"model": runnable, "stream": True, "messages": messages}


def _responses(question: str, runnable: str) -> Any:
    return {"model": runnable, "stream": True, "input": question}


def _agui(question: str, runnable: str) -> Any:
    messages = [{"id": "1", "role": "user", "content": question}]
    every: dict[str, Any] = {"state": {}, "tools": [], "context": [], "forwardedProps": {}}
    return {"threadId": uuid4().hex, "runId": "r", "messages": messages, **every}


def _langgraph(question: str, runnable: str) -> Any:
    value = {"messages": [["human", question]]}
    return {"assistant_id": runnable, "input": value, "stream_mode": "messages-tuple"}


def _mcp(question: str, runnable: str) -> Any:
    value = RUNNABLES[runnable][1](question)
    arguments = value if isinstance(value, dict) else {"input": value}
    params = {"name": runnable, "arguments": arguments, "_meta": {"progressToken": 1}}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


FRONT_ENDS = [
    Contender("ours_text", "contenders:ours_text", end=b""),
    Contender("ours_vercel", "contenders:ours_vercel", body=_vercel),
    Contender(
        "ours_openai", "contenders:ours_openai", path="/{runnable}/chat/completions", body=_openai
    ),
    Contender(
        "ours_responses",
        "contenders:ours_openai",
        path="/{runnable}/responses",
        body=_responses,
        end=b'"usage":',  # behind the whole text
        token=re.compile(rb'"delta":"t(\d+) "'),
    ),
    Contender("ours_agui", "contenders:ours_agui", body=_agui, end=b"RUN_FINISHED"),
    Contender(
        "ours_mcp",
        "contenders:ours_mcp",
        body=_mcp,
        end=b'"isError":false',
        token=re.compile(rb'"message":"t(\d+) "'),
    ),
    Contender(
        "ours_langserve",
        "contenders:ours_langserve",
        path="/{runnable}/stream",
        wrapped=True,
        end=b"event: end",
        runnables=("model", "chain"),
    ),
    Contender(
        "ours_langgraph",
        "contenders:ours_langgraph",
        path="/{runnable}/runs/stream",
        body=_langgraph,
        end=b"event: end",
        runnables=("graph",),
    ),
]


THEIRS = [
    Contender(
        "langserve",
        "langserve_contender:app",
        path="/{runnable}/stream",
        wrapped=True,
        end=b"event: end",
        runnables=("model", "chain", "openai-model", "openai-chain"),
        environment="langserve",
    ),
    Contender(
        "langserve_events",
        "langserve_contender:app",
        events=True,
        path="/{runnable}/stream_events",
        wrapped=True,
        end=b"event: end",
        runnables=("model", "chain"),  # it answers 500 to the graph
        environment="langserve",
    ),
    Contender(
        "ag_ui_langgraph",
        "agui_contender:app",
        body=_agui,
        end=b"RUN_FINISHED",
        token=re.compile(rb'"delta":"t(\d+) "'),
        runnables=("graph",),
        environment="langserve",
    ),
    Contender(
        "pydantic_ai",
        "pydantic_ai_contender:app",
        body=_vercel,
        runnables=("model",),
        environment="pydantic_ai",
    ),
    Contender("ai_sdk", "server.mjs", body=_vercel, runnables=("model",), environment="node"),
]
