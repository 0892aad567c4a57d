"""Scripted models for clients of OpenAI's Responses API that bring tools of their own."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

from langchain_core.messages import AIMessageChunk
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk
from starlette.requests import Request

from asgi_stream import Limits, StreamApp, StreamError, StreamRoute

from .app import CASES, Thinker
from .bank import bank

CALL = re.compile(r"call (\w+) (.*)", re.DOTALL)


class Caller(Thinker):
    """Calls the tool that the user names, as ``call NAME ARGUMENTS``, and says what it returns."""

    async def _astream(
        self, messages: Any, *_: Any, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        offered = {tool["function"]["name"] for tool in kwargs.get("tools", ())}
        last = messages[-1]
        wanted = CALL.fullmatch(last.text.strip())
        if last.type == "human" and wanted and wanted[1] in offered:
            name, arguments = wanted.groups()
            call = tool_call_chunk(name=name, args="", id=f"call_{len(messages)}", index=0)
            pieces = [call, *(tool_call_chunk(args=each, index=0) for each in arguments)]
            chunks: list[dict[str, Any]] = [{"tool_call_chunks": [piece]} for piece in pieces]
        else:
            chunks = [{"content": "I have: "}, {"content": last.text}]
            if last.type == "human":
                chunks.append({"content": f" of {sorted(offered)}"})
        usage = {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}
        for chunk in [*chunks, {"usage_metadata": usage}]:
            yield ChatGenerationChunk(message=AIMessageChunk(**{"content": "", **chunk}))


def no_more(request: Request) -> None:
    raise StreamError("You have used it up.", code="quota", status=429)


CALLER = {"caller": Caller(), "gpt-5.5": Caller(), "gpt-5.6-sol": Caller()}
app = StreamApp(
    routes=[
        StreamRoute("/v1", {**CASES, **CALLER}, format="openai", limits=Limits(run=10)),
        StreamRoute("/busy/v1", CALLER, format="openai", authorize=no_more),
        StreamRoute("/bank/v1", {"bank": bank()}, format="openai", resume=True, threads=True),
    ]
)
