"""What every contender serves: a model, a chain and a graph that say ``t0 t1 t2 ...``.

Their input says how many tokens, and how many a second: ``{"tokens": n, "per_second": r}``, as
text; r = 0 is as fast as they can be made. Nothing here is of asgi_stream, so that a contender in
another environment serves the very same.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
from collections.abc import AsyncIterator, Callable
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.prompts import ChatPromptTemplate
from langgraph.graph import START, MessagesState, StateGraph
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send


class Counting(BaseChatModel):
    """Says ``t0 t1 t2 ...``; how many and how fast is what it is asked."""

    @property
    def _llm_type(self) -> str:
        return "counting"

    def _generate(self, *_: Any, **__: Any) -> ChatResult:
        raise NotImplementedError

    async def _astream(
        self, messages: Any, *_: Any, **__: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        order = json.loads(messages[-1].content)
        per_second, loop = order["per_second"], asyncio.get_running_loop()
        begun = loop.time()
        for n in range(order["tokens"]):
            if per_second:
                await asyncio.sleep(begun + n / per_second - loop.time())
            yield ChatGenerationChunk(message=AIMessageChunk(content=f"t{n} "))


async def answer(state: MessagesState) -> dict[str, Any]:
    return {"messages": [await Counting().ainvoke(state["messages"])]}


model = Counting()
chain = ChatPromptTemplate.from_messages([("human", "{question}")]) | model | StrOutputParser()
graph = StateGraph(MessagesState).add_node("answer", answer).add_edge(START, "answer").compile()

RUNNABLES: dict[str, tuple[Any, Callable[[str], Any]]] = {
    "model": (model, lambda question: question),
    "chain": (chain, lambda question: {"question": question}),
    "graph": (graph, lambda question: {"messages": [["human", question]]}),
}


def counted(app: ASGIApp) -> ASGIApp:
    """`app`, with ``/tasks`` for how many asyncio tasks there are, and the GC that is asked for."""
    started = False

    async def counting(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal started
        if not started and "GC" in os.environ:
            gc.collect()
            gc.freeze()
            gc.set_threshold(*map(int, os.environ["GC"].split(",")))
        started = True
        if scope["type"] == "http" and scope["path"] == "/tasks":
            await Response(str(len(asyncio.all_tasks())))(scope, receive, send)
        else:
            await app(scope, receive, send)

    return counting
