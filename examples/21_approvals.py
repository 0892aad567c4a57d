# uvicorn examples.21_approvals:app
"""An agent that asks before it books a train, and a page with ``useChat`` to decide on.

Open http://localhost:8000 in a browser, and load the page again while the agent waits: the chat is
still there. npm bundles the page, web/approvals.jsx, at startup.
"""

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from starlette.applications import Starlette
from starlette.routing import Mount

from asgi_stream import StreamApp, StreamRoute

from .pages import page_of
from .scripted import ScriptedModel


@tool
async def book_train(city: str) -> str:
    """Book a train to a city."""
    return f"The train to {city} is booked."


agent = create_agent(
    ScriptedModel(answer="{question}"),
    tools=[book_train],
    middleware=[HumanInTheLoopMiddleware({"book_train": True})],
    checkpointer=InMemorySaver(),
)

streams = StreamApp(routes=[StreamRoute("/chat", agent, format="vercel", threads=True)])
app = Starlette(routes=[*page_of("approvals"), Mount("/", streams)])
