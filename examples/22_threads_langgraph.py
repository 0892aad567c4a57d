# uvicorn examples.22_threads_langgraph:app
"""LangGraph's ``useStream`` with all that it does on threads, without a LangGraph server.

The page has a list of threads, approves what the agent wants to do, edits a question and shows both
branches, goes on with an answer after a reload, and stops it.

Open http://localhost:8000 in a browser. npm bundles the page, web/threads.jsx, at startup.
"""

from starlette.applications import Starlette
from starlette.routing import Mount

from asgi_stream import StreamApp, StreamRoute

from .pages import page_of
from .travel import agent, user_of

# `resume` is for the answers that go on without the page, and for the button that stops them.
streams = StreamApp(
    routes=[StreamRoute("/chat", {"travel": agent}, format="langgraph")],
    threads=True,
    resume=True,
    authorize=user_of,
)
app = Starlette(routes=[*page_of("threads"), Mount("/", streams)])
