"""The names of this package's own headers, which its server sends and its client reads."""

from __future__ import annotations

RUN_ID = "X-Run-ID"
THREAD_ID = "X-Thread-ID"
"""The header with a thread's id, percent-encoded."""

FORMAT = "X-Stream-Format"
"""The header with the name of the format, which tells the client how to decode the response."""

LOCATION = "Content-Location"
"""The header with a stored run's URL, relative to that of the request."""
