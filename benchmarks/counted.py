"""What the benchmarks ask of a server in every environment."""

from __future__ import annotations

import asyncio
import gc
import os

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send


def counted(app: ASGIApp) -> ASGIApp:
    """`app`, with ``/tasks`` for how many asyncio tasks there are, and the GC that is asked for."""
    started = False

    async def counting(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal started
        if not started and "GC" in os.environ:
            gc.collect()
            gc.freeze()
            gc.set_threshold(*map(int, os.environ["GC"].split(",")))
        started = True
        if scope["type"] == "http" and scope["path"] == "/tasks":
            await Response(str(len(asyncio.all_tasks())))(scope, receive, send)
        else:
            await app(scope, receive, send)

    return counting
