# uvicorn examples.recipes.langgraph_api:app --port 2024
"""An agent for the front ends of LangGraph, whose pages have another origin and send an API key.

    curl localhost:2024/api/info -H 'x-api-key: secret-of-ann'

Agent Chat UI: http://localhost:2024/api as the deployment URL, ``agent`` as the assistant, and
``secret-of-ann`` as the LangSmith API key.
"""

import os

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.routing import Mount

from asgi_stream import StreamApp, StreamError, StreamRoute

from ..scripted import ScriptedModel

USERS = {"secret-of-ann": "ann", "secret-of-bob": "bob"}  # by their API keys
PAGES = os.environ.get("PAGES", "http://localhost:3000").split()


def user_of(request: Request) -> str:
    """Return whose key it is: LangGraph's clients send theirs in this header."""
    user = USERS.get(request.headers.get("x-api-key", ""))
    if user is None:
        raise StreamError("The API key is wrong.", code="unauthorized", status=401)
    return user


@tool
async def book_train(city: str) -> str:
    """Book a train to a city."""
    return f"The train to {city} is booked."


# Or ChatOpenAI(model="gpt-5-mini") of langchain-openai.
model = ScriptedModel(answer="{question} That was wish number {turn}.")
agent = create_agent(
    model,
    tools=[book_train],
    middleware=[HumanInTheLoopMiddleware({"book_train": True})],
    checkpointer=InMemorySaver(),  # or AsyncPostgresSaver: see postgres.py
)

streams = StreamApp(
    routes=[StreamRoute("/api", {"agent": agent}, format="langgraph")],
    threads=True,
    resume=True,  # for stop and reconnect
    authorize=user_of,
)
origins = Middleware(
    CORSMiddleware,
    allow_origins=PAGES,
    allow_methods=["GET", "POST", "PATCH", "DELETE"],
    allow_headers=["*"],
    # Where a client finds the run that it has started.
    expose_headers=["content-location", "location"],
)
app = Starlette(routes=[Mount("/", streams)], middleware=[origins])
