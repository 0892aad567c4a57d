"""Reads ``astream_events``, for formats that pass LangChain's own events on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from typing import Any

from langchain_core.runnables import Runnable, RunnableConfig

from ..events import LangChainEvent, OutputChunk, Step
from .callbacks.pacing import Pacer
from .chunk_reader import ChunkReader, without
from .graph_fields import without_private

MODELS = ("chat_model", "llm")


class PacedRunnable(Runnable[Any, Any]):
    """A Runnable that waits between its chunks when the run has to.

    ``astream_events`` reads its Runnable as fast as it can, into a queue without a limit.

    Args:
        bound: The Runnable.
        pacer: Says when to wait.
        reader: Reads its chunks.
        step: The run itself.
        labelled: Whether it yields each chunk as an `OutputChunk`.
    """

    def __init__(
        self,
        bound: Runnable[Any, Any],
        pacer: Pacer,
        reader: ChunkReader,
        step: Step,
        *,
        labelled: bool,
    ) -> None:
        self._bound = bound
        self._pacer = pacer
        self._reader = reader
        self._step = step
        self._labelled = labelled

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
                    yield chunk if self._labelled else chunk.yielded
                if self._pacer.due():
                    await self._pacer.pause()


def close_with(stack: AsyncExitStack, chunks: Any) -> None:
    """Close `chunks` when `stack` ends, if they can be closed; not every Runnable's can."""
    close = getattr(chunks, "aclose", None)
    if close is not None:
        stack.push_async_callback(close)


class EventReader:
    """Reads events of ``astream_events`` as the package's own.

    Args:
        chunks: Reads the run's chunks.
        inputs: Whether to leave everything in: inputs, prompts and all metadata, too.
        states: Whether to leave the private fields of states in what steps return.
    """

    def __init__(self, chunks: ChunkReader, *, inputs: bool, states: bool) -> None:
        self._chunks = chunks
        self._inputs = inputs
        self._states = states

    def read(self, event: Mapping[str, Any]) -> LangChainEvent | OutputChunk:
        """Return an event as the package's own; a chunk with its labels as it is."""
        match event["data"]:
            case {"chunk": OutputChunk() as chunk}:
                return chunk
        name: str = event["event"]
        type_ = name.removeprefix("on_").rpartition("_")[0]
        step = Step(event["run_id"], event["name"], type_, event["tags"])
        data, metadata = event["data"], event["metadata"]
        if not self._inputs:
            data = self._public_data(step, event)
            metadata = without(metadata, self._chunks.secret)
        return LangChainEvent(step, name, data, metadata, event["parent_ids"])

    def _public_data(self, step: Step, event: Mapping[str, Any]) -> Any:
        """Return an event's data without the inputs of inner steps, and prompts."""
        data = event["data"]
        if step.type == "prompt":
            return {}
        if not event["parent_ids"] or step.type == "custom":  # whose data may be any value
            return data
        data = {key: value for key, value in data.items() if key != "input"}
        if self._states or step.type in MODELS:
            return data
        private = self._chunks.private_at(event["metadata"].get("langgraph_checkpoint_ns", ""))
        return {key: without_private(value, private) for key, value in data.items()}
