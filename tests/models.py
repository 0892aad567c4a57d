"""Small models with a script, for tests that need no clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.llms import LLM
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder


class Scripted(BaseChatModel):
    """Says its chunks, and raises those that are exceptions."""

    script: list[Any]

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _generate(self, *_: Any, **__: Any) -> ChatResult:
        message = AIMessage("".join(self.script))
        return ChatResult(generations=[ChatGeneration(message=message)])

    async def _astream(self, *_: Any, **__: Any) -> AsyncIterator[ChatGenerationChunk]:
        for item in self.script:
            await asyncio.sleep(0)
            if isinstance(item, BaseException):
                raise item
            whole = isinstance(item, AIMessageChunk)
            # Some versions of LangChain change the chunks that they add up.
            message = item.model_copy(deep=True) if whole else AIMessageChunk(content=item)
            yield ChatGenerationChunk(message=message)


class AtOnce(BaseChatModel):
    """Does not stream."""

    says: str | list[Any]

    @property
    def _llm_type(self) -> str:
        return "at-once"

    def _generate(self, *_: Any, **__: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage(content=self.says))])


class InThread(Scripted):
    """Streams from a thread."""

    _astream = BaseChatModel._astream

    def _stream(self, *_: Any, **__: Any) -> Iterator[ChatGenerationChunk]:
        for item in self.script:
            yield ChatGenerationChunk(message=AIMessageChunk(content=item))


class Plain(LLM):
    """Text in, text out."""

    @property
    def _llm_type(self) -> str:
        return "plain"

    def _call(self, *_: Any, **__: Any) -> str:
        return "plain text"


class Recorder(BaseCallbackHandler):
    """Keeps the configs and ends that a run's callbacks tell of."""

    def __init__(self) -> None:
        self.tags: list[str] = []
        self.metadata: dict[str, Any] = {}

    def on_chain_start(self, *_: Any, **about: Any) -> None:
        if about.get("parent_run_id") is None:
            self.tags = about["tags"]
            self.metadata = about["metadata"]
            self.run_id = about["run_id"]


PROMPT = ChatPromptTemplate.from_messages(
    [MessagesPlaceholder("chat_history", optional=True), ("human", "{question}")]
)


def chain_of(*script: Any) -> Any:
    return PROMPT | Scripted(script=list(script)) | StrOutputParser()
