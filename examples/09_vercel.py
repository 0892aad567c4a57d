# uvicorn examples.09_vercel:app
"""An agent behind the AI SDK's ``useChat``, with the tool that it calls.

Open http://localhost:8000 in a browser. The page is web/vercel.jsx; npm bundles it at the start.
"""

from starlette.applications import Starlette
from starlette.routing import Mount

from asgi_stream import StreamApp, StreamRoute

from .agent import agent
from .pages import page_of

streams = StreamApp(routes=[StreamRoute("/chat", agent, format="vercel")])
app = Starlette(routes=[*page_of("vercel"), Mount("/", streams)])
