"""The results of async code, and the frames of a run, for sync code."""

from __future__ import annotations

import asyncio
from asyncio import Task
from collections.abc import Awaitable, Callable, Generator
from typing import Any, TypeVar

from anyio.from_thread import start_blocking_portal

from ._connection import DecodedFrame, RemoteStream

Result = TypeVar("Result")


def run_blocking(function: Callable[..., Awaitable[Result]], *args: Any) -> Result:
    """Return the result of an async function, on an event loop in a thread of its own."""
    with start_blocking_portal() as portal:
        return portal.call(function, *args)


def frames_in_thread(stream: RemoteStream) -> Generator[DecodedFrame, None, None]:
    """Yield the frames of a run, which an event loop in a thread of its own reads."""
    frames = stream.frames()
    end: Any = object()
    task: Task[Any] | None = None

    async def next_frame() -> Any:
        nonlocal task
        task = asyncio.current_task()
        return await anext(frames, end)

    async def close() -> None:
        if task is not None and not task.done():
            # Ctrl-C interrupts this thread, while the other one still waits for a frame.
            task.cancel()
            await asyncio.wait({task})
        await frames.aclose()

    with start_blocking_portal() as portal:
        try:
            while (frame := portal.call(next_frame)) is not end:
                yield frame
        finally:
            portal.call(close)
