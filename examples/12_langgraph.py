# uvicorn examples.12_langgraph:app
"""The same agent behind LangGraph's ``useStream``, without a LangGraph server.

Open http://localhost:8000 in a browser. The page is web/langgraph.jsx; npm bundles it at the start.
"""

from starlette.applications import Starlette
from starlette.routing import Mount

from asgi_stream import StreamApp, StreamRoute

from .agent import agent
from .pages import page_of

streams = StreamApp(routes=[StreamRoute("/chat", agent, format="langgraph")])
app = Starlette(routes=[*page_of("langgraph"), Mount("/", streams)])
