"""An agent with a tool, for the pages."""

from langchain.agents import create_agent
from langchain_core.tools import tool

from .scripted import ScriptedModel


@tool
async def weather(city: str) -> str:
    """The weather in a city."""
    return f"It rains in {city}."


model = ScriptedModel(answer="I have looked: {question} Take an umbrella, and a hat, and a book.")
agent = create_agent(model, tools=[weather])
