# uvicorn examples.recipes.langfuse_traces:app
"""Traces of runs in Langfuse, with the user and the thread of each.

    pip install langfuse
    export LANGFUSE_PUBLIC_KEY=pk-... LANGFUSE_SECRET_KEY=sk-... LANGFUSE_BASE_URL=https://...
    curl -N localhost:8000/ai/agent/threads/mine -H 'x-user: ann' \\
        -H 'content-type: application/json' -d '{"messages": [["human", "Hi?"]]}'

The answer's ``X-Run-ID`` is in the metadata of the trace.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from langchain.agents import create_agent
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool
from langfuse import get_client
from langfuse.langchain import CallbackHandler
from langgraph.checkpoint.memory import InMemorySaver
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.routing import Mount

from asgi_stream import StreamApp, StreamError, StreamRoute
from asgi_stream.requests import StreamRequest

from ..scripted import ScriptedModel


def authorize(request: StreamRequest) -> str:
    user = request.headers.get("x-user")  # examples/recipes/jwt_auth.py has a real check
    if user is None:
        raise StreamError("Who are you?", code="unauthorized", status=401)
    return user


def about(request: StreamRequest) -> RunnableConfig:
    """Return what Langfuse shows a run below: its user, and as its session the thread."""
    assert request.call is not None
    metadata = {
        "langfuse_user_id": request.owner,
        "langfuse_session_id": f"{request.owner}:{request.call.thread}",
    }
    return {"metadata": metadata, "tags": ["web"]}


@tool
async def weather(city: str) -> str:
    """Return the weather in a city."""
    return f"It rains in {city}."


model = ScriptedModel()  # or ChatOpenAI(model="gpt-5-mini") of langchain-openai
agent = create_agent(model, [weather], name="support", checkpointer=InMemorySaver())

streams = StreamApp(
    routes=[StreamRoute("/agent", agent, threads=True)],
    config={"callbacks": [CallbackHandler()]},
    configure=about,
    authorize=authorize,
)


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    async with streams.lifespan():  # waits for the runs
        yield
    await run_in_threadpool(get_client().flush)


app = Starlette(routes=[Mount("/ai", streams)], lifespan=lifespan)
