"""LangServe, which needs an environment of its own: it pins an older sse-starlette."""

from __future__ import annotations

from fastapi import FastAPI
from langserve import add_routes

from .common import RUNNABLES
from .counted import counted

_app = FastAPI()
for _name, (_runnable, _) in RUNNABLES.items():
    add_routes(_app, _runnable, path=f"/{_name}", enabled_endpoints=["stream", "stream_events"])
app = counted(_app)
