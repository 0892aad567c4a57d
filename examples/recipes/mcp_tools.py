# uvicorn examples.recipes.mcp_tools:app
"""An agent with the tools of an MCP server, with a session of its own for each run.

    pip install langchain-mcp-adapters mcp
    curl -N localhost:8000/agent -H 'content-type: application/json' \\
        -d '{"messages": [["human", "What is the weather in Paris?"]]}'
"""

import sys
from collections.abc import AsyncIterator
from typing import Any

from langchain.agents import create_agent
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_mcp_adapters.tools import load_mcp_tools

from asgi_stream import Limits, StreamApp, StreamRoute
from asgi_stream.requests import StreamRequest

from ..scripted import ScriptedModel

model = ScriptedModel()  # or ChatOpenAI(model="gpt-5-mini") of langchain-openai


async def with_tools(request: StreamRequest) -> AsyncIterator[Any]:
    """Yield the agent; the session is closed after the run, however it ends.

    A server elsewhere gets the user's own token:
    ``{"transport": "http", "url": "https://...", "headers": {"Authorization": ...}}``.
    """
    command = [sys.executable, "-m", "examples.recipes.mcp_server"]
    client = MultiServerMCPClient(
        {"weather": {"transport": "stdio", "command": command[0], "args": command[1:]}}
    )
    async with client.session("weather") as session:
        yield create_agent(model, tools=await load_mcp_tools(session))


app = StreamApp(
    routes=[StreamRoute("/agent", with_tools)],
    limits=Limits(concurrent=20),  # each run is a process here
)
