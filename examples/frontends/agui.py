# uvicorn examples.frontends.agui:app
"""An agent with threads, for AG-UI's ``HttpAgent`` and CopilotKit.

Open http://localhost:8000 in a browser. npm bundles the page, web/agui_agent.jsx, at startup.
"""

from importlib import import_module

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.callbacks import adispatch_custom_event
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from starlette.applications import Starlette
from starlette.routing import Mount

from asgi_stream import StreamApp, StreamRoute

from ..pages import page_of
from ..scripted import ScriptedModel
from .login import user_of


@tool
async def book_train(city: str) -> str:
    """Book a train to a city."""
    await adispatch_custom_event("progress", {"text": f"Booking {city}"})
    return f"The train to {city} is booked."


# --8<-- [start:server]
agent = create_agent(
    ScriptedModel(answer="{question} That was wish number {turn}."),
    tools=[book_train],
    middleware=[HumanInTheLoopMiddleware({"book_train": True})],
    checkpointer=InMemorySaver(),
)

streams = StreamApp(
    routes=[
        StreamRoute("/agent", agent, threads=True),
        StreamRoute("/page-tools", import_module("examples.19_page_tools").agent),
    ],
    format="agui",
    authorize=user_of,
)
# --8<-- [end:server]
app = Starlette(routes=[*page_of("agui_agent"), Mount("/", streams)])
