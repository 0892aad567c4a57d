"""An agent that asks before it refunds, and the page of assistant-ui that talks to it."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.routing import Mount

from asgi_stream import StreamApp, StreamRoute, Threads

from .bank import bank
from .browser_pages import ROUTES

streams = StreamApp(
    [StreamRoute("/lg", {"bank": bank()}, format="langgraph")],
    threads=Threads(),
    resume=True,
    authorize=lambda _: "ann",
)
app = Starlette(routes=[*ROUTES, Mount("/", streams)])
