"""The events of a thread over its runs, and the commands that start these, in this process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGenerationChunk
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from typing_extensions import TypedDict

from asgi_stream import Limits, Resume, StreamApp, StreamError, StreamRoute, Threads
from asgi_stream.errors import StoreUnavailable
from asgi_stream.formats._sse import PING
from asgi_stream.stores.memory import MemoryStore
from asgi_stream.stores.memory_threads import MemoryThreadStore
from asgi_stream.threads import thread_scope

from ..asgi import JSON, Exchange, get, post
from ..clients import until
from ..formats.langgraph_app import Echo, app_of, chat_graph, said, user_of
from ..redis_server import RedisServer
from ..threads.agents import Listener, agent_of

pytestmark = pytest.mark.anyio

THREAD = "/lg/threads/t1"
ALL = ["values", "checkpoints", "lifecycle", "input", "messages", "tools", "updates", "custom"]
QUESTION = {"question": "Shall I?", "log": []}


@pytest.fixture
def app() -> StreamApp:
    return app_of(resume=True)


async def command(app: StreamApp, method: str, params: Any = None, **options: Any) -> Any:
    body = {"id": 7, "method": method, "params": params}
    exchange = await post(app, f"{THREAD}/commands", body, **options)
    assert exchange.status == 200, exchange.body
    assert exchange.json()["id"] == 7
    return exchange.json()


async def start(app: StreamApp, graph: str = "chat", input: Any = None, **params: Any) -> str:
    input = said("a") if input is None else input
    answer = await command(app, "run.start", {"assistant_id": graph, "input": input, **params})
    assert answer["type"] == "success", answer
    return str(answer["result"]["run_id"])


class Events:
    """What one reader of a thread gets."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self._frames = exchange.frames()
        self.all: list[Any] = []

    async def until(self, method: str, event: str | None = None) -> Any:
        """Read up to an event with a method, of the root graph."""
        async for frame in self._frames:
            envelope = frame.json()
            assert (frame.event, frame.id) == (envelope["method"], str(envelope["seq"]))
            self.all.append(envelope)
            params = envelope["params"]
            is_meant = envelope["method"] == method and not params["namespace"]
            if is_meant and event in (None, params["data"].get("event")):
                return params["data"]
        raise AssertionError(f"no {method} {event}: {self.exchange.body!r}")

    @property
    def runs(self) -> set[str]:
        """The ids of the runs whose events they are."""
        ids = (each["event_id"] for each in self.all if each["method"] == "lifecycle")
        return {id_.split(":")[1] for id_ in ids}

    def of(self, method: str) -> list[Any]:
        return [each["params"]["data"] for each in self.all if each["method"] == method]


@asynccontextmanager
async def listening(app: StreamApp, **body: Any) -> AsyncIterator[Events]:
    headers = {**JSON, **body.pop("headers", {})}
    body = {"channels": ALL, **body}
    async with Exchange(app, "POST", f"{THREAD}/stream/events", body, headers=headers) as exchange:
        yield Events(exchange)


async def test_a_reader_gets_the_runs_before_it_and_those_after_it(app: StreamApp) -> None:
    first = await start(app)
    async with listening(app) as early:
        await early.until("lifecycle", "completed")
        assert early.exchange.headers["content-type"].startswith("text/event-stream")
        assert early.exchange.headers["x-thread-id"] == "t1"
        assert "x-run-id" not in early.exchange.headers
        second = await start(app, input=said("b"))
        async with listening(app) as late:
            for events in (early, late):
                await events.until("lifecycle", "completed")
            await late.until("lifecycle", "completed")
            assert late.all == early.all
    ids = [each["event_id"] for each in early.all if each["method"] == "lifecycle"]
    states = ("running", "completed")
    assert ids == [f"synth:{run}:lc||{state}" for run in (first, second) for state in states]
    assert [len(each["messages"]) for each in early.of("values")] == [1, 2, 3, 4]
    numbers = [each["seq"] for each in early.all]
    assert numbers == sorted({*numbers})


async def test_a_reader_may_come_before_the_thread(app: StreamApp) -> None:
    async with listening(app, channels=["lifecycle"]) as events:
        await events.exchange.started()
        run_id = await start(app)
        await events.until("lifecycle", "completed")
    assert [each["event_id"].split(":")[1] for each in events.all] == [run_id] * 2


async def test_a_reader_gets_what_comes_after_the_last_event_that_it_has(app: StreamApp) -> None:
    await start(app)
    async with listening(app) as events:
        await events.until("lifecycle", "completed")
    last = events.all[-2]["seq"]
    async with listening(app, since=last) as events:
        await events.until("lifecycle", "completed")
    assert len(events.all) == 1


async def test_a_reader_chooses_namespaces(app: StreamApp) -> None:
    await start(app, "nested", QUESTION)
    async with listening(app) as whole:
        await whole.until("lifecycle", "interrupted")
    assert {len(each["params"]["namespace"]) for each in whole.all} == {0, 1}
    async with listening(app, namespaces=[[]], depth=0) as root:
        await root.until("lifecycle", "interrupted")
    assert {len(each["params"]["namespace"]) for each in root.all} == {0}


async def test_interrupts_are_answered_together_or_one_by_one(app: StreamApp) -> None:
    await start(app, "several", QUESTION)
    async with listening(app) as events:
        await events.until("lifecycle", "interrupted")
        first, second = (each["interrupt_id"] for each in events.of("input.requested"))
        one = {"namespace": [], "interrupt_id": first, "response": "A"}
        answer = await command(app, "input.respond", one)
        assert answer["type"] == "success"
        assert answer["meta"]["applied_through_seq"] > events.all[-1]["seq"]
        await events.until("lifecycle", "interrupted")
        assert (await command(app, "input.respond", one))["error"] == "no_such_interrupt"
        both = {"responses": [{"namespace": [], "interrupt_id": second, "response": "B"}]}
        await command(app, "input.respond", {**both, "update": {"log": ["u"]}})
        await events.until("lifecycle", "completed")
        log = events.of("values")[-1]["log"]
        assert {"answered A", "also B", "u", "concluded"} < {*log} or "also A" in log


async def test_answers_reach_the_graph_that_has_asked(app: StreamApp) -> None:
    await start(app, "ask", QUESTION)
    async with listening(app) as events:
        await events.until("lifecycle", "interrupted")
        [interrupt] = events.of("input.requested")
        params = {"interrupt_id": interrupt["interrupt_id"], "response": "yes", "namespace": []}
        await command(app, "input.respond", params)
        await events.until("lifecycle", "completed")
    assert events.of("values")[-1]["log"] == ["prepared", "answered yes", "concluded"]
    thread = (await get(app, THREAD)).json()
    assert thread["metadata"]["graph_id"] == "ask"


async def test_an_approved_call_is_seen_to_run() -> None:
    pytest.importorskip("langgraph.pregel._tools", reason="needs the stream mode tools")
    route = StreamRoute("/lg", {"agent": agent_of(Listener())}, format="langgraph")
    app = StreamApp([route], threads=True, resume=True)
    await start(app, "agent", said("refund A", "u1"))
    async with listening(app) as events:
        await events.until("lifecycle", "interrupted")
        [interrupt] = events.of("input.requested")
        response = {"decisions": [{"type": "approve"}]}
        params = {"interrupt_id": interrupt["interrupt_id"], "response": response}
        await command(app, "input.respond", params)
        await events.until("lifecycle", "completed")
    started, finished = events.of("tools")
    call = {"tool_call_id": "u1-0", "tool_name": "refund", "input": {"order": "A"}}
    assert started == {"event": "tool-started", **call}
    assert (finished["event"], finished["output"]["content"]) == ("tool-finished", "refunded A")
    [answered] = events.of("input.answered")
    assert answered == {"interrupt_ids": [interrupt["interrupt_id"]]}
    blocks = [each["content"] for each in events.of("messages") if "content" in each]
    assert {"type": "tool_call", "id": "u1-0", "name": "refund", "args": {"order": "A"}} in blocks


async def test_a_run_starts_from_a_checkpoint(app: StreamApp) -> None:
    await start(app)
    async with listening(app, channels=["checkpoints", "values", "lifecycle"]) as events:
        await events.until("lifecycle", "completed")
        end = events.of("checkpoints")[-1]["id"]
        for text in ("b", "c"):
            config = {"configurable": {"checkpoint_id": end, "thread_id": "t1"}}
            await start(app, input=said(text), config=config, multitaskStrategy="enqueue")
            await events.until("lifecycle", "completed")
    contents = [each["content"] for each in events.of("values")[-1]["messages"]]
    assert contents == ["a", "1 a", "c", "3 c"]


@pytest.mark.parametrize(
    ("method", "params", "error"),
    [
        ("agent.getTree", {}, "unknown_command"),
        (7, None, "unknown_command"),
        ("run.start", {}, "invalid_argument"),
        ("run.start", {"assistant_id": "nix"}, "invalid_argument"),
        ("run.start", {"assistant_id": "chat", "config": 1}, "invalid_argument"),
        (
            "run.start",
            {"assistant_id": "chat", "config": {"configurable": {"checkpoint_id": "x"}}},
            "invalid_argument",
        ),
        ("run.start", {"assistant_id": "chat", "multitask_strategy": "x"}, "invalid_argument"),
        ("input.respond", None, "invalid_argument"),
        ("input.respond", {"responses": []}, "invalid_argument"),
        ("input.respond", {"interrupt_id": "0" * 32, "response": 1}, "no_such_interrupt"),
    ],
)
async def test_a_command_that_is_refused(
    app: StreamApp, method: Any, params: Any, error: str
) -> None:
    answer = await command(app, method, params)
    assert (answer["type"], answer["error"]) == ("error", error)
    assert answer["message"]
    assert (await get(app, THREAD)).status == 404


async def test_bodies_that_are_no_commands(app: StreamApp) -> None:
    bodies: list[Any] = [[], {"id": 1, "method": "run.start", "params": 1}]
    for body in bodies:
        answer = (await post(app, f"{THREAD}/commands", body)).json()
        assert (answer["type"], answer["error"]) == ("error", "invalid_argument")
        assert answer["id"] == (body["id"] if isinstance(body, dict) else None)
    assert (await post(app, f"{THREAD}/stream/events", {})).status == 422


async def test_a_busy_thread_may_reject_a_command() -> None:
    app = app_of(resume=True, multitask="reject")
    run_id = await start(app, "slow")
    answer = await command(app, "run.start", {"assistant_id": "chat", "input": said("b")})
    assert answer["error"] == "unknown_error"
    async with listening(app) as events:
        await events.until("messages")
        await post(app, f"{THREAD}/runs/{run_id}/cancel", {})
        end = await events.until("lifecycle", "failed")
    assert end["error"] == "The run was cancelled."


@pytest.mark.parametrize("strategy", ["interrupt", "rollback"])
async def test_a_run_that_another_one_replaces_has_not_failed(
    app: StreamApp, strategy: str
) -> None:
    first = await start(app, "slow")
    async with listening(app) as events:
        await events.until("messages")
        second = await start(app, input=said("b"), multitaskStrategy=strategy)
        await events.until("lifecycle", "completed")
    ends = [each for each in events.all if each["method"] == "lifecycle"]
    assert [each["params"]["data"]["event"] for each in ends] == [
        *("running", "interrupted", "running", "completed")
    ]
    assert events.runs == {first, second}


async def test_the_caller_s_and_the_server_s_errors_have_their_own_status() -> None:
    def authorize(request: Any) -> str:
        raise StreamError("Who are you?", code="unauthorized", status=401)

    app = app_of(resume=True, authorize=authorize)
    body = {"id": 1, "method": "run.start", "params": {"assistant_id": "chat"}}
    assert (await post(app, f"{THREAD}/commands", body)).status == 401
    assert (await post(app, f"{THREAD}/stream/events", {"channels": []})).status == 401
    app = app_of(threads=Threads(store=Broken()), resume=True)
    assert (await post(app, f"{THREAD}/commands", body)).status == 503
    app = app_of()
    assert (await post(app, f"{THREAD}/commands", body)).status == 404


async def test_another_owner_s_events_are_not_there(app: StreamApp) -> None:
    await start(app)
    async with listening(app) as events, listening(app, headers={"x-user": "bob"}) as others:
        await events.until("lifecycle", "completed")
        run_id = (
            await command(
                app,
                "run.start",
                {"assistant_id": "chat", "input": said("x")},
                headers={"x-user": "bob"},
            )
        )["result"]["run_id"]
        await others.until("lifecycle", "completed")
    assert others.runs == {run_id}
    assert [len(each["messages"]) for each in others.of("values")] == [1, 2]


async def test_another_owner_cannot_answer(app: StreamApp) -> None:
    await start(app, "ask", QUESTION)
    async with listening(app) as events:
        await events.until("lifecycle", "interrupted")
        [interrupt] = events.of("input.requested")
        params = {"interrupt_id": interrupt["interrupt_id"], "response": "no"}
        answer = await command(app, "input.respond", params, headers={"x-user": "bob"})
        assert answer["error"] == "no_such_interrupt"
        assert (await command(app, "input.respond", params))["type"] == "success"
        await events.until("lifecycle", "completed")
    assert "answered no" in events.of("values")[-1]["log"]


async def test_runs_that_are_gone_are_left_out(app: StreamApp) -> None:
    store = MemoryThreadStore()
    app = app_of(resume=True, threads=Threads(store=store))
    gone = str(uuid4())
    scope = thread_scope("/lg", "me")
    await store.touch(scope, "t1", route="/lg", now=1.0, run_id=gone)
    run_id = await start(app)
    async with listening(app) as events:
        await events.until("lifecycle", "completed")
    assert events.runs == {run_id}
    newest = str(uuid4())
    await store.touch(scope, "t1", route="/lg", now=1.0, run_id=newest)
    async with listening(app) as events:
        await events.until("lifecycle", "completed")


async def test_a_run_that_is_gone_does_not_hold_up_the_one_that_runs() -> None:
    store = MemoryThreadStore()
    app = app_of(resume=True, threads=Threads(store=store))
    gone = str(uuid4())
    await store.touch(thread_scope("/lg", "me"), "t1", route="/lg", now=1.0, run_id=gone)
    run_id = await start(app, "slow")
    async with listening(app) as first:
        await first.until("messages")
        async with listening(app) as second:
            await second.until("messages")
            assert second.runs == {run_id}
        await post(app, f"{THREAD}/runs/{run_id}/cancel?wait=1", {})


class Reluctant(InMemorySaver):
    """Reads the state of a thread for the first time when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may_read = asyncio.Event()
        self.is_read = False

    async def aget_tuple(self, config: Any) -> Any:
        self.is_read = True
        await self.may_read.wait()
        return await super().aget_tuple(config)


@pytest.mark.parametrize("refused", [False, True])
async def test_a_run_that_is_still_prepared_comes_before_those_that_wait_for_it(
    refused: bool,
) -> None:
    saver = Reluctant()
    route = StreamRoute("/lg", {"chat": chat_graph(Echo(), saver)}, format="langgraph", resume=True)
    app = StreamApp([route], threads=True, authorize=user_of)
    params: Any = {"assistant_id": "chat", "input": said("1")}
    if refused:
        params["config"] = {"configurable": {"checkpoint_id": "x"}}
    async with listening(app, channels=["lifecycle"]) as events:
        first = asyncio.create_task(command(app, "run.start", params))
        await until(lambda: saver.is_read)
        second = await start(app, input=said("2"))
        await asyncio.sleep(0.3)  # the reader looks for the run that is being prepared
        saver.may_read.set()
        answer = await first
        assert answer["type"] == ("error" if refused else "success")
        runs = [second] if refused else [answer["result"]["run_id"], second]
        for _ in runs:
            await events.until("lifecycle", "completed")
    assert [each["event_id"].split(":")[1] for each in events.all[::2]] == runs
    listed = (await get(app, f"{THREAD}/runs")).json()
    assert [each["run_id"] for each in listed] == runs[::-1]


async def test_a_reader_of_a_run_whose_first_events_are_gone_gets_the_rest() -> None:
    app = app_of(resume=Resume(frames=10))
    run_id = await start(app, "slow")
    async with listening(app) as events:
        while len(events.all) < 30:
            await events.until("messages")
        async with listening(app) as late:
            await late.until("messages")
            assert late.all[0]["seq"] > events.all[10]["seq"]
            await post(app, f"{THREAD}/runs/{run_id}/cancel", {})
            await late.until("lifecycle", "failed")
        await events.until("lifecycle", "failed")


async def test_a_run_whose_worker_is_lost_has_failed(app: StreamApp) -> None:
    store = Cut()
    app = app_of(resume=Resume(store=store))
    await start(app)
    async with listening(app) as events:
        assert (await events.until("lifecycle", "failed"))["error"]


async def test_a_reader_gets_the_runs_of_another_worker(redis: RedisServer) -> None:
    url = f"{redis.url}?prefix={uuid4()}"
    here, there = (app_of(threads=Threads(store=url), resume=Resume(store=url)) for _ in "ab")
    async with listening(here) as events:
        for graph in ("chat", "chat"):
            run_id = await start(there, graph)
            await events.until("lifecycle", "completed")
            assert run_id in events.runs
    assert [len(each["messages"]) for each in events.of("values")] == [1, 2, 3, 4]
    for app in (here, there):
        await app.aclose()


async def test_a_store_that_fails_ends_the_response() -> None:
    store = Flaky()
    app = app_of(threads=Threads(store=store), resume=True)
    async with listening(app) as events:
        await events.exchange.started()
        store.is_broken = True
        await events.exchange.finished()
    assert b"event: error" not in events.exchange.body


async def test_a_store_that_fails_in_another_way_ends_the_response_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = Flaky(OSError("refused"))
    app = app_of(threads=Threads(store=store), resume=True)
    async with listening(app) as events:
        await events.exchange.started()
        store.is_broken = True
        await events.exchange.finished()
    assert "OSError: refused" in caplog.text


class Memo(BaseMessage):
    type: str = "memo"


class Notes(TypedDict):
    messages: list[Any]


class Strange(Echo):
    """Writes messages with a block that is none between those with text."""

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        async for chunk in super()._astream(*args, **kwargs):
            yield chunk
            yield ChatGenerationChunk(message=AIMessageChunk(content=[{"type": "text"}]))


def strange_app() -> StreamApp:
    async def reply(state: MessagesState) -> Any:
        answer = await Strange().ainvoke(state["messages"])
        return {"messages": [AIMessage(answer.text)]}

    built = StateGraph(MessagesState).add_sequence([reply])
    graph = built.add_edge(START, "reply").compile(checkpointer=InMemorySaver())
    route = StreamRoute("/lg", {"strange": graph}, format="langgraph", threads=True, resume=True)
    return StreamApp([route])


async def test_a_message_that_cannot_be_restored_is_left_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = strange_app()
    for _ in range(2):
        await wait(app, "strange", said("a"), stream_mode=["values", "messages-tuple"])
    async with listening(app) as events:
        for _ in range(2):
            await events.until("lifecycle", "completed")
    deltas = [each["delta"]["text"] for each in events.of("messages") if "delta" in each]
    assert deltas == ["1 ", "a", "3 ", "a"]
    assert "a reader does not get a frame that cannot be translated" in caplog.text


async def test_messages_of_other_roles_and_classes_are_in_the_values_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def note(state: Any) -> Any:
        return {"messages": [Memo(content="x", id="m1"), ToolMessage("y", tool_call_id="c")]}

    built: Any = StateGraph(Notes).add_node("note", note).add_edge(START, "note")
    graph = built.compile(checkpointer=InMemorySaver())
    route = StreamRoute("/lg", {"notes": graph}, format="langgraph", threads=True, resume=True)
    app = StreamApp([route])
    await wait(app, "notes", {"messages": []}, stream_mode=["values", "messages-tuple"])
    async with listening(app) as events:
        await events.until("lifecycle", "completed")
    assert [each["type"] for each in events.of("values")[-1]["messages"]] == ["memo", "tool"]
    assert not events.of("messages")
    assert "cannot be translated" not in caplog.text


async def test_a_reader_that_leaves_stops_the_reading(app: StreamApp) -> None:
    run_id = await start(app, "slow")
    async with listening(app) as events:
        await events.until("messages")
        assert reading()
    async with asyncio.timeout(20):
        while reading():
            await asyncio.sleep(0)
    await post(app, f"{THREAD}/runs/{run_id}/cancel?wait=1", {})


def reading() -> list[Any]:
    """The tasks that read threads."""
    names = (getattr(each.get_coro(), "__qualname__", "") for each in asyncio.all_tasks())
    return [name for name in names if "ThreadEvents" in name]


async def test_an_idle_reader_gets_pings() -> None:
    app = app_of(resume=True, limits=Limits(ping=0.05))
    async with listening(app) as events:
        await events.exchange.until(PING * 2)


async def test_a_response_that_the_server_cancels_stops_the_reading(app: StreamApp) -> None:
    options: Any = {"headers": JSON}
    exchange = Exchange(app, "POST", f"{THREAD}/stream/events", {"channels": ALL}, **options)
    send: Any = exchange._send
    task = asyncio.ensure_future(app(exchange.scope, exchange.received.get, send))
    async with asyncio.timeout(20):
        while not reading():
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        while reading():
            await asyncio.sleep(0)


async def test_a_server_that_stops_ends_the_response(app: StreamApp) -> None:
    async with listening(app) as events:
        await events.exchange.started()
        await app.aclose()
        await events.exchange.finished()


class Broken(MemoryThreadStore):
    async def claim(self, *_: Any, **__: Any) -> Any:
        raise StoreUnavailable


class Flaky(MemoryThreadStore):
    is_broken = False

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()
        self.error = error or StoreUnavailable()

    async def find(self, *args: Any) -> Any:
        if self.is_broken:
            raise self.error
        return await super().find(*args)


class Cut(MemoryStore):
    """Ends runs as another worker does that knows their record only."""

    def append(self, run_id: str, first: int, frames: Any, *args: Any) -> bool:
        if args and args[-1] is not None and args[-1].ended is not None:
            error = {"error": "worker_lost", "message": "Lost."}
            frames = [*frames[:-1], f"id: 9\nevent: error\ndata: {json.dumps(error)}\n\n".encode()]
        return super().append(run_id, first, frames, *args)


@pytest.mark.parametrize("value", ["yes", {"decision": "yes"}, ["yes"]])
async def test_an_input_that_is_none_of_the_graph_answers_what_the_thread_asks(
    app: StreamApp, value: Any
) -> None:
    """A ``RemoteGraph`` sends ``Command(resume=...)`` like that."""
    await start(app, "ask", QUESTION)
    async with listening(app) as events:
        await events.until("lifecycle", "interrupted")
        await start(app, "ask", value)
        await events.until("lifecycle", "completed")
    *_, last = events.of("values")
    assert last["log"] == ["prepared", f"answered {value}", "concluded"]


async def test_answers_by_the_ids_of_interrupts_may_be_an_input(app: StreamApp) -> None:
    await start(app, "several", QUESTION)
    async with listening(app) as events:
        await events.until("lifecycle", "interrupted")
        ids = [each["interrupt_id"] for each in events.of("input.requested")]
        refused = await command(app, "run.start", {"assistant_id": "several", "input": "yes"})
        assert (refused["error"], len(ids)) == ("invalid_argument", 2)
        await start(app, "several", dict.fromkeys(ids, "yes"))
        await events.until("lifecycle", "completed")


async def test_an_input_of_the_graph_starts_over_while_the_thread_asks(app: StreamApp) -> None:
    await start(app, "ask", QUESTION)
    async with listening(app) as events:
        await events.until("lifecycle", "interrupted")
        await start(app, "ask", {"question": "Another?"})
        await events.until("lifecycle", "running")
        asks = await events.until("input.requested")
    assert asks["payload"] == {"question": "Another?"}


async def test_an_input_that_is_none_of_the_graph_is_refused_if_the_thread_asks_nothing(
    app: StreamApp,
) -> None:
    answer = await command(app, "run.start", {"assistant_id": "chat", "input": "yes"})
    assert answer["error"] == "invalid_argument"


async def wait(app: StreamApp, graph: str, input: Any, **body: Any) -> str:
    """Run a graph by the older API, and return the run's id."""
    body = {"assistant_id": graph, "input": input, "if_not_exists": "create", **body}
    exchange = await post(app, f"{THREAD}/runs/stream", body)
    assert exchange.status == 200, exchange.body
    return str(exchange.headers["x-run-id"])


MODES = [
    "values",
    "updates",
    "messages-tuple",
    "messages",
    "custom",
    "tasks",
    "checkpoints",
    "events",
]


@pytest.mark.parametrize("modes", [["values"], MODES])
async def test_a_reader_gets_the_runs_of_both_apis_in_their_order(
    app: StreamApp, modes: list[str]
) -> None:
    first = await start(app)
    async with listening(app) as early:
        await early.until("lifecycle", "completed")
        second = await wait(app, "chat", said("b"), stream_mode=modes)
        await early.until("lifecycle", "completed")
        third = await start(app, input=said("c"))
        async with listening(app) as late:
            for events, runs in ((early, 1), (late, 3)):
                for _ in range(runs):
                    await events.until("lifecycle", "completed")
            assert late.all == early.all
    ids = [each["event_id"] for each in early.all if each["method"] == "lifecycle"]
    states = ("running", "completed")
    assert ids == [f"synth:{run}:lc||{state}" for run in (first, second, third) for state in states]
    assert [len(each["messages"]) for each in early.of("values")] == [1, 2, 3, 4, 5, 6]
    numbers = [each["seq"] for each in early.all]
    assert numbers == sorted({*numbers})
    deltas = [each["delta"]["text"] for each in early.of("messages") if "delta" in each]
    assert deltas == ["1 ", "a", *(["3 ", "b"] if modes == MODES else []), "5 ", "c"]


@pytest.mark.parametrize("modes", [["messages"], ["messages", "messages-tuple"]])
async def test_a_reader_gets_the_messages_of_every_mode_of_the_older_api(
    app: StreamApp, modes: list[str]
) -> None:
    await wait(app, "chat", said("a"), stream_mode=modes)
    async with listening(app) as events:
        await events.until("lifecycle", "completed")
    assert [each["delta"]["text"] for each in events.of("messages") if "delta" in each] == [
        "1 ",
        "a",
    ]


async def test_a_reader_can_answer_what_a_run_of_the_older_api_asks(app: StreamApp) -> None:
    await wait(app, "several", QUESTION, stream_mode=["values", "updates"])
    async with listening(app) as events:
        await events.until("lifecycle", "interrupted")
        asked_for = [each["interrupt_id"] for each in events.of("input.requested")]
        assert len(asked_for) == 2
        responses = [{"interrupt_id": id_, "response": "yes"} for id_ in asked_for]
        answer = await command(app, "input.respond", {"responses": responses})
        assert answer["type"] == "success", answer
        await events.until("lifecycle", "completed")


async def test_a_run_of_the_older_api_may_fail(app: StreamApp) -> None:
    await wait(app, "fails", QUESTION)
    async with listening(app) as events:
        failed = await events.until("lifecycle", "failed")
    assert len(failed.pop("id")) == 32
    error = {"error": "The run failed.", "code": "run_failed"}
    assert failed == {"event": "failed", **error}


async def test_a_reader_may_go_on_in_the_middle_of_a_run_of_the_older_api(app: StreamApp) -> None:
    await wait(app, "chat", said("a"))
    async with listening(app) as events:
        await events.until("lifecycle", "completed")
    async with listening(app, since=events.all[1]["seq"]) as rest:
        await rest.until("lifecycle", "completed")
    assert rest.all == events.all[2:]


async def joined(app: StreamApp, run_id: str, query: str = "") -> list[tuple[str, Any]]:
    """The names and values of a run's frames, by the older API."""
    exchange = await get(app, f"{THREAD}/runs/{run_id}/stream{query}")
    frames = [each for each in exchange.body.decode().split("\n\n") if "event: " in each]
    lines = [dict(line.split(": ", 1) for line in each.split("\n")) for each in frames]
    return [(each["event"], json.loads(each["data"])) for each in lines]


async def test_the_older_api_gets_the_frames_of_a_run_of_the_newer_one(app: StreamApp) -> None:
    run_id = await start(app)
    async with listening(app) as events:
        await events.until("lifecycle", "completed")
    frames = await joined(app, run_id)
    assert frames[0] == ("metadata", {"run_id": run_id, "attempt": 1})
    assert frames[-1] == ("end", None)
    values = [value for name, value in frames if name == "values"]
    assert [len(each["messages"]) for each in values] == [1, 2]
    pieces = [value[0] for name, value in frames if name == "messages"]
    assert "".join(each["content"] for each in pieces) == "1 a"
    assert {each["id"] for each in pieces} == {values[-1]["messages"][-1]["id"]}
    assert pieces[-1]["chunk_position"] == "last"
    assert [name for name, _ in frames if name.startswith("updates")] == ["updates"]
    only = await joined(app, run_id, "?stream_mode=values")
    assert only == [each for each in frames if each[0] in ("metadata", "values", "end")]
    result = await get(app, f"{THREAD}/runs/{run_id}/join")
    assert result.json() == values[-1]


async def test_the_older_api_gets_what_a_run_of_the_newer_one_asks(app: StreamApp) -> None:
    run_id = await start(app, "several", QUESTION)
    async with listening(app) as events:
        await events.until("lifecycle", "interrupted")
    frames = await joined(app, run_id)
    asked_for = [each[1]["__interrupt__"][0] for each in frames if "__interrupt__" in str(each[1])]
    assert [each["id"] for each in asked_for] == [
        each["interrupt_id"] for each in events.of("input.requested")
    ]
    result = await get(app, f"{THREAD}/runs/{run_id}/join")
    assert result.json()["__interrupt__"] == asked_for


async def test_the_older_api_gets_why_a_run_of_the_newer_one_failed(app: StreamApp) -> None:
    run_id = await start(app, "fails", QUESTION)
    async with listening(app) as events:
        id_ = (await events.until("lifecycle", "failed"))["id"]
    error = {"error": "run_failed", "message": "The run failed.", "id": id_}
    assert (await joined(app, run_id))[-1] == ("error", error)
    result = await get(app, f"{THREAD}/runs/{run_id}/join")
    assert result.json() == {"__error__": error}


async def test_a_cancelled_run_of_the_newer_api_results_in_its_values(app: StreamApp) -> None:
    run_id = await start(app, "slow")
    async with listening(app) as events:
        await events.until("values")
        await post(app, f"{THREAD}/runs/{run_id}/cancel?wait=1", {})
        await events.until("lifecycle", "failed")
    name, error = (await joined(app, run_id))[-1]
    assert (name, error["error"]) == ("error", "cancelled")
    result = await get(app, f"{THREAD}/runs/{run_id}/join")
    assert [each["content"] for each in result.json()["messages"]] == ["a"]
