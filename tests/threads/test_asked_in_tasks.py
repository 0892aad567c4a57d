"""Approvals that a graph asks for which a ``@task`` calls, answered in all formats."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain_core.outputs import ChatResult
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import entrypoint, task
from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict

from asgi_stream import StreamApp, StreamRoute

from ..asgi import Exchange, frames, get, post
from .agents import Listener, agent_of
from .chat import CHAT

pytestmark = pytest.mark.anyio

APPROVE = {"type": "approve"}
DECIDED = {"decisions": [APPROVE]}
MODEL = "graph"


class State(TypedDict):
    text: str


class Hesitant(Listener):
    """Calls its tools later than others that begin at the same time."""

    async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
        await asyncio.sleep(0.05)
        return await super()._agenerate(*args, **kwargs)


def graph_of(place: str, *agents: Any, at_once: bool = False, saver: Any = None) -> Any:
    """A graph that calls agents in tasks, one after the other or at once, with the same text."""

    @task
    async def delegate(n: int, text: str) -> str:
        message = {"role": "user", "content": text, "id": f"u{n}"}
        return str((await agents[n].ainvoke({"messages": [message]}))["messages"][-1].content)

    @task
    async def outer(n: int, text: str) -> str:
        return await delegate(n, text)

    called = outer if place == "task" else delegate

    async def step(state: State) -> State:
        if at_once:
            results = await asyncio.gather(*(called(n, state["text"]) for n in range(len(agents))))
        else:
            results = [await called(n, state["text"]) for n in range(len(agents))]
        return {"text": " ".join(results)}

    saver = saver or InMemorySaver()
    if place == "entrypoint":
        return entrypoint(checkpointer=saver)(step)
    graph = StateGraph(State).add_node("step", step).add_edge(START, "step")
    if place != "subgraph":
        return graph.compile(checkpointer=saver)
    around = StateGraph(State).add_node("inner", graph.compile()).add_edge(START, "inner")
    return around.compile(checkpointer=saver)


def app_of(graph: Any) -> StreamApp:
    more: Any = {"threads": True, "conversation": lambda _: {"text": "refund A"}}
    return StreamApp(
        [
            StreamRoute("/plain", graph, threads=True, format="chunks"),
            StreamRoute("/langgraph", {MODEL: graph}, threads=True, format="langgraph"),
            StreamRoute("/chat", graph, format=CHAT, **more),
            StreamRoute("/vercel", graph, format="vercel", **more),
            StreamRoute("/agui", graph, format="agui", **more),
            StreamRoute("/openai", {MODEL: graph}, format="openai", resume=True, **more),
        ],
        signals=False,
    )


class Client:
    """A client of one format, that sends what the real ones do.

    Attributes:
        unknown: What this format's clients name a question with, of one that is not asked.
        seen: Ids of the questions in the newest response.
        body: The newest response.
    """

    unknown = "0" * 32

    def __init__(self, app: StreamApp) -> None:
        self.app = app
        self.seen: list[str] = []
        self.body = b""

    async def post(self, path: str, body: Any) -> Exchange:
        response = await post(self.app, path, body)
        self.body = response.body
        return response

    async def ask(self) -> str:
        """Begin, and return the id of the only question."""
        await self.began()
        return self.seen[0]

    async def began(self) -> int:
        raise NotImplementedError

    async def answer(self, id_: str) -> int:
        raise NotImplementedError


class Plain(Client):
    async def began(self) -> int:
        return await self._send({"text": "refund A"})

    async def answer(self, id_: str) -> int:
        return await self._send({"resume": {id_: DECIDED}})

    async def _send(self, body: Any) -> int:
        answer = await self.post("/plain?thread_id=t", body)
        self.seen = [
            each["id"]
            for frame in (frames(answer.body) if answer.status == 200 else ())
            if "interrupted" in frame
            for each in frame["interrupted"]
        ]
        return answer.status


class Bare(Plain):
    """Names no question where it can do without."""

    async def answer(self, id_: str) -> int:
        return await self._send({"resume": {id_: DECIDED} if id_ not in self.seen else DECIDED})


class LangGraph(Client):
    async def began(self) -> int:
        await post(self.app, "/langgraph/threads", {"thread_id": "t"})
        return await self._run({"input": {"text": "refund A"}})

    async def answer(self, id_: str) -> int:
        return await self._run({"command": {"resume": {id_: DECIDED}}})

    async def _run(self, body: Any) -> int:
        body = {"assistant_id": MODEL, **body}
        answer = await self.post("/langgraph/threads/t/runs/wait", body)
        self.seen = [each["id"] for each in answer.json().get("__interrupt__", ())]
        return answer.status


class Chat(Client):
    """Names the calls, by what a reload shows of the thread."""

    async def began(self) -> int:
        return await self._send({})

    async def answer(self, id_: str) -> int:
        return await self.decide(**{id_: APPROVE})

    async def decide(self, **decisions: Any) -> int:
        return await self._send({"decisions": decisions})

    async def _send(self, more: Any) -> int:
        message = {"id": "q", "role": "user", "content": "refund A"}
        answer = await self.post("/chat", {"id": "t", "messages": [message], **more})
        chat = (await get(self.app, "/vercel/t")).json()
        parts = [part for each in chat["messages"] for part in each["parts"]]
        requests = [each for each in parts if each.get("state") == "approval-requested"]
        self.seen = [each["toolCallId"] for each in requests]
        return answer.status


class Vercel(Client):
    async def began(self) -> int:
        return await self._send()

    async def answer(self, id_: str) -> int:
        part = {"type": "dynamic-tool", "toolName": "refund", "toolCallId": id_, "input": {}}
        part |= {"state": "approval-responded", "approval": {"id": id_, "approved": True}}
        return await self._send({"id": "a", "role": "assistant", "parts": [part]})

    async def _send(self, *more: Any) -> int:
        message = {"id": "q", "role": "user", "parts": [{"type": "text", "text": "refund A"}]}
        answer = await self.post("/vercel", {"id": "t", "messages": [message, *more]})
        parts = frames(answer.body)[:-1] if answer.status == 200 else []
        requests = [each for each in parts if each["type"] == "tool-approval-request"]
        self.seen = [each["toolCallId"] for each in requests]
        return answer.status


class AGUI(Client):
    async def began(self) -> int:
        return await self._run([])

    async def answer(self, id_: str) -> int:
        return await self._run([{"interruptId": id_, "status": "resolved", "payload": APPROVE}])

    async def _run(self, entries: Any) -> int:
        message = {"id": "q", "role": "user", "content": "refund A"}
        body = {"threadId": "t", "runId": "r", "messages": [message], "tools": [], "context": []}
        answer = await self.post("/agui", {**body, "resume": entries})
        outcome = frames(answer.body)[-1].get("outcome") if answer.status == 200 else None
        self.seen = [each["id"] for each in (outcome or {}).get("interrupts", ())]
        return answer.status


class OpenAI(Client):
    unknown = "mcpr_" + "0" * 40
    _response = ""

    async def began(self) -> int:
        return await self._respond({"input": "refund A"})

    async def answer(self, id_: str) -> int:
        item = {"type": "mcp_approval_response", "approval_request_id": id_, "approve": True}
        return await self._respond({"input": [item], "previous_response_id": self._response})

    async def _respond(self, body: Any) -> int:
        answer = await self.post("/openai/responses", {"model": MODEL, **body})
        self.seen = []
        if answer.status == 200:
            response = answer.json()
            self._response = response["id"]
            requests = [e for e in response["output"] if e["type"] == "mcp_approval_request"]
            self.seen = [each["id"] for each in requests]
        return answer.status


CLIENTS = pytest.mark.parametrize("client_of", [Plain, Bare, LangGraph, Chat, Vercel, AGUI, OpenAI])
PLACES = pytest.mark.parametrize("place", ["node", "entrypoint", "task", "subgraph"])


def agents(*models: Listener, stateful: Any = None) -> list[Any]:
    made = [agent_of(model, mode="batched") for model in models]
    for each in made:
        each.checkpointer = stateful
    return made


@CLIENTS
@PLACES
@pytest.mark.parametrize("stateful", [None, True])
async def test_an_answer_reaches_its_question_once(
    client_of: type[Client], place: str, stateful: Any
) -> None:
    model = Listener()
    client = client_of(app_of(graph_of(place, *agents(model, stateful=stateful))))
    question = await client.ask()
    assert await client.answer(client.unknown) == 409
    assert len(model.hears) == 1
    assert await client.answer(question) == 200
    assert model.hears[1:] == [["user: refund A", "calls: A", "tool: refunded A"]]
    assert await client.answer(question) == 409
    assert len(model.hears) == 2


@CLIENTS
@PLACES
async def test_the_next_question_takes_no_answer_to_the_one_before(
    client_of: type[Client], place: str
) -> None:
    model = Listener()
    client = client_of(app_of(graph_of(place, *agents(model, model))))
    first = await client.ask()
    assert await client.answer(first) == 200
    [second] = client.seen
    assert second != first
    assert await client.answer(first) == 409
    assert len(model.hears) == 3
    assert await client.answer(second) == 200
    assert len(model.hears) == 4


@PLACES
async def test_equal_calls_that_wait_together_are_told_apart(place: str) -> None:
    models = Hesitant(), Listener()
    client = Chat(app_of(graph_of(place, *agents(*models), at_once=True)))
    await client.began()
    decisions = {"u0-0": APPROVE, "u1-0": {"type": "reject", "message": "not this one"}}
    while client.seen:
        call = client.seen[0]
        assert await client.decide(**{call: decisions.pop(call)}) == 200
    first, second = (model.hears[-1][-1] for model in models)
    assert first == "tool: refunded A"
    assert "not this one" in second


@CLIENTS
@PLACES
async def test_an_agent_without_checkpoints_takes_no_answer(
    client_of: type[Client], place: str
) -> None:
    client = client_of(app_of(graph_of(place, *agents(Listener(), stateful=False))))
    await client.began()
    await client.answer(client.seen[0] if client.seen else "u0-0")
    assert b"checkpointer=False" in client.body
    assert not client.seen
