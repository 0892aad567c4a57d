"""Reads ``astream_events``, for the format that passes LangChain's own events on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Set
from contextlib import AsyncExitStack
from typing import Any

from langchain_core.runnables import Runnable, RunnableConfig

from ..events import LangChainEvent, Step
from .callbacks.pacing import Pacer
from .chunk_reader import ChunkReader, without


class PacedRunnable(Runnable[Any, Any]):
    """A Runnable that waits between its chunks when the run has to.

    ``astream_events`` reads its Runnable as fast as it can, into a queue without a limit.

    Args:
        bound: The Runnable.
        pacer: Says when to wait.
        reader: Reads its chunks.
        step: The run itself.
    """

    def __init__(
        self, bound: Runnable[Any, Any], pacer: Pacer, reader: ChunkReader, step: Step
    ) -> None:
        self._bound = bound
        self._pacer = pacer
        self._reader = reader
        self._step = step

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        raise NotImplementedError  # pragma: no cover - astream_events never calls it

    async def astream(
        self, input: Any, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Any]:
        async with AsyncExitStack() as stack:
            chunks = self._bound.astream(input, config, **kwargs, **self._reader.stream)
            close_with(stack, chunks)
            async for value in chunks:
                if (chunk := self._reader.read(self._step, value)) is not None:
                    yield chunk.yielded
                if self._pacer.due():
                    await self._pacer.pause()


def close_with(stack: AsyncExitStack, chunks: Any) -> None:
    """Close `chunks` when `stack` ends, if they can be closed; not every Runnable's can."""
    close = getattr(chunks, "aclose", None)
    if close is not None:
        stack.push_async_callback(close)


def langchain_event(event: Mapping[str, Any], secret: Set[str] | None) -> LangChainEvent:
    """Return an event of ``astream_events`` as the package's own.

    Args:
        event: LangChain's event.
        secret: Keys of metadata to leave out, with the inputs of inner steps. None to leave
            everything in.
    """
    name: str = event["event"]
    type_ = name.removeprefix("on_").rpartition("_")[0]
    step = Step(event["run_id"], event["name"], type_, event["tags"])
    data, metadata = event["data"], event["metadata"]
    if secret is not None:
        metadata = without(metadata, secret)
        if type_ == "prompt":
            data = {}
        elif event["parent_ids"] and type_ != "custom":  # whose data may be any value
            data = {key: value for key, value in data.items() if key != "input"}
    return LangChainEvent(step, name, data, metadata, event["parent_ids"])
