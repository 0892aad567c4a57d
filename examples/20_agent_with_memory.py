# uvicorn examples.20_agent_with_memory:app
"""An agent that remembers its conversations, and asks before it books a train.

    curl -N localhost:8000/chat/threads/mine -H 'content-type: application/json' \\
        -d '{"messages": [["human", "I want to go to Paris."]]}'

The answer ends with ``{"interrupted": [...]}``: the agent waits for a decision, which goes to the
same thread, perhaps tomorrow:

    curl -N localhost:8000/chat/threads/mine -H 'content-type: application/json' \\
        -d '{"resume": {"decisions": [{"type": "approve"}]}}'

The thread is there until it is deleted:

    curl localhost:8000/chat/threads/mine/messages
    curl -X DELETE localhost:8000/chat/threads/mine

Or talk to it at http://localhost:8000/playground.
"""

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from asgi_stream import StreamApp, StreamRoute

from .scripted import ScriptedModel


@tool
async def book_train(city: str) -> str:
    """Book a train to a city."""
    return f"The train to {city} is booked."


agent = create_agent(
    ScriptedModel(answer="{question} That was wish number {turn}."),
    tools=[book_train],
    middleware=[HumanInTheLoopMiddleware({"book_train": True})],
    checkpointer=InMemorySaver(),  # or AsyncSqliteSaver, AsyncPostgresSaver, AsyncRedisSaver
)

app = StreamApp(routes=[StreamRoute("/chat", agent, threads=True)], playground=True)
