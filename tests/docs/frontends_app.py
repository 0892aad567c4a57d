"""The servers of examples/frontends, side by side."""

from typing import Any

from starlette.applications import Starlette
from starlette.routing import Mount

from examples.frontends import agui, langgraph, openai, vercel

SERVERS: dict[str, Any] = {
    "agui": agui.app,
    "langgraph": langgraph.app,
    "openai": openai.app,
    "vercel": vercel.app,
}

app = Starlette(routes=[Mount(f"/{name}", server) for name, server in SERVERS.items()])
