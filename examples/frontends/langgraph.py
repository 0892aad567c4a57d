# uvicorn examples.frontends.langgraph:app
"""An agent with threads, for the hooks and clients of LangGraph.

Open http://localhost:8000 in a browser. npm bundles the page, web/langgraph_hooks.jsx, at startup.
"""

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.config import get_stream_writer
from starlette.applications import Starlette
from starlette.routing import Mount

from asgi_stream import StreamApp, StreamRoute

from ..agent import agent as forecaster
from ..pages import page_of
from ..scripted import ScriptedModel
from .login import user_of


@tool
async def book_train(city: str) -> str:
    """Book a train to a city."""
    get_stream_writer()({"progress": f"Booking {city}"})
    return f"The train to {city} is booked."


# --8<-- [start:server]
agent = create_agent(
    ScriptedModel(answer="{question} That was wish number {turn}."),
    tools=[book_train],
    middleware=[HumanInTheLoopMiddleware({"book_train": True})],
    checkpointer=InMemorySaver(),
)
chat = create_agent(ScriptedModel(answer="{turn}: {question}"), checkpointer=InMemorySaver())

streams = StreamApp(
    routes=[
        StreamRoute("/api", {"agent": agent, "chat": chat}, threads=True, resume=True),
        StreamRoute("/stateless", forecaster),
    ],
    format="langgraph",
    authorize=user_of,
)
# --8<-- [end:server]
app = Starlette(routes=[*page_of("langgraph_hooks"), Mount("/", streams)])
