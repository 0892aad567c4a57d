"""Emits a run's events from the event loop and from threads."""

from __future__ import annotations

import asyncio
import contextlib
from asyncio import CancelledError
from concurrent.futures import TimeoutError as NotYet
from threading import get_ident

from ...events import Event
from .pacing import Pacer
from .sink import Sink

AHEAD = 64
"""How many events a thread may emit before it waits for the event loop to take them."""


class Emitter:
    """Puts events into a sink, from any thread.

    Args:
        sink: Takes the events, on the current event loop.
        pacer: Says how long a thread has to wait.
    """

    def __init__(self, sink: Sink, pacer: Pacer) -> None:
        self._sink = sink
        self._pacer = pacer
        self._loop = asyncio.get_running_loop()
        self._thread = get_ident()
        self._from_threads = 0

    def emit(self, event: Event) -> None:
        """Put an event into the sink, or hand it to the event loop from another thread.

        Raises:
            CancelledError: The event loop was closed while this thread was running.
        """
        if get_ident() == self._thread:
            self._sink.put(event)
            return
        try:
            self._loop.call_soon_threadsafe(self._sink.put, event)
        except RuntimeError:
            raise CancelledError from None

    def hold_back(self) -> None:
        """Block the current thread, which has just emitted, if it is far ahead of the event loop.

        What threads emit waits in the loop's own queue, where nothing counts it.

        Raises:
            CancelledError: The event loop was closed while this thread was running.
        """
        self._from_threads += 1
        if self._from_threads % AHEAD and not self._sink.full:
            return
        pause = self._pacer.pause()
        with contextlib.suppress(RuntimeError):  # the loop was closed under this thread
            paused = asyncio.run_coroutine_threadsafe(pause, self._loop)
            while not self._loop.is_closed():
                with contextlib.suppress(NotYet):
                    paused.result(1)
                    return
        pause.close()
        raise CancelledError
