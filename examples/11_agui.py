# uvicorn examples.11_agui:app
"""The same agent behind AG-UI's ``HttpAgent``.

Open http://localhost:8000 in a browser. The page is web/agui.jsx; npm bundles it at the start.
"""

from langchain.agents import create_agent
from langchain_core.tools import tool
from starlette.applications import Starlette
from starlette.routing import Mount

from asgi_stream import StreamApp, StreamRoute

from .pages import page_of
from .scripted import ScriptedModel


@tool
async def weather(city: str) -> str:
    """The weather in a city."""
    return f"It rains in {city}."


model = ScriptedModel(answer="I have looked: {question} Take an umbrella, and a hat, and a book.")
agent = create_agent(model, tools=[weather])

streams = StreamApp(routes=[StreamRoute("/chat", agent, format="agui")])
app = Starlette(routes=[*page_of("agui"), Mount("/", streams)])
