# uvicorn examples.11_agui:app
"""The same agent, for AG-UI's ``HttpAgent``.

Open http://localhost:8000 in a browser. npm bundles the page, web/agui.jsx, at startup.
"""

from starlette.applications import Starlette
from starlette.routing import Mount

from asgi_stream import StreamApp, StreamRoute

from .agent import agent
from .pages import page_of

streams = StreamApp(routes=[StreamRoute("/chat", agent, format="agui")])
app = Starlette(routes=[*page_of("agui"), Mount("/", streams)])
