"""Parts of threads that whole requests reach only rarely."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph

from asgi_stream import StreamApp, StreamRoute, Threads
from asgi_stream._langchain.answers import resume_values
from asgi_stream._langchain.approvals import interrupt_event
from asgi_stream._langchain.tasks import RunTasks
from asgi_stream._langchain.threads.commands import command_of
from asgi_stream._langchain.threads.graph_thread import GraphThread
from asgi_stream._langchain.threads.new_messages import new_messages
from asgi_stream._langchain.threads.replay import before_message
from asgi_stream._langchain.threads.results import closing
from asgi_stream._langchain.threads.state_messages import messages_of
from asgi_stream._langchain.threads.turn import ThreadTurn
from asgi_stream._threads.graph_threads import GraphThreads
from asgi_stream.errors import InvalidInput, NotPending
from asgi_stream.events import RunError
from asgi_stream.formats import Answer, FormatRequest, RunSpec, ThreadQuery
from asgi_stream.formats.tokens import TokensFormat
from asgi_stream.stores import redis_threads
from asgi_stream.stores.memory_threads import MemoryThreadStore

from ..asgi import JSON, Exchange, get, post
from ..clients import until
from .agents import Listener, agent_of
from .chat import CHAT, Client, user

pytestmark = pytest.mark.anyio

CALL = {"name": "refund", "args": {"order": "A"}, "id": "c1", "type": "tool_call"}
TWO = [CALL, {**CALL, "id": "c2"}]


def batched(*calls: Any, allowed: tuple[str, ...] = ("approve",)) -> Any:
    return {
        "action_requests": [{"name": each["name"], "args": each["args"]} for each in calls],
        "review_configs": [
            {"action_name": each["name"], "allowed_decisions": [*allowed]} for each in calls
        ],
    }


class Asked:
    def __init__(self, value: Any, schema: Any = None) -> None:
        self.id, self.value, self.response_schema = "0" * 32, value, schema


def test_one_question_is_answered_in_one_way() -> None:
    messages = [AIMessage("", tool_calls=[CALL])]
    interrupt = interrupt_event(Asked(batched(CALL)), [messages])
    approve = {"type": "approve"}
    by_call = Answer(call="c1", value=approve)
    by_id = Answer(interrupt="0" * 32, value={"decisions": [approve]})
    expected = {"0" * 32: {"decisions": [approve]}}
    assert resume_values([by_call], [interrupt]) == expected
    assert resume_values([by_id], [interrupt]) == expected
    for answers in ([by_call, by_id], [by_id, by_id]):
        with pytest.raises(NotPending):
            resume_values(answers, [interrupt])


@pytest.mark.parametrize(
    ("schema", "allowed"),
    [
        (None, ()),
        ({"type": "object"}, ("approve", "edit", "reject", "respond")),
        ({"properties": {"type": {"const": "approve"}}}, ("approve",)),
        ({"discriminator": {"mapping": {"approve": "", "reject": ""}}}, ("approve", "reject")),
    ],
)
def test_the_schema_of_an_answer_says_what_is_allowed(schema: Any, allowed: Any) -> None:
    value = {"type": "tool_approval", "tool_call_id": "c1", "name": "refund", "args": {}}
    [approval] = interrupt_event(Asked(value, schema)).approvals
    assert approval.allowed == allowed


@pytest.mark.parametrize(
    "value",
    [
        "Sure?",
        {"action_requests": ["refund"], "review_configs": []},
        {"action_requests": [], "review_configs": [1]},
        {"type": "tool_approval"},
    ],
)
def test_other_questions_are_about_no_calls(value: Any) -> None:
    assert interrupt_event(Asked(value)).approvals == ()


def test_calls_are_found_where_they_are() -> None:
    elsewhere = [HumanMessage("hi")], [AIMessage("", tool_calls=[CALL])]
    interrupt = interrupt_event(Asked(batched(CALL)), elsewhere)
    assert [each.call_id for each in interrupt.approvals] == ["c1"]
    unknown = interrupt_event(Asked(batched(CALL, CALL)), elsewhere)
    assert [each.call_id for each in unknown.approvals] == ["", ""]


def test_only_the_calls_without_a_result_are_closed() -> None:
    known = [HumanMessage("hi"), AIMessage("", tool_calls=TWO), ToolMessage("1", tool_call_id="c1")]
    assert [each["tool_call_id"] for each in closing(known, [])] == ["c2"]
    assert closing(known, [ToolMessage("2", tool_call_id="c2")]) == []
    assert closing([*known, HumanMessage("again")], []) == []
    assert closing([], []) == []


def test_results_of_the_client_s_tools_are_taken_from_a_finished_run_only() -> None:
    known = [HumanMessage("hi", id="u1"), AIMessage("", tool_calls=TWO)]
    results = [
        {"role": "tool", "tool_call_id": each, "content": each, "status": "success"}
        for each in ("c1", "other")
    ]
    sent = [user("u1", "hi"), {"role": "assistant", "content": ""}, *results]
    taken = new_messages(sent, known, finished=True).messages
    assert [(each["tool_call_id"], each["status"]) for each in taken] == [
        ("c1", "success"),
        ("c2", "error"),
    ]
    assert new_messages(sent, known, finished=False).messages == []


def test_messages_are_found_in_any_state() -> None:
    messages = [HumanMessage("hi")]
    assert messages_of({"messages": messages}) == messages
    assert messages_of({"history": messages, "n": 1}) == messages
    assert messages_of({"a": messages, "b": messages}) == ()
    assert messages_of(messages) == messages
    assert messages_of("text") == ()


def turn_on(store: MemoryThreadStore, linger: float = 0.0) -> ThreadTurn:
    async def make_input(spec: RunSpec, values: Any) -> Any:
        return {"messages": spec.messages}

    return ThreadTurn(
        "r",
        thread=GraphThread(agent_of(Listener()), "t", None),
        store=store,
        claims=store,
        scope="",
        route="/",
        spec=RunSpec(messages=[user("u1", "hi")]),
        multitask="reject",
        linger=linger,
        make_input=make_input,
        graph="g",
        tasks=RunTasks(),
    )


@pytest.mark.parametrize(("linger", "status"), [(0.0, "error"), (5.0, "idle")])
async def test_a_worker_that_has_lost_a_run_leaves_its_status_to_the_next(
    linger: float, status: str
) -> None:
    store = MemoryThreadStore()
    turn = turn_on(store, linger)
    await turn.begin()
    await turn.ended(RunError("worker_lost", "", ""))
    turn.release()
    record = await store.find("", "t")
    assert record is not None
    assert record.status == status


async def test_a_turn_that_is_taken_over_before_its_run_begins() -> None:
    turn = turn_on(MemoryThreadStore())
    assert await turn.begin() is not None
    turn.evicted()
    heard: list[str] = []
    turn.on_evicted(lambda: heard.append("taken over"))
    assert heard == ["taken over"]
    turn.release()


class Odd(TokensFormat):
    """Has operations that nothing serves."""

    threads = {("GET", "/odd"): "odd", ("GET", "/odd/{stored_thread}"): "odd"}  # noqa: RUF012


async def test_an_unknown_operation_is_not_found() -> None:
    route = StreamRoute(
        "/", agent_of(Listener()), format="tests.threads.test_parts:Odd", threads=True
    )
    app = StreamApp([route])
    for path in ("/odd", "/odd/t"):
        assert (await get(app, path)).status == 404


class RedisLike(InMemorySaver):
    """Filters by few keys only, as the checkpointer for Redis does."""

    async def alist(self, config: Any, *, filter: Any = None, **options: Any) -> AsyncIterator[Any]:
        if filter and filter.keys() - {"source", "step", "thread_id", "run_id"}:
            raise ValueError("unknown filter")
        async for each in super().alist(config, filter=filter, **options):
            yield each


async def test_threads_are_listed_by_a_checkpointer_that_filters_by_few_keys() -> None:
    saver = RedisLike()

    def app_for(owner: str) -> StreamApp:
        agent = agent_of(Listener(), saver=saver)
        return StreamApp([StreamRoute("/ask", agent, threads=True, authorize=lambda _: owner)])

    body = {"messages": [{"role": "user", "content": "hi"}]}
    for owner in ("ann", "bob"):
        await post(app_for(owner), f"/ask?thread_id=of-{owner}", body)
    # Another program has written this one.
    graph = agent_of(Listener(), saver=saver)
    await graph.ainvoke(body, {"configurable": {"thread_id": "x"}})
    listed = (await get(app_for("ann"), "/ask/threads")).json()["threads"]
    assert [each["thread_id"] for each in listed] == ["of-ann"]


class Elsewhere(MemoryThreadStore):
    """Is not in this process."""

    local = False


async def test_a_store_elsewhere_knows_all_threads() -> None:
    agent = agent_of(Listener())
    app = StreamApp(
        [StreamRoute("/ask", agent, threads=Threads(store=Elsewhere()), authorize=lambda _: "ann")]
    )
    body = {"messages": [{"role": "user", "content": "hi"}]}
    await post(app, "/ask?thread_id=t", body)
    listed = (await get(app, "/ask/threads")).json()["threads"]
    assert [each["thread_id"] for each in listed] == ["t"]


def owned(graph: Any) -> GraphThreads:
    app = StreamApp([StreamRoute("/ask", graph, threads=True)])
    [route] = app.table
    assert route.thread_policy is not None
    return GraphThreads(
        route, route.thread_policy, None, route.served(graph), route.claims(None, None)
    )


async def test_an_update_may_fail_in_the_user_s_own_code() -> None:
    class State(MessagesState):
        n: int

    def fail(_: Any) -> Any:
        raise RuntimeError("no")

    builder: Any = StateGraph(State)
    builder.add_node("step", lambda _: {})
    builder.add_conditional_edges("step", fail)
    builder.add_edge(START, "step")
    threads = owned(builder.compile(checkpointer=InMemorySaver()))
    await threads.create(ThreadQuery(thread_id="t"))
    with pytest.raises(RuntimeError):
        await threads.update("t", ThreadQuery(values={"n": 1}, as_node="step"))


async def test_a_thread_may_have_lost_the_beginning_of_its_history() -> None:
    saver = InMemorySaver()
    agent = agent_of(Listener(), saver=saver)
    app = StreamApp([StreamRoute("/chat", agent, format=CHAT, threads=True)])
    await post(app, "/chat", {"id": "t", "messages": [user("u1", "1")]})
    checkpoints = saver.storage["t"][""]
    for each in sorted(checkpoints)[:-1]:
        del checkpoints[each]
    thread = GraphThread(agent, "t", None)
    assert await before_message(thread, await thread.state(), "u1") is None
    assert (await post(app, "/chat", {"id": "t", "messages": [user("u1", "one")]})).status == 200


async def test_a_waiting_run_ends_when_its_store_is_closed() -> None:
    model, store = Listener(), MemoryThreadStore()
    app = StreamApp(
        [
            StreamRoute(
                "/chat",
                agent_of(model),
                format=CHAT,
                threads=Threads(store=store),
                multitask="enqueue",
            )
        ]
    )

    def request(id_: str, text: str) -> Exchange:
        body = {"id": "t", "messages": [user(id_, text)]}
        return Exchange(app, "POST", "/chat", body, headers=JSON)

    async with request("u1", "slow") as first:
        await until(lambda: model.slow)
        async with request("u2", "2") as second:
            await until(lambda: len(next(iter(store._claims.values()), ())) == 2)
            await asyncio.sleep(0)
            await store.aclose()
            await second.finished()
        assert b"shutdown" in second.body
        model.slow[0].set()
        await first.finished()


def test_a_request_names_one_thread() -> None:
    from asgi_stream.formats._plain_request import plain_spec

    spec = plain_spec(FormatRequest(body={"resume": {}}, threads=True))
    assert [(each.interrupt, each.value) for each in spec.answers] == [(None, {})]
    assert plain_spec(FormatRequest(body={"resume": 1})).input == {"resume": 1}


async def test_a_thread_without_a_checkpoint_has_no_end_to_go_to() -> None:
    thread = GraphThread(agent_of(Listener()), "t", None)
    with pytest.raises(NotPending):
        await command_of(RunSpec(goto="__end__"), thread, await thread.state(), None)


async def test_the_metadata_of_a_thread_is_bounded() -> None:
    threads = owned(agent_of(Listener()))
    await threads.create(ThreadQuery(thread_id="t", metadata={"title": "x" * 1000}))
    with pytest.raises(InvalidInput):
        await threads.change("t", {"more": "x" * 65_000})
    assert (await threads.find("t"))[0].metadata == {"title": "x" * 1000}
    with pytest.raises(InvalidInput):
        await threads.create(ThreadQuery(metadata={"title": "x" * 70_000}))


async def test_an_early_message_of_a_long_thread_is_edited() -> None:
    model = Listener()
    app = StreamApp([StreamRoute("/chat", agent_of(model), format=CHAT, threads=True)])
    client = Client(app)
    for n in range(12):
        await client.say(f"{n}", f"u{n}")
    client.messages[2:] = [user("u1", "one")]
    await client.send()
    assert model.hears[-1] == ["user: 0", "ai: re: 0", "user: one"]


def test_a_format_lists_the_runs_of_a_thread() -> None:
    assert TokensFormat().runs_document([], FormatRequest()) == {"runs": []}


def test_a_store_remembers_a_few_records_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_threads, "REMEMBERED", 1)
    store = redis_threads.RedisThreadStore("redis://127.0.0.1:1/0")
    for name in ("a", "b"):
        store._remember(("", name), name.encode())
    assert store._last_written == {("", "b"): b"b"}
