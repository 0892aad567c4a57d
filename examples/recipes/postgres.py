# uvicorn examples.recipes.postgres:app
"""Threads in PostgreSQL, or in a SQLite file, opened in the lifespan of a FastAPI app.

    export DATABASE_URL=postgresql://localhost/mine  # without it, threads.db in this folder
    python -m examples.recipes.postgres              # creates the tables, once

    curl -N localhost:8000/ai/agent/threads/mine -H 'content-type: application/json' \\
        -d '{"messages": [["human", "Hi?"]]}'
    curl localhost:8000/ai/agent/threads/mine/messages
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from langchain.agents import create_agent
from langchain_core.tools import tool
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool
from starlette.requests import Request

from asgi_stream import StreamApp, StreamRoute

from ..scripted import ScriptedModel

# Or ChatOpenAI(model="gpt-5-mini") of langchain-openai.
model = ScriptedModel(answer="{question} And this was question number {turn}, as I remember.")


@tool
async def weather(city: str) -> str:
    """Return the weather in a city."""
    return f"It rains in {city}."


agent = create_agent(model, tools=[weather])


async def agent_of(request: Request) -> Any:
    """Return the agent with a checkpointer on what the lifespan has opened."""
    return agent.copy({"checkpointer": request.state.saver()})


streams = StreamApp(routes=[StreamRoute("/agent", agent_of, threads=True)])


@asynccontextmanager
async def in_postgres(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    pool: AsyncConnectionPool[AsyncConnection[DictRow]] = AsyncConnectionPool(
        os.environ["DATABASE_URL"],
        open=False,
        min_size=1,
        max_size=10,
        kwargs={"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row},
        check=AsyncConnectionPool.check_connection,  # replaces connections that were lost
    )
    async with pool, streams.lifespan():  # the runs end first, then the pool is closed
        # Even on a pool a saver does one thing at a time: each request has its own.
        yield {"saver": lambda: AsyncPostgresSaver(pool)}


@asynccontextmanager
async def in_sqlite(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    path = os.environ.get("SQLITE", "threads.db")
    async with AsyncSqliteSaver.from_conn_string(path) as saver, streams.lifespan():
        yield {"saver": lambda: saver}


app = FastAPI(lifespan=in_postgres if "DATABASE_URL" in os.environ else in_sqlite)
app.mount("/ai", streams)


async def set_up() -> None:
    async with AsyncPostgresSaver.from_conn_string(os.environ["DATABASE_URL"]) as saver:
        await saver.setup()


if __name__ == "__main__":
    asyncio.run(set_up())
