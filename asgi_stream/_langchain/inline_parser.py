"""A ``StrOutputParser`` that does not use a thread for each chunk.

LangChain's parser hands every chunk to a thread pool and waits for it
(``BaseTransformOutputParser._atransform``) to turn a message into its text, which is about two
thirds of the cost of a chain's token. The parser here does the same work on the event loop. It has
the same class name, so events, traces and outputs are the same.

Only that exact class is replaced, and only as the last step of what runs. Subclasses are left
alone, because their ``parse`` may block.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from langchain_core import output_parsers
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGeneration, Generation
from langchain_core.runnables import Runnable, RunnableBinding, RunnableSequence


class StrOutputParser(output_parsers.StrOutputParser):
    """LangChain's parser, running on the event loop."""

    async def _atransform(self, input: AsyncIterator[str | BaseMessage]) -> AsyncIterator[str]:
        async for chunk in input:
            # For text `parse_result` returns just that, after wrapping it in a generation.
            if isinstance(chunk, BaseMessage):
                text = chunk.content
                if not isinstance(text, str):
                    text = self.parse_result([ChatGeneration(message=chunk)])
            else:
                text = chunk if isinstance(chunk, str) else Generation(text=chunk).text
            yield text


def with_inline_parser(runnable: Runnable[Any, Any]) -> Runnable[Any, Any]:
    """Return `runnable`, with the parser here in place of a ``StrOutputParser`` at its end."""
    if type(runnable) is output_parsers.StrOutputParser:
        return StrOutputParser.model_construct(**dict(runnable))
    if type(runnable) is RunnableSequence:
        part = "last"
    elif type(runnable) is RunnableBinding:
        part = "bound"
    else:
        return runnable
    inner = getattr(runnable, part)
    replaced = with_inline_parser(inner)
    if replaced is inner:
        return runnable
    copy: Runnable[Any, Any] = runnable.model_copy(update={part: replaced})
    return copy
