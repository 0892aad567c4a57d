"""Agents for clients of AG-UI, and what they keep of a thread."""

from __future__ import annotations

from collections.abc import AsyncIterator
from importlib import import_module
from itertools import count
from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.chat_models import agenerate_from_stream
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt
from starlette.requests import Request

from asgi_stream import StreamApp, StreamRoute

heard: list[list[tuple[str, str]]] = []
"""What the model got, call by call: the type and the text of each message."""

numbers = count(1)


class Clerk(BaseChatModel):
    """Calls the tools that the user's words name, otherwise repeats the last words that it got.

    ``"refund 5, look 1"`` is two calls. Provider's ids of messages begin with ``"m-"``.
    """

    @property
    def _llm_type(self) -> str:
        return "clerk"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self.bind(tools=tools, **kwargs)

    def _generate(self, *_: Any, **__: Any) -> ChatResult:
        raise NotImplementedError

    async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
        return await agenerate_from_stream(self._astream(*args, **kwargs))

    async def _astream(
        self, messages: Any, *_: Any, **__: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        heard.append([(each.type, str(each.content)) for each in messages])
        last, id_ = messages[-1], f"m-{next(numbers)}"
        words = str(last.content)
        if isinstance(last, HumanMessage) and words.split()[0] in ("refund", "look"):
            chunks: list[Any] = [{"content": "I look. ", "id": id_}]
            for n, call in enumerate(words.split(", ")):
                name, amount = call.split()
                about: Any = {"name": name, "id": f"call-{id_}-{n}", "index": n}
                call_chunk = tool_call_chunk(args=f'{{"amount": {amount}}}', **about)
                chunks.append({"content": "", "id": id_, "tool_call_chunks": [call_chunk]})
        else:
            chunks = [{"content": each, "id": id_} for each in ("Got ", words)]
        for each in chunks:
            yield ChatGenerationChunk(message=AIMessageChunk(**each))


@tool
async def refund(amount: int) -> str:
    """Refund."""
    return f"refunded {amount}"


@tool
async def look(amount: int) -> str:
    """Look."""
    if amount == 0:
        raise ValueError("secret")
    return f"looked at {amount}"


def clerk(mode: Any = "batched", decisions: Any = True) -> Any:
    """An agent that has its refunds approved."""
    asks = HumanInTheLoopMiddleware({"refund": decisions}, interrupt_mode=mode)
    return create_agent(Clerk(), [refund, look], checkpointer=InMemorySaver(), middleware=[asks])


def nested(mode: Any) -> Any:
    """A graph that has such an agent as a subgraph."""
    asks = HumanInTheLoopMiddleware({"refund": True}, interrupt_mode=mode)
    agent = create_agent(Clerk(), [refund, look], middleware=[asks])
    graph = StateGraph(MessagesState).add_node("agent", agent).add_edge(START, "agent")
    return graph.compile(checkpointer=InMemorySaver())


def page_clerk(first: bool) -> Any:
    """An agent whose page looks, and who has its refunds approved.

    Args:
        first: Whether a decision comes before the middleware for the page's tools sees a message.
    """
    asks = HumanInTheLoopMiddleware({"refund": True})
    page_tools = import_module("examples.19_page_tools").PageTools()
    middleware = [page_tools, asks] if first else [asks, page_tools]
    return create_agent(Clerk(), [refund], checkpointer=InMemorySaver(), middleware=middleware)


class Plan(MessagesState):
    """A state with more than messages."""

    plan: str


async def answer(state: Plan) -> dict[str, Any]:
    messages = [SystemMessage("Be brief."), *state["messages"]]
    return {"messages": [await Clerk().ainvoke(messages)], "plan": f"{state.get('plan', '')}+"}


def ask(state: Plan) -> dict[str, Any]:
    return {
        "messages": [AIMessage(f"It is {interrupt({'message': 'Which?', 'reason': 'doubt'})}.")]
    }


class Kit(MessagesState):
    """What AG-UI's adapters put the client's tools into."""

    copilotkit: dict[str, Any]


async def answer_with_tools(state: Kit) -> dict[str, Any]:
    model = Clerk().bind_tools(state["copilotkit"]["actions"])
    return {"messages": [await model.ainvoke(state["messages"])]}


def graph_of(node: Any, **options: Any) -> Any:
    state = Kit if node is answer_with_tools else Plan
    graph: Any = StateGraph(state).add_node("node", node).add_edge(START, "node")
    return graph.compile(checkpointer=InMemorySaver(), **options)


def owner_of(request: Request) -> str | None:
    return request.headers.get("x-user")


def routes() -> list[StreamRoute]:
    return [
        StreamRoute("/batched", clerk()),
        StreamRoute("/per_call", clerk("per_call")),
        StreamRoute("/nested/batched", nested("batched")),
        StreamRoute("/nested/per_call", nested("per_call")),
        StreamRoute("/strict", clerk("per_call", {"allowed_decisions": ["approve"]})),
        StreamRoute("/plan", graph_of(answer)),
        StreamRoute("/kit", graph_of(answer_with_tools)),
        StreamRoute("/page", page_clerk(first=False)),
        StreamRoute("/page/decided", page_clerk(first=True)),
        StreamRoute("/ask", graph_of(ask)),
        StreamRoute("/paused", graph_of(answer, interrupt_before=["node"])),
    ]


def served() -> StreamApp:
    """An app of which nothing has been used yet."""
    return StreamApp(routes(), format="agui", threads=True, authorize=owner_of)


app = served()
