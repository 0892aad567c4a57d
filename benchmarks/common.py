"""What every contender serves: a model, a chain and a graph that say ``t0 t1 t2 ...``.

Their input says how many tokens, and how many a second: ``{"tokens": n, "per_second": r}``, as
text; r = 0 is as fast as they can be made. The model is a fake one, or LangChain's client of OpenAI
with a provider on loopback. Nothing here is of asgi_stream, so that a contender in another
environment serves the very same.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable
from langchain_openai import ChatOpenAI
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.graph.state import CompiledStateGraph
from pydantic import SecretStr


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


def chain_of(model: BaseChatModel) -> Runnable[Any, str]:
    return ChatPromptTemplate.from_messages([("human", "{question}")]) | model | StrOutputParser()


def graph_of(model: BaseChatModel) -> CompiledStateGraph[Any]:
    async def answer(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    builder = StateGraph(MessagesState).add_node("answer", answer)
    return builder.add_edge(START, "answer").compile()


def as_text(question: str) -> Any:
    return question


def as_variable(question: str) -> Any:
    return {"question": question}


def as_messages(question: str) -> Any:
    return {"messages": [["human", question]]}


fake = Counting()
openai = ChatOpenAI(
    model="m", base_url=os.environ.get("UPSTREAM", "http://127.0.0.1:9/v1"), api_key=SecretStr("-")
)

RUNNABLES: dict[str, tuple[Any, Callable[[str], Any]]] = {
    "model": (fake, as_text),
    "chain": (chain_of(fake), as_variable),
    "graph": (graph_of(fake), as_messages),
    "openai-model": (openai, as_text),
    "openai-chain": (chain_of(openai), as_variable),
    "openai-graph": (graph_of(openai), as_messages),
}
FAKE = ("model", "chain", "graph")
