# uvicorn examples.12_langgraph:app
"""The same agent, for LangGraph's ``useStream``, without a LangGraph server.

Open http://localhost:8000 in a browser. npm bundles the page, web/langgraph.jsx, at startup.
"""

from starlette.applications import Starlette
from starlette.routing import Mount

from asgi_stream import StreamApp, StreamRoute

from .agent import agent
from .pages import page_of

streams = StreamApp(routes=[StreamRoute("/chat", agent, format="langgraph")])
app = Starlette(routes=[*page_of("langgraph"), Mount("/", streams)])
