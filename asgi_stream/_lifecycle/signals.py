"""Notices that the server is stopping, in time to tell the readers.

Most servers do not tell an app that they are stopping, or only after they have waited for its
streams. But most have a signal handler in the main thread, and this module's runs before it.
Servers that stop without a signal, or handle it elsewhere, are noticed by their `server_sockets`.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class SignalHook:
    """Calls `notify` on SIGTERM and SIGINT, and then the handler that was installed before.

    Args:
        notify: Called in the main thread, between any two instructions; it must not block.
    """

    def __init__(self, notify: Callable[[], None]) -> None:
        self._notify = notify
        self._before: dict[int, Any] = {}

    def install(self) -> None:
        """Install the hook in front of the present handlers; a signal without one is left alone."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in SIGNALS:
            present = signal.getsignal(number)
            if callable(present) and getattr(present, "__self__", None) is not self:
                self._before[number] = present
                signal.signal(number, self._handle)

    @property
    def should_exit(self) -> bool:
        """Whether uvicorn is stopping; sse-starlette reads it from the object of the handler."""
        server = getattr(self._before.get(signal.SIGTERM), "__self__", None)
        return bool(getattr(server, "should_exit", False))

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._notify()
        self._before[number](number, frame)
