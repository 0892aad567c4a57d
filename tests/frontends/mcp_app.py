"""Tools for MCP's clients."""

from __future__ import annotations

from typing import Any

from langchain_core.runnables import RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt
from starlette.exceptions import HTTPException
from starlette.requests import Request
from typing_extensions import TypedDict

from asgi_stream import StreamApp, StreamRoute

from ..models import chain_of
from ..threads.agents import Listener, agent_of
from .app import CASES


def shout(text: str) -> str:
    """Shouts."""
    return text.upper()


class State(TypedDict, total=False):
    words: list[str]


async def ask(state: State) -> State:
    return {"words": [*state.get("words", []), interrupt("Your name?")]}


asking = StateGraph(State).add_node("ask", ask).add_edge(START, "ask")


def keyed(request: Request) -> str:
    """Only clients with a key are served."""
    if request.headers.get("authorization") != "Bearer key":
        raise HTTPException(401, "Send the key.", headers={"WWW-Authenticate": "Bearer"})
    return "ann"


TOOLS: dict[str, Any] = {
    "chain": chain_of("Hel", "lo"),
    "agent": CASES["agent"],
    "slow": CASES["slow"],
    "fails": CASES["fails"],
    "shout": RunnableLambda(shout),
}
KEPT: dict[str, Any] = {
    "ask": asking.compile(checkpointer=InMemorySaver()),
    "refunds": agent_of(Listener()),
}

app = StreamApp(
    [
        StreamRoute("/mcp", TOOLS, format="mcp"),
        StreamRoute("/kept", KEPT, format="mcp", threads=True),
        StreamRoute("/keyed", TOOLS["shout"], format="mcp", authorize=keyed),
    ]
)
