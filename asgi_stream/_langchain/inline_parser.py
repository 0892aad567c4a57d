"""A trailing ``StrOutputParser`` without a thread for each chunk.

LangChain's parser hands every chunk to a thread pool and waits for it
(``BaseTransformOutputParser._atransform``), to turn a message into its text: about two thirds of
what a chain's token costs. The one here does the same where it is. Nothing else differs: it is the
same class by name, so events, traces and outputs are the same.

Only that exact class is replaced, only as the last step of the chain that a route serves, and only
while a route's ``inline_parser`` is true. A subclass may do anything in `parse`, and is left alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from langchain_core import output_parsers
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGeneration, Generation
from langchain_core.runnables import Runnable, RunnableBinding, RunnableSequence


class StrOutputParser(output_parsers.StrOutputParser):
    """LangChain's, on the event loop."""

    async def _atransform(self, input: AsyncIterator[str | BaseMessage]) -> AsyncIterator[str]:
        async for chunk in input:
            # Text is what `parse_result` returns for text, without a generation made around it.
            if isinstance(chunk, BaseMessage):
                text = chunk.content
                if not isinstance(text, str):
                    text = self.parse_result([ChatGeneration(message=chunk)])
            else:
                text = chunk if isinstance(chunk, str) else Generation(text=chunk).text
            yield text


def with_inline_parser(runnable: Runnable[Any, Any]) -> Runnable[Any, Any]:
    """`runnable`, or if it ends in a ``StrOutputParser``, its equal that ends in the one here."""
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
