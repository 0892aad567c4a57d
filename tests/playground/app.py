"""Tables with a playground, mounted in all the ways there are."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.output_parsers import JsonOutputParser
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt
from litestar import Litestar
from litestar import asgi as litestar_asgi
from litestar.types import Receive, Scope, Send
from pydantic import BaseModel, Field
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Mount
from typing_extensions import TypedDict

from asgi_stream import StreamApp, StreamError, StreamRoute
from examples.agent import agent
from examples.scripted import ScriptedModel

from ..client.app import everything
from ..models import PROMPT
from ..threads.agents import Listener, look

HTML = "<img src=x onerror=alert(1)>"
MARKDOWN = (
    "# Title\n\n* one\n* two\n\n**bold** `code` <script>alert(1)</script> "
    "[evil](javascript:alert(1)) [good](https://example.com) ![far](https://example.com/x.png)"
    "\n\n|a|b|\n|:--|--:|\n|1|2|\n"
)


class Stop(BaseModel):
    town: str
    nights: int = 1


class Trip(BaseModel):
    """A trip."""

    to: str = Field(description=f"Where to {HTML}")
    days: int = 3
    budget: float | None = None
    luxury: bool = False
    season: Literal["spring", "summer"] = "summer"
    stops: list[Stop] = []
    words: list[str] = []
    extra: dict[str, Any] | None = None


class Address(BaseModel):
    street: str
    number: int


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    name: str


class Where(BaseModel):
    question: str
    age: int | None
    home: Address | None = None
    pet: Cat | Dog | None = None
    around: Where | None = None


async def plan(trip: Any) -> Any:
    await asyncio.sleep(0.05)
    return {"plan": trip}


def fails(_: Any) -> Any:
    raise ValueError("secret")


def authorize(request: Request) -> str:
    if request.headers.get("authorization") != "Bearer ann":
        raise StreamError("Who are you?", code="unknown_user", status=401)
    return "ann"


def seen(messages: Any) -> str:
    content = messages[-1].content
    return str(content if isinstance(content, str) else [block["type"] for block in content])


chain = PROMPT | ScriptedModel(seconds=0.02)
marked = PROMPT | ScriptedModel(answer=MARKDOWN.replace("{", "{{"), seconds=0)


def quiet(name: str, answer: str, *tags: str) -> Any:
    return ScriptedModel(answer=answer, seconds=0).with_config(run_name=name, tags=[*tags])


drafted = PROMPT | quiet("draft", "DRAFT.") | (lambda _: "x") | quiet("final", "FINAL.")
thought = (
    PROMPT | quiet("thinks", "THOUGHT.", "nostream") | (lambda _: "x") | quiet("says", "SAID.")
)
parsed = PROMPT | ScriptedModel(answer='{{"a": [1, 2]}}', seconds=0) | JsonOutputParser()


@tool
def refund(order: str, amount: int = 10) -> str:
    """Refund an order."""
    return f"refunded {amount} for {order}"


def approving(mode: Literal["batched", "per_call"]) -> Any:
    """An agent whose refunds are approved by a person."""
    middleware = [HumanInTheLoopMiddleware({"refund": True}, interrupt_mode=mode)]
    saver = InMemorySaver()
    return create_agent(Listener(), [refund, look], middleware=middleware, checkpointer=saver)


class Booking(BaseModel):
    nights: int
    breakfast: bool = False


def books(state: MessagesState) -> Any:
    booking = interrupt("How long do you stay?", response_schema=Booking)
    return {"messages": [("ai", f"booked {booking!r}")]}


def confirms(state: MessagesState) -> Any:
    return {"messages": [("ai", f"You said: {interrupt('Are you sure?')}")]}


def graph_of(node: Any) -> Any:
    graph = StateGraph(MessagesState).add_node("node", node).add_edge(START, "node")
    return graph.compile(checkpointer=InMemorySaver())


def talking() -> Any:
    model = ScriptedModel(answer="Turn {turn}: you said {question}" + " word" * 20, seconds=0.02)
    return create_agent(model, checkpointer=InMemorySaver())


def conversations() -> list[StreamRoute]:
    """Routes with threads, in all formats that have them."""
    return [
        StreamRoute("/talk", talking(), threads=True, resume=True),
        StreamRoute("/talk/vercel", talking(), format="vercel", threads=True, authorize=user),
        StreamRoute("/talk/agui", talking(), format="agui", threads=True),
        StreamRoute(
            "/talk/langgraph", {"a": talking(), "b": talking()}, format="langgraph", threads=True
        ),
        StreamRoute("/talk/langserve", talking(), format="langserve", threads=True),
        StreamRoute("/batched", approving("batched"), format="vercel", threads=True),
        StreamRoute("/per-call", approving("per_call"), threads=True),
        StreamRoute("/books", graph_of(books), format="events", threads=True),
        StreamRoute("/notes", flaky(), threads=True),
        StreamRoute("/made/{name}", lambda request: made, threads=True),
        StreamRoute("/locked", talking(), threads=True, authorize=authorize),
        StreamRoute("/confirms", graph_of(confirms), format="chunks", threads=True),
    ]


class Notes(TypedDict):
    topic: str
    note: str


def flaky() -> Any:
    """A graph without messages, whose first run fails."""
    runs: list[str] = []

    def notes(state: Notes) -> Any:
        runs.append(state["topic"])
        if len(runs) == 1:
            raise ValueError("not yet")
        return {"note": f"{state['topic']}, noted"}

    graph = StateGraph(Notes).add_node("notes", notes).add_edge(START, "notes")
    return graph.compile(checkpointer=InMemorySaver())


made = talking()


def user(request: Request) -> str:
    return request.headers.get("x-user", "ann")


ASKS = ("tokens", "chunks", "vercel", "agui", "langgraph", "langserve", "mcp")


def asking() -> Any:
    """A graph that stops to ask."""
    graph = StateGraph(MessagesState)
    graph.add_node("ask", lambda state: {"messages": [("ai", str(interrupt("Are you sure?")))]})
    graph.add_edge(START, "ask")
    return graph.compile()


def routes() -> list[StreamRoute]:
    return [
        StreamRoute("/chat", chain),
        StreamRoute("/markdown", marked),
        StreamRoute("/trip", RunnableLambda(plan), input=Trip, format="chunks"),
        StreamRoute("/any", RunnableLambda(plan), format="chunks"),
        StreamRoute("/fails", RunnableLambda(fails)),
        StreamRoute("/steps", RunnableLambda(everything)),
        StreamRoute("/agent", agent, format="events"),
        StreamRoute("/vercel", agent, format="vercel"),
        StreamRoute("/agui", agent, format="agui"),
        StreamRoute("/langgraph", agent, format="langgraph"),
        StreamRoute("/langserve", chain, format="langserve"),
        StreamRoute("/mcp", {"chain": chain, "shout": RunnableLambda(str.upper)}, format="mcp"),
        StreamRoute("/openai", {"fast": chain, "deep": marked}, format="openai"),
        StreamRoute("/files", RunnableLambda(seen), format="vercel"),
        StreamRoute("/kept/{name}", chain, resume=True, configurable=("temperature",)),
        StreamRoute("/get", chain, methods=("GET",)),
        StreamRoute("/where", RunnableLambda(plan), input=Where, format="chunks"),
        StreamRoute("/final", drafted, answer=("final",)),
        StreamRoute("/thought", thought),
        StreamRoute("/parsed", parsed, format="chunks"),
        StreamRoute("/more", chain, resume=True),
        StreamRoute("/mine", chain, authorize=authorize),
        *conversations(),
        *(StreamRoute(f"/asks/{name}", asking(), format=name) for name in ASKS),
    ]


streams = StreamApp(routes(), playground=True, title=f"All {HTML}")
root = streams
nested = Starlette(routes=[Mount("/a", routes=[Mount("/b", streams)])])


@litestar_asgi("/ai", is_mount=True, copy_scope=False)
async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
    app: Any = streams
    await app(scope, receive, send)


litestar = Litestar([mounted], logging_config=None)
