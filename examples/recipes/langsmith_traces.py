# uvicorn examples.recipes.langsmith_traces:app
"""Traces of runs in LangSmith, with the user and the thread of each.

    export LANGSMITH_API_KEY=...
    curl -N localhost:8000/ai/agent/threads/mine -H 'x-user: ann' \\
        -H 'content-type: application/json' -d '{"messages": [["human", "Hi?"]]}'

The id of the trace is the answer's ``X-Run-ID``.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from langchain.agents import create_agent
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool
from langchain_core.tracers import LangChainTracer
from langgraph.checkpoint.memory import InMemorySaver
from langsmith import Client
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.routing import Mount

from asgi_stream import StreamApp, StreamError, StreamRoute
from asgi_stream.requests import StreamRequest

from ..scripted import ScriptedModel

client = Client()  # Client(hide_inputs=True, hide_outputs=True) sends no texts
tracer = LangChainTracer(project_name="my-chat", client=client)


def authorize(request: StreamRequest) -> str:
    user = request.headers.get("x-user")  # examples/recipes/jwt_auth.py has a real check
    if user is None:
        raise StreamError("Who are you?", code="unauthorized", status=401)
    return user


def about(request: StreamRequest) -> RunnableConfig:
    """Return what traces are searched by. The thread is in the metadata without this."""
    return {"metadata": {"user_id": request.owner}, "tags": ["web"]}


@tool
async def weather(city: str) -> str:
    """Return the weather in a city."""
    return f"It rains in {city}."


model = ScriptedModel()  # or ChatOpenAI(model="gpt-5-mini") of langchain-openai
agent = create_agent(model, [weather], name="support", checkpointer=InMemorySaver())

streams = StreamApp(
    routes=[StreamRoute("/agent", agent, threads=True)],
    config={"callbacks": [tracer]},
    configure=about,
    authorize=authorize,
)


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    async with streams.lifespan():  # waits for the runs
        yield
    await run_in_threadpool(client.flush)


app = Starlette(routes=[Mount("/ai", streams)], lifespan=lifespan)
