# uvicorn examples.05_agent:app
"""A LangGraph agent with a tool: its answer as tokens, its steps as they finish, or its events.

    curl -N localhost:8000/steps -H 'content-type: application/json' \\
        -d '{"messages": [["human", "What is the weather in Paris?"]]}'
"""

from langchain.agents import create_agent
from langchain_core.tools import tool

from asgi_stream import StreamApp, StreamRoute

from .scripted import ScriptedModel


@tool
async def weather(city: str) -> str:
    """Return the weather in a city."""
    return f"It rains in {city}."


model = ScriptedModel(answer="I have looked: {question} Take an umbrella.")
agent = create_agent(model, tools=[weather])

app = StreamApp(
    routes=[
        StreamRoute("/answer", agent),
        StreamRoute("/steps", agent, format="chunks", astream_kwargs={"stream_mode": ["updates"]}),
        StreamRoute("/events", agent, format="events"),
    ]
)
