"""Answers to interrupts are checked against what is pending, and count once."""

from __future__ import annotations

from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import task
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt
from typing_extensions import TypedDict

from asgi_stream import StreamApp, StreamRoute

from ..asgi import Exchange, frames, get, post
from .agents import Listener, agent_of, look, refund
from .chat import CHAT, Client

pytestmark = pytest.mark.anyio

APPROVE = {"type": "approve"}
MODES = pytest.mark.parametrize("mode", ["batched", "per_call"])


@pytest.fixture
def model() -> Listener:
    return Listener()


def client_of(agent: Any) -> Client:
    return Client(StreamApp([StreamRoute("/chat", agent, format=CHAT, threads=True)]))


async def messages_of(client: Client) -> list[Any]:
    graph: Any = client.app.table[0].runnables["chat"]
    state = await graph.aget_state({"configurable": {"thread_id": client.thread}})
    return list(state.values["messages"])


def questions(answer: Exchange) -> list[Any]:
    [interrupted] = [frame for frame in frames(answer.body) if "interrupted" in frame]
    return list(interrupted["interrupted"])


@MODES
async def test_calls_are_approved_and_rejected(mode: str, model: Listener) -> None:
    client = client_of(agent_of(model, mode=mode))
    turn = await client.say("refund A B", "u1")
    assert len(questions(turn)) == (1 if mode == "batched" else 2)
    reject = {"type": "reject", "message": "not B"}
    answer = await client.decide(**{"u1-0": APPROVE, "u1-1": reject})
    assert answer.status == 200
    rejected, approved = sorted(model.hears[-1][2:])
    assert "not B" in rejected
    assert approved == "tool: refunded A"


@MODES
async def test_a_person_edits_a_call_or_answers_in_its_place(mode: str, model: Listener) -> None:
    client = client_of(agent_of(model, mode=mode))
    await client.say("refund A B", "u1")
    edit = {"type": "edit", "edited_action": {"name": "refund", "args": {"order": "Z"}}}
    await client.decide(**{"u1-0": edit, "u1-1": {"type": "respond", "message": "later"}})
    later, edited = sorted(model.hears[-1][2:], key=len)
    assert "refunded Z" in edited
    assert later == "tool: later"


@MODES
async def test_equal_calls_are_told_apart(mode: str, model: Listener) -> None:
    client = client_of(agent_of(model, mode=mode))
    await client.say("refund A A", "u1")
    await client.decide(**{"u1-1": APPROVE, "u1-0": {"type": "reject", "message": "once"}})
    state = await messages_of(client)
    results = {each.tool_call_id: each.content for each in state if each.type == "tool"}
    assert "once" in results["u1-0"]
    assert results["u1-1"] == "refunded A"


@MODES
async def test_an_answer_counts_once(mode: str, model: Listener) -> None:
    client = client_of(agent_of(model, mode=mode))
    await client.say("refund A", "u1")
    assert (await client.decide(**{"u1-0": APPROVE})).status == 200
    heard = len(model.hears)
    for call in ("u1-0", "unknown"):
        answer = await client.decide(**{call: APPROVE})
        assert (answer.status, answer.json()["error"]["code"]) == (409, "not_pending")
    assert len(model.hears) == heard


@MODES
@pytest.mark.parametrize(
    ("decision", "field"),
    [
        ({"type": "maybe"}, "decisions.u1-0.type"),
        ({"type": "edit"}, "decisions.u1-0.edited_action"),
        ({"type": "edit", "edited_action": {"name": 1}}, "decisions.u1-0.edited_action.name"),
        ({"type": "respond"}, "decisions.u1-0.message"),
        ({}, "decisions.u1-0.type"),
        ("yes", "decisions.u1-0"),
    ],
)
async def test_a_wrong_decision_is_refused_by_its_field(
    mode: str, decision: Any, field: str, model: Listener
) -> None:
    client = client_of(agent_of(model, mode=mode))
    await client.say("refund A", "u1")
    answer = await client.decide(**{"u1-0": decision})
    assert answer.status == 422
    assert field in answer.json()["error"]["fields"]
    assert (await client.decide(**{"u1-0": APPROVE})).status == 200


@MODES
async def test_decisions_that_are_not_allowed_are_refused(mode: Any, model: Listener) -> None:
    from langchain.agents import create_agent
    from langchain.agents.middleware import HumanInTheLoopMiddleware

    gate = HumanInTheLoopMiddleware(
        {"refund": {"allowed_decisions": ["approve", "reject"]}}, interrupt_mode=mode
    )
    agent = create_agent(model, [refund, look], checkpointer=InMemorySaver(), middleware=[gate])
    client = client_of(agent)
    await client.say("refund A", "u1")
    answer = await client.decide(**{"u1-0": {"type": "respond", "message": "no"}})
    assert answer.status == 422
    assert answer.json()["error"]["fields"] == {
        "decisions.u1-0.type": "expected one of approve, reject for refund"
    }


async def test_calls_of_one_question_are_decided_together(model: Listener) -> None:
    client = client_of(agent_of(model, mode="batched"))
    await client.say("refund A B", "u1")
    answer = await client.decide(**{"u1-0": APPROVE})
    assert answer.status == 422
    assert len(model.hears) == 1


async def test_calls_with_a_question_each_are_decided_one_by_one(model: Listener) -> None:
    client = client_of(agent_of(model, mode="per_call"))
    await client.say("refund A B", "u1")
    rest = questions(await client.decide(**{"u1-0": APPROVE}))
    assert [each["value"]["tool_call_id"] for each in rest] == ["u1-1"]
    assert (await client.decide(**{"u1-1": APPROVE})).status == 200
    assert model.hears[-1][2:] == ["tool: refunded A", "tool: refunded B"]


class Approved(TypedDict):
    by: str


def asking(*names: str, schema: Any = None) -> Any:
    """A graph whose nodes ask at the same time."""
    builder: Any = StateGraph(MessagesState)
    for name in names:

        async def ask(state: Any, name: str = name) -> Any:
            options = {} if schema is None else {"response_schema": schema}
            answer = interrupt(f"{name}?", **options)
            return {"messages": [{"role": "assistant", "content": f"{name}: {answer}"}]}

        builder.add_node(name, ask)
        builder.add_edge(START, name)
    return builder.compile(checkpointer=InMemorySaver())


async def ask(app: StreamApp, body: Any) -> Exchange:
    return await post(app, "/ask?thread_id=t", body)


HI = {"messages": [{"role": "user", "content": "hi"}]}


async def test_several_questions_are_answered_by_their_ids() -> None:
    app = StreamApp([StreamRoute("/ask", asking("a", "b"), threads=True, format="chunks")])
    first, second = sorted(questions(await ask(app, HI)), key=lambda each: str(each["value"]))
    answer = await ask(app, {"resume": "which?"})
    assert answer.status == 422
    assert first["id"] in answer.json()["error"]["message"]
    assert (await ask(app, {"resume": {"0" * 32: 1}})).status == 409
    [rest] = questions(await ask(app, {"resume": {first["id"]: "yes"}}))
    assert rest == second
    assert (await ask(app, {"resume": {first["id"]: "again"}})).status == 409
    assert b"b: fine" in (await ask(app, {"resume": "fine"})).body


async def test_an_answer_that_the_graph_refuses_leaves_the_question_open() -> None:
    app = StreamApp(
        [StreamRoute("/ask", asking("a", schema=Approved), threads=True, format="chunks")]
    )
    [question] = questions(await ask(app, HI))
    assert question["response_schema"]["required"] == ["by"]
    refused = await ask(app, {"resume": {"by": 1}})
    assert refused.status == 422
    assert "answer.by" in refused.json()["error"]["fields"]
    assert b"ann" in (await ask(app, {"resume": {"by": "ann"}})).body


async def test_questions_of_subgraphs_name_their_calls(model: Listener) -> None:
    inner = agent_of(model, mode="batched", saver=True)

    class Outer(TypedDict):
        text: str

    async def step(state: Any) -> Any:
        messages = [{"role": "user", "content": state["text"], "id": "u1"}]
        answer = await inner.ainvoke({"messages": messages})
        return {"text": answer["messages"][-1].content}

    builder: Any = StateGraph(Outer)
    builder.add_node("step", step)
    builder.add_edge(START, "step")
    graph = builder.compile(checkpointer=InMemorySaver())
    app = StreamApp(
        [
            StreamRoute("/ask", graph, threads=True),
            StreamRoute("/chat", graph, threads=True, format=CHAT, conversation=lambda _: {}),
        ]
    )
    await ask(app, {"text": "refund A"})
    client = Client(app)
    assert (await client.decide(**{"u1-0": {"type": "edit"}})).status == 422
    assert (await client.decide(**{"u1-0": APPROVE})).status == 200
    assert model.hears[-1][2:] == ["tool: refunded A"]


async def test_a_graph_with_breakpoints_goes_on() -> None:
    builder: Any = StateGraph(MessagesState)
    builder.add_node("say", lambda _: {"messages": [{"role": "assistant", "content": "hello"}]})
    builder.add_edge(START, "say")
    graph = builder.compile(checkpointer=InMemorySaver(), interrupt_before=["say"])
    app = StreamApp([StreamRoute("/ask", graph, threads=True, format="chunks")])
    [stop] = questions(await ask(app, HI))
    assert stop["value"] == {"when": "breakpoint"}
    assert b"hello" in (await ask(app, {"resume": True})).body
    assert (await ask(app, {"resume": True})).status == 409


async def test_a_failed_run_takes_no_answer(model: Listener) -> None:
    builder: Any = StateGraph(MessagesState)

    def fail(_: Any) -> Any:
        raise RuntimeError("no")

    builder.add_node("fail", fail)
    builder.add_edge(START, "fail")
    graph = builder.compile(checkpointer=InMemorySaver())
    app = StreamApp([StreamRoute("/ask", graph, threads=True)])
    assert (await ask(app, HI)).status == 500
    assert (await ask(app, {"resume": 1})).status == 409


async def test_what_a_task_in_a_subgraph_asks_is_one_question() -> None:
    @task
    async def sure() -> str:
        return str(interrupt("Sure?"))

    async def ask_in_task(state: Any) -> Any:
        return {"messages": [{"role": "assistant", "content": await sure()}]}

    inner: Any = StateGraph(MessagesState).add_node(ask_in_task).add_edge(START, "ask_in_task")
    outer: Any = StateGraph(MessagesState).add_node("inner", inner.compile())
    graph = outer.add_edge(START, "inner").compile(checkpointer=InMemorySaver())
    app = StreamApp(
        [
            StreamRoute("/ask", graph, threads=True, format="chunks"),
            StreamRoute("/graph", graph, threads=True, format="langgraph"),
        ]
    )
    [question] = questions(await ask(app, HI))
    state = (await get(app, "/ask/threads/t/state")).json()
    for each in (state, *state["tasks"]):
        assert [interrupt["id"] for interrupt in each["interrupts"]] == [question["id"]]
    assert b"yes" in (await ask(app, {"resume": "yes"})).body
    body = {"assistant_id": "graph", "input": HI, "stream_mode": "values"}
    stream = await post(app, "/graph/runs/stream", body)
    assert stream.body.count(b"Sure?") == 1
