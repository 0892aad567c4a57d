# uvicorn examples.24_mcp:app
"""A chain and an agent as tools that other programs' models call, with the Model Context Protocol.

    npx @modelcontextprotocol/inspector --cli http://localhost:8000/mcp --transport http \\
        --method tools/call --tool-name answer --tool-arg "question=Hi?"

A tool's description is the docstring of the function that returns its Runnable. The agent asks
before it books a train: a client that can ask its user does so, any other gets the question, and
calls the tool again with the answer.
"""

from typing import Any

from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable
from starlette.requests import Request

from asgi_stream import StreamApp, StreamRoute

from .scripted import ScriptedModel
from .travel import agent

chain = ChatPromptTemplate.from_template("{question}") | ScriptedModel() | StrOutputParser()


def answer(request: Request) -> Runnable[Any, Any]:
    """Answer a question in a few sentences."""
    return chain


def travel(request: Request) -> Runnable[Any, Any]:
    """Plan a journey by train, and book it."""
    return agent


app = StreamApp(
    routes=[
        StreamRoute("/mcp", {"answer": answer}, format="mcp"),
        StreamRoute("/travel", {"travel": travel}, format="mcp", threads=True),
    ]
)
