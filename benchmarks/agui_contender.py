"""AG-UI's own adapter for LangGraph, in the environment of LangServe."""

from __future__ import annotations

from ag_ui_langgraph import LangGraphAgent, add_langgraph_fastapi_endpoint
from fastapi import FastAPI
from langgraph.checkpoint.memory import InMemorySaver

from .common import RUNNABLES
from .counted import counted

_app = FastAPI()
# Without its raw events, which make each frame several times as long.
_agent = LangGraphAgent(
    name="graph",
    graph=RUNNABLES["graph"][0].builder.compile(checkpointer=InMemorySaver()),
    emit_raw_events=False,
)
add_langgraph_fastapi_endpoint(_app, _agent, "/graph")
app = counted(_app)
