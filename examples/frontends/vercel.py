# uvicorn examples.frontends.vercel:app
"""Chats, completions and the tools of a page, for the AI SDK's hooks.

Open http://localhost:8000 in a browser. npm bundles the page, web/vercel_hooks.jsx, at startup.
"""

from langchain.agents import create_agent
from langchain_core.callbacks import adispatch_custom_event
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from starlette.applications import Starlette
from starlette.routing import Mount

from asgi_stream import StreamApp, StreamRoute

from ..pages import page_of
from ..scripted import ScriptedModel
from .login import user_of


@tool
async def weather(city: str) -> str:
    """Return the weather in a city."""
    await adispatch_custom_event("progress", {"id": "weather", "text": f"Looking up {city}"})
    return f"It rains in {city}."


# --8<-- [start:server]
agent = create_agent(
    ScriptedModel(answer="{question} Take an umbrella, a hat and a book. That was turn {turn}."),
    tools=[weather],
    checkpointer=InMemorySaver(),
)

chosen_city = {
    "name": "chosen_city",
    "description": "The city that the user has chosen on the page.",
    "parameters": {"type": "object", "properties": {}},
}
model = ScriptedModel(answer="You have chosen {question}.")

streams = StreamApp(
    routes=[
        StreamRoute("/chat", agent, threads=True, resume=True, multitask="interrupt"),
        StreamRoute("/complete", ScriptedModel(answer="It is: {question}")),
        StreamRoute("/page-tools", model.bind_tools([chosen_city])),
    ],
    format="vercel",
    authorize=user_of,
)
# --8<-- [end:server]
app = Starlette(routes=[*page_of("vercel_hooks"), Mount("/", streams)])
