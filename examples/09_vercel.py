# uvicorn examples.09_vercel:app
"""An agent with a tool, for the AI SDK's ``useChat``.

Open http://localhost:8000 in a browser. npm bundles the page, web/vercel.jsx, at startup.
"""

from starlette.applications import Starlette
from starlette.routing import Mount

from asgi_stream import StreamApp, StreamRoute

from .agent import agent
from .pages import page_of

streams = StreamApp(routes=[StreamRoute("/chat", agent, format="vercel")])
app = Starlette(routes=[*page_of("vercel"), Mount("/", streams)])
