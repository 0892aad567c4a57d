"""An agent with a tool, which several examples serve."""

from langchain.agents import create_agent
from langchain_core.tools import tool

from .scripted import ScriptedModel


@tool
async def weather(city: str) -> str:
    """Return the weather in a city."""
    return f"It rains in {city}."


model = ScriptedModel(answer="I have looked: {question} Take an umbrella, and a hat, and a book.")
agent = create_agent(model, tools=[weather])
