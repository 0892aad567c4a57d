"""The chunks of a served run, with its steps as steps of the local run around it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, closing
from typing import TYPE_CHECKING, Any

from ..events import LangChainEvent
from ._callbacks import CallbackBridge
from ._connection import RemoteStream
from ._decode import OutputReader, check_format
from ._sync import frames_in_thread

if TYPE_CHECKING:
    from langchain_core.callbacks import (
        AsyncCallbackManagerForChainRun,
        CallbackManagerForChainRun,
    )


async def chunks_of(
    stream: RemoteStream, run_manager: AsyncCallbackManagerForChainRun
) -> AsyncGenerator[Any, None]:
    """Yield the chunks of a run.

    Args:
        stream: The run's stream.
        run_manager: The callbacks of the local run.
    """
    bridge, reader = CallbackBridge(run_manager), OutputReader()
    try:
        async with aclosing(stream.frames()) as frames:
            async for _, events in frames:
                check_format(stream.format)
                for event in events:
                    if isinstance(event, LangChainEvent):
                        await bridge.pass_on(event)
                    for chunk in reader.read(event):
                        yield chunk
        reader.check_end()
        await bridge.close()
    except BaseException as error:
        await bridge.close(error)
        raise


def chunks_in_thread(
    stream: RemoteStream, run_manager: CallbackManagerForChainRun
) -> Generator[Any, None, None]:
    """Yield the chunks of a run in sync code, as `chunks_of`."""
    bridge, reader = CallbackBridge(run_manager), OutputReader()
    try:
        with closing(frames_in_thread(stream)) as frames:
            for _, events in frames:
                check_format(stream.format)
                for event in events:
                    if isinstance(event, LangChainEvent):
                        bridge.pass_on_sync(event)
                    yield from reader.read(event)
        reader.check_end()
        bridge.close_sync()
    except BaseException as error:
        bridge.close_sync(error)
        raise
