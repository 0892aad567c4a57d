"""Hears of the server's end in time to tell the readers.

Most servers tell an app nothing when they stop, or tell it after they have waited for its streams.
What most have is a signal handler in the main thread, and this stands before it. Those that stop
without a signal, or hear of it elsewhere, are seen by their `server_sockets`.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class SignalHook:
    """Calls `notify` when the process is asked to stop, and then what was there before.

    Args:
        notify: Called in the main thread, between two of its instructions; it must not wait.
    """

    def __init__(self, notify: Callable[[], None]) -> None:
        self._notify = notify
        self._before: dict[int, Any] = {}

    def install(self) -> None:
        """Stand before the present handlers. A signal without a handler is left alone."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in SIGNALS:
            present = signal.getsignal(number)
            if callable(present) and getattr(present, "__self__", None) is not self:
                self._before[number] = present
                signal.signal(number, self._handle)

    @property
    def should_exit(self) -> bool:
        """What sse-starlette looks for behind the handler, to know a stopping uvicorn."""
        server = getattr(self._before.get(signal.SIGTERM), "__self__", None)
        return bool(getattr(server, "should_exit", False))

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._notify()
        self._before[number](number, frame)
