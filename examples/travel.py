"""An agent that asks before it books a train, and who may talk to it, for several examples."""

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from starlette.requests import Request

from asgi_stream import StreamError

from .scripted import ScriptedModel

USERS = {"Bearer secret-of-ann": "ann"}


def user_of(request: Request) -> str:
    """Return who sends a request: each user has threads of their own."""
    user = USERS.get(request.headers.get("authorization", ""))
    if user is None:
        raise StreamError("Log in first.", code="unauthorized", status=401)
    return user


@tool
async def book_train(city: str) -> str:
    """Book a train to a city."""
    return f"The train to {city} is booked."


ANSWER = (
    "{question} That was wish number {turn}. Take a book along, and something to eat: it is a long"
    " way, and the restaurant may be closed. Look out of the window, too."
)

agent = create_agent(
    ScriptedModel(answer=ANSWER),
    tools=[book_train],
    middleware=[HumanInTheLoopMiddleware({"book_train": True})],
    checkpointer=InMemorySaver(),
)
