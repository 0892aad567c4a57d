"""A chat model without a key or network: it streams a scripted answer at reading speed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    ToolMessage,
)
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable

ANSWER = (
    "You asked: {question} I am a small script, so I do not know. But I can show you how an answer "
    "is streamed: a few characters at a time, as they are generated. Press stop or close the page, "
    "and the run is cancelled at once. Nobody pays for words that nobody reads."
)


class ScriptedModel(BaseChatModel):
    """Answers with a few sentences. If it has tools, it calls the first one before.

    Args:
        answer: The text of the answer; ``{question}`` is replaced with the last message, and
            ``{turn}`` with the number of the user's messages.
        seconds: Seconds between two chunks.
        tools: The names of the bound tools.
    """

    answer: str = ANSWER
    seconds: float = 0.04
    tools: tuple[str, ...] = ()

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[Any, AIMessage]:
        # A dict may be OpenAI's, which is what its clients send.
        names = (
            tool.get("function", tool)["name"] if isinstance(tool, dict) else tool.name
            for tool in tools
        )
        return self.model_copy(update={"tools": tuple(names)})

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        raise NotImplementedError("ScriptedModel is async only")

    async def _agenerate(self, messages: list[BaseMessage], *args: Any, **_: Any) -> ChatResult:
        chunks = [chunk.message async for chunk in self._astream(messages)]
        whole = chunks[0]
        for chunk in chunks[1:]:
            whole = whole + chunk
        return ChatResult(generations=[ChatGeneration(message=whole)])

    async def _astream(
        self, messages: list[BaseMessage], *args: Any, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        question = messages[-1].text
        if self.tools and not isinstance(messages[-1], ToolMessage):
            call = tool_call_chunk(
                name=self.tools[0],
                args='{"city": "Paris"}',
                id=f"call_{len(messages)}",
                index=0,
            )
            yield ChatGenerationChunk(message=AIMessageChunk(content="", tool_call_chunks=[call]))
            return
        turn = sum(isinstance(message, HumanMessage) for message in messages)
        answer = self.answer.format(question=question, turn=turn)
        for piece in re.findall(r"\S{1,5}\s?|\s", answer):
            yield ChatGenerationChunk(message=AIMessageChunk(content=piece))
            await asyncio.sleep(self.seconds)
