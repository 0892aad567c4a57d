"""Streams LangChain Runnables and LangGraph graphs to browsers, as ASGI."""

from .app import StreamApp, StreamMiddleware
from .errors import StreamError, TableError
from .filters import EventFilter
from .limits import Limits
from .resume import Resume
from .routes import StreamRoute
from .threads import Threads

__all__ = [
    "EventFilter",
    "Limits",
    "Resume",
    "StreamApp",
    "StreamError",
    "StreamMiddleware",
    "StreamRoute",
    "TableError",
    "Threads",
]
