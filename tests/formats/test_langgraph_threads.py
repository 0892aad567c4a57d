"""Threads in the format ``langgraph``, as the requests of its SDKs reach an app."""

from __future__ import annotations

import asyncio
import json
from importlib.metadata import version
from typing import Annotated, Any

import pytest
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.pregel import Pregel
from starlette.types import ASGIApp
from typing_extensions import TypedDict

from asgi_stream import StreamApp, StreamRoute, Threads

from ..asgi import Exchange, call, get, post
from .langgraph_app import Echo, app_of, ask_graph, chat_graph, last_answer, said, user_of

pytestmark = pytest.mark.anyio

MODES = ["values", "updates", "tasks", "checkpoints", "debug", "messages-tuple"]


@pytest.fixture
def app() -> StreamApp:
    return app_of()


async def created(app: ASGIApp, **body: Any) -> str:
    exchange = await post(app, "/lg/threads", body)
    assert exchange.status == 200, exchange.body
    return str(exchange.json()["thread_id"])


async def wait(app: ASGIApp, thread_id: str, assistant: str = "chat", **body: Any) -> Any:
    body = {"assistant_id": assistant, **body}
    exchange = await post(app, f"/lg/threads/{thread_id}/runs/wait", body)
    assert exchange.status == 200, exchange.body
    return exchange.json()


async def events(app: ASGIApp, path: str, **body: Any) -> list[tuple[str, Any]]:
    """The frames of a run, with their names."""
    return frames_of(await post(app, path, {"assistant_id": "chat", **body}))


def frames_of(exchange: Exchange) -> list[tuple[str, Any]]:
    assert exchange.status == 200, exchange.body
    frames = []
    for block in exchange.body.decode().split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        frames.append((fields["event"], json.loads(fields["data"])))
    return frames


async def state(app: ASGIApp, thread_id: str, **options: Any) -> Any:
    exchange = await get(app, f"/lg/threads/{thread_id}/state", **options)
    assert exchange.status == 200, exchange.body
    return exchange.json()


async def history(app: ASGIApp, thread_id: str, **body: Any) -> Any:
    exchange = await post(app, f"/lg/threads/{thread_id}/history", body)
    assert exchange.status == 200, exchange.body
    return exchange.json()


async def refused(app: ASGIApp, path: str, body: Any, status: int = 422) -> str:
    exchange = await post(app, f"/lg{path}", body)
    assert exchange.status == status, exchange.body
    return str(exchange.json()["detail"])


# Threads.


async def test_a_thread_is_created_shown_changed_and_deleted(app: StreamApp) -> None:
    exchange = await post(app, "/lg/threads", {"metadata": {"title": "one"}})
    thread = exchange.json()
    assert thread["metadata"] == {"title": "one"}
    assert (thread["status"], thread["values"], thread["interrupts"]) == ("idle", None, {})
    path = f"/lg/threads/{thread['thread_id']}"
    body = json.dumps({"metadata": {"more": 2}}).encode()
    headers = {"content-type": "application/json"}
    changed = await call(app, "PATCH", path, body, headers=headers)
    assert changed.json()["metadata"] == {"title": "one", "more": 2}
    assert (await get(app, path)).json()["metadata"] == {"title": "one", "more": 2}
    assert (await call(app, "DELETE", path)).status == 204
    assert (await get(app, path)).json()["detail"] == "There is no such thread."
    assert (await get(app, path)).status == 404


async def test_a_thread_that_exists_is_not_created_again(app: StreamApp) -> None:
    thread_id = await created(app, thread_id="t1", metadata={"a": 1})
    assert thread_id == "t1"
    await refused(app, "/threads", {"thread_id": "t1"}, 409)
    await refused(app, "/threads", {"thread_id": "t1", "if_exists": "raise"}, 409)
    body = {"thread_id": "t1", "if_exists": "do_nothing", "metadata": {"b": 2}}
    assert (await post(app, "/lg/threads", body)).json()["metadata"] == {"a": 1}


async def test_threads_are_searched_for(app: StreamApp) -> None:
    for n in range(3):
        await created(app, thread_id=f"t{n}", metadata={"n": n, "odd": n % 2 == 1})
    await wait(app, "t1", input=said("hi"))

    async def search(**body: Any) -> Any:
        return (await post(app, "/lg/threads/search", body)).json()

    assert [each["thread_id"] for each in await search()] == ["t1", "t2", "t0"]
    [thread] = await search(metadata={"odd": True})
    assert thread["metadata"]["graph_id"] == "chat"
    [assistant] = (await post(app, "/lg/assistants/search", {"graph_id": "chat"})).json()
    assert thread["metadata"]["assistant_id"] == assistant["assistant_id"]
    assert last_answer(thread["values"]) == "1 hi"
    by = {"sort_by": "thread_id", "sort_order": "asc"}
    assert [each["thread_id"] for each in await search(**by)] == ["t0", "t1", "t2"]
    assert [each["thread_id"] for each in await search(**by, limit=1, offset=1)] == ["t1"]
    assert await search(ids=["t0"], select=["thread_id", "status"]) == [
        {"thread_id": "t0", "status": "idle"}
    ]
    assert await search(offset=3) == []
    assert await search(status="interrupted") == []
    count = await post(app, "/lg/threads/count", {"metadata": {"odd": False}})
    assert count.json() == 2


async def test_a_list_has_only_the_caller_s_threads(app: StreamApp) -> None:
    await created(app, thread_id="t1")
    exchange = await post(app, "/lg/threads/search", {}, headers={"x-user": "other"})
    assert exchange.json() == []
    nobody = app_of(authorize=None)
    await created(nobody, thread_id="t1")
    assert (await post(nobody, "/lg/threads/search", {})).json() == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/threads", {"supersteps": [1]}),
        ("/threads", {"if_exists": "perhaps"}),
        ("/threads", {"thread_id": "a/b"}),
        ("/threads", {"thread_id": ".."}),
        ("/threads", {"thread_id": "x" * 1001}),
        ("/threads", {"thread_id": 1}),
        ("/threads", {"metadata": []}),
        ("/threads", []),
        ("/threads/search", {"values": {"a": 1}}),
        ("/threads/search", {"extract": {"a": "b"}}),
        ("/threads/search", {"limit": 0}),
        ("/threads/search", {"offset": -1}),
        ("/threads/search", {"sort_by": "title"}),
        ("/threads/search", {"sort_order": "up"}),
        ("/threads/search", {"status": "done"}),
        ("/threads/search", {"ids": "t"}),
        ("/threads/search", {"select": [1]}),
        ("/threads/t1/history", {"metadata": {"owner": "x"}}),
        ("/threads/t1/history", {"metadata": {"step": "1"}}),
        ("/threads/t1/history", {"before": 1}),
        ("/threads/t1/history", {"limit": "many"}),
        ("/threads/t1/history", {"checkpoint": "x"}),
        ("/threads/t1/state", {"values": {"log": 1}, "as_node": 2}),
        ("/threads/t1/state", {"values": {"messages": "x"}, "as_node": "nobody"}),
        ("/threads/t1/state", {"values": {"messages": [{"type": "odd"}]}, "as_node": "reply"}),
        ("/threads/t1/state", {"values": 5, "as_node": "reply"}),
        ("/threads/t1/state/checkpoint", {"checkpoint": {"checkpoint_id": 1}}),
        ("/threads/t1/state/checkpoint", {"checkpoint": {"checkpoint_id": "a\0"}}),
        ("/threads/t1/state/checkpoint", {"checkpoint": {"checkpoint_map": {"": 1}}}),
    ],
)
async def test_a_request_that_is_not_valid_is_refused(app: StreamApp, path: str, body: Any) -> None:
    await created(app, thread_id="t1")
    await refused(app, path, body)


# States.


async def test_a_state_has_all_keys(app: StreamApp) -> None:
    thread_id = await created(app)
    empty = await state(app, thread_id)
    assert empty["checkpoint"] is None
    assert empty["metadata"] == {}
    at_once = await post(app, f"/lg/threads/{thread_id}/state/checkpoint", {"checkpoint": {}})
    position = {"thread_id": thread_id, "checkpoint_ns": "", "checkpoint_id": None}
    assert at_once.json()["checkpoint"] == position
    await wait(app, thread_id, "ask", input={"question": "Shall I?", "log": []})
    waits = await state(app, thread_id)
    assert waits["values"] == {"question": "Shall I?", "log": ["prepared"]}
    assert waits["next"] == ["ask"]
    [task] = waits["tasks"]
    assert {"id", "name", "path", "error", "interrupts", "checkpoint", "state", "result"} == {*task}
    assert task["interrupts"] == waits["interrupts"]
    assert waits["checkpoint"]["thread_id"] == thread_id
    assert waits["parent_checkpoint"]["thread_id"] == thread_id
    assert waits["metadata"]["graph_id"] == "ask"
    assert "thread_owner" not in json.dumps(waits)
    shown = (await get(app, f"/lg/threads/{thread_id}")).json()
    assert shown["status"] == "interrupted"
    assert shown["interrupts"] == {task["id"]: task["interrupts"]}


async def test_a_state_is_read_at_a_checkpoint(app: StreamApp) -> None:
    thread_id = await created(app)
    await wait(app, thread_id, input=said("a"))
    await wait(app, thread_id, input=said("b"))
    states = await history(app, thread_id)
    assert [each["metadata"]["step"] for each in states] == [4, 3, 2, 1, 0, -1]
    old = states[3]
    path = f"/lg/threads/{thread_id}/state"
    id_ = old["checkpoint"]["checkpoint_id"]
    assert (await get(app, f"{path}/{id_}")).json() == old
    body = {"checkpoint": {**old["checkpoint"], "thread_id": "another"}, "subgraphs": True}
    assert (await post(app, f"{path}/checkpoint", body)).json() == old
    assert (await get(app, f"{path}/nope")).status == 404


async def test_a_history_has_a_part_of_the_states(app: StreamApp) -> None:
    thread_id = await created(app)
    assert await history(app, thread_id) == []
    for text in "ab":
        await wait(app, thread_id, input=said(text))
    states = await history(app, thread_id)
    third = states[2]["checkpoint"]
    rest = states[3:]
    assert await history(app, thread_id, before=third["checkpoint_id"]) == rest
    assert await history(app, thread_id, before=third) == rest
    assert await history(app, thread_id, before={"configurable": third}) == rest
    assert await history(app, thread_id, before=third, limit=1) == rest[:1]
    assert await history(app, thread_id, checkpoint=third) == states
    inputs = await history(app, thread_id, metadata={"source": "input"})
    assert [each["metadata"]["step"] for each in inputs] == [2, -1]


async def test_a_history_of_a_subgraph_is_chosen_by_its_namespace(app: StreamApp) -> None:
    thread_id = await created(app)
    await wait(app, thread_id, "nested", input={"question": "?", "log": []})
    exchange = await get(app, f"/lg/threads/{thread_id}/state?subgraphs=true")
    [task] = exchange.json()["tasks"]
    assert task["state"]["values"] == {"question": "?", "log": ["prepared"]}
    namespace = task["state"]["checkpoint"]["checkpoint_ns"]
    states = await history(app, thread_id, checkpoint={"checkpoint_ns": namespace})
    assert states[0]["next"] == ["ask"]
    [task] = (await state(app, thread_id))["tasks"]
    assert task["checkpoint"] == {"thread_id": thread_id, "checkpoint_ns": namespace}


async def test_a_subgraph_that_is_not_there_has_no_checkpoints(app: StreamApp) -> None:
    thread_id = await created(app)
    await wait(app, thread_id, input=said("a"))
    position = {"checkpoint_ns": "nobody:1", "checkpoint_id": "x"}
    path = f"/threads/{thread_id}"
    for body, end in (
        ({"checkpoint": position}, "/state/checkpoint"),
        ({"checkpoint": position}, "/history"),
        ({"checkpoint": position, "values": said("b")}, "/state"),
        ({"checkpoint": position, "assistant_id": "chat"}, "/runs/wait"),
    ):
        assert "no such checkpoint" in await refused(app, path + end, body, 404)


@pytest.mark.skipif(
    tuple(map(int, version("langgraph").split(".")[:2])) < (1, 2),
    reason="older versions of LangGraph read no history of graphs that tools call",
)
async def test_a_graph_that_a_tool_calls_has_a_history() -> None:
    inner = chat_graph(Echo(), None)

    @tool
    async def delegate(text: str) -> str:
        """Have another graph answer."""
        return last_answer(await inner.ainvoke(said(text)))

    async def ask_other(state: MessagesState) -> dict[str, Any]:
        text = state["messages"][-1].text
        return {"messages": [await delegate.ainvoke({"text": f"{text}, please"})]}

    builder: Any = StateGraph(MessagesState).add_node(ask_other).add_edge(START, "ask_other")
    graph = builder.compile(checkpointer=InMemorySaver())
    about: Any = {"threads": True, "authorize": user_of}
    app = StreamApp([StreamRoute("/lg", {"chat": graph}, format="langgraph", **about)])
    thread_id = await created(app)
    await wait(app, thread_id, input=said("a"))
    [task_id] = [
        task["id"]
        for each in await history(app, thread_id)
        for task in each["tasks"]
        if task["name"] == "ask_other"
    ]
    position = {"checkpoint_ns": f"ask_other:{task_id}"}
    [newest] = await history(app, thread_id, checkpoint=position, limit=1)
    assert newest["values"]["messages"][0]["content"] == "a, please"
    body = {"checkpoint": position, "values": said("b")}
    path = f"/threads/{thread_id}/state"
    assert "no such checkpoint" in await refused(app, path, body, 404)


async def test_a_langgraph_that_knows_subgraphs_only_has_no_history_of_others(
    app: StreamApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    def history_of(*_: Any, **__: Any) -> Any:
        raise ValueError("Subgraph nobody not found")

    thread_id = await created(app)
    await wait(app, thread_id, input=said("a"))
    monkeypatch.setattr(Pregel, "aget_state_history", history_of)
    body = {"checkpoint": {"checkpoint_ns": "nobody:1"}}
    path = f"/threads/{thread_id}/history"
    assert "no such checkpoint" in await refused(app, path, body, 404)


def reduce(old: Any, new: Any) -> Any:
    raise ValueError("secret")


class Unreduced(TypedDict):
    x: Annotated[list[str], reduce]


async def test_an_error_of_a_reducer_is_the_server_s(app: StreamApp) -> None:
    built = StateGraph(Unreduced).add_node("n", lambda state: {}).add_edge(START, "n")
    graph = built.compile(checkpointer=InMemorySaver())
    app = StreamApp([StreamRoute("/lg", {"x": graph}, format="langgraph", threads=True)])
    await created(app, thread_id="t1")
    body = {"values": {"x": ["a"]}, "as_node": "n"}
    assert "secret" not in await refused(app, "/threads/t1/state", body, 500)


async def test_a_state_is_written(app: StreamApp) -> None:
    thread_id = await created(app)
    await wait(app, thread_id, input=said("a"))
    before = await state(app, thread_id)
    path = f"/lg/threads/{thread_id}/state"
    written = (await post(app, path, {"values": said("b"), "as_node": "reply"})).json()
    assert written["checkpoint"]["thread_id"] == thread_id
    assert written["checkpoint_id"] == written["configurable"]["checkpoint_id"]
    after = await state(app, thread_id)
    assert after["checkpoint"] == written["checkpoint"]
    assert last_answer(after["values"]) == "b"
    fork = {"values": said("c"), "checkpoint": before["checkpoint"], "as_node": "reply"}
    await post(app, path, fork)
    values = (await state(app, thread_id))["values"]
    assert [each["content"] for each in values["messages"]] == ["a", "1 a", "c"]
    await post(app, path, {**fork, "checkpoint": None, "checkpoint_id": written["checkpoint_id"]})
    values = (await state(app, thread_id))["values"]
    assert [each["content"] for each in values["messages"]] == ["a", "1 a", "b", "c"]


async def test_a_failed_task_says_so_without_the_text_of_its_error(app: StreamApp) -> None:
    thread_id = await created(app)
    failed = await wait(app, thread_id, "fails", input={"question": "x"})
    assert failed["__error__"]["error"] == "run_failed"
    assert (await state(app, thread_id))["tasks"][0]["error"] == "The run failed."
    shown = (await get(app, f"/lg/threads/{thread_id}")).json()
    assert shown["status"] == "error"


# Runs.


async def test_a_thread_remembers(app: StreamApp) -> None:
    thread_id = await created(app)
    for n, text in enumerate(["a", "b", "c"]):
        assert last_answer(await wait(app, thread_id, input=said(text))) == f"{2 * n + 1} {text}"


async def test_a_run_says_where_it_is(app: StreamApp) -> None:
    thread_id = await created(app, thread_id="t 1")
    exchange = await post(
        app, "/lg/threads/t%201/runs/stream", {"assistant_id": "chat", "input": said("a")}
    )
    run_id = exchange.headers["x-run-id"]
    assert exchange.headers["content-location"] == f"/threads/t%201/runs/{run_id}"
    assert exchange.headers["x-thread-id"] == "t%201"
    assert "location" not in exchange.headers
    frames = frames_of(exchange)
    assert frames[0] == ("metadata", {"run_id": run_id, "attempt": 1})
    assert frames[-1] == ("end", None)
    assert (await state(app, "t%201"))["checkpoint"]["thread_id"] == thread_id


async def test_a_run_on_an_unknown_thread_is_refused_unless_it_may_create_it(
    app: StreamApp,
) -> None:
    body = {"assistant_id": "chat", "input": said("a")}
    await refused(app, "/threads/new/runs/wait", body, 404)
    await refused(app, "/threads/new/runs/stream", {**body, "if_not_exists": "reject"}, 404)
    assert last_answer(await wait(app, "new", input=said("a"), if_not_exists="create")) == "1 a"


async def test_an_interrupt_is_answered(app: StreamApp) -> None:
    thread_id = await created(app)
    path = f"/lg/threads/{thread_id}/runs/stream"
    modes = ["values", "updates"]
    asks = {
        "assistant_id": "ask",
        "input": {"question": "Shall I?", "log": []},
        "stream_mode": modes,
    }
    frames = await events(app, path, **asks)
    stops = [data["__interrupt__"] for _, data in frames[1:-1] if "__interrupt__" in data]
    assert len(stops) == 2
    [interrupt] = stops[0]
    assert interrupt["value"] == {"question": "Shall I?"}
    empty: Any = {"update": None, "goto": [], "graph": None}
    frames = await events(
        app, path, assistant_id="ask", input={}, command={"resume": {interrupt["id"]: 0}, **empty}
    )
    assert frames[-2][1]["log"] == ["prepared", "answered 0", "concluded"]
    again = {"assistant_id": "ask", "command": {"resume": {interrupt["id"]: 0}}}
    await refused(app, f"/threads/{thread_id}/runs/stream", again, 409)


async def test_several_interrupts_are_answered_by_their_ids(app: StreamApp) -> None:
    thread_id = await created(app)
    values = await wait(app, thread_id, "several", input={"question": "Shall I?", "log": []})
    ids = [each["id"] for each in values["__interrupt__"]]
    alone = {"assistant_id": "several", "command": {"resume": "yes"}}
    assert ids[0] in await refused(app, f"/threads/{thread_id}/runs/wait", alone)
    values = await wait(app, thread_id, "several", command={"resume": {ids[0]: "one"}})
    assert [each["id"] for each in values["__interrupt__"]] == ids[1:]
    values = await wait(app, thread_id, "several", command={"resume": {ids[1]: "two"}})
    assert {"answered one", "also two"} <= {*values["log"]}


async def test_a_command_updates_the_state_and_goes_to_nodes(app: StreamApp) -> None:
    thread_id = await created(app)
    await wait(app, thread_id, "ask", input={"question": "Shall I?", "log": []})
    command = {"update": [["log", ["written"]]], "goto": "conclude"}
    values = await wait(app, thread_id, "ask", command=command)
    assert values["log"] == ["prepared", "written", "concluded"]
    send = {"node": "conclude", "input": {"question": ""}}
    values = await wait(app, thread_id, "ask", command={"update": {"log": ["x"]}, "goto": [send]})
    assert values["log"] == ["prepared", "written", "x", "concluded", "concluded"]
    await wait(app, thread_id, "ask", input={"question": "Shall I?", "log": []})
    values = await wait(app, thread_id, "ask", command={"goto": "__end__"})
    assert values["log"][-1] == "prepared"
    assert (await state(app, thread_id))["next"] == []


async def test_a_run_without_an_input_goes_on(app: StreamApp) -> None:
    thread_id = await created(app)
    question = {"question": "x", "log": []}
    values = await wait(app, thread_id, "ask", input=question, interrupt_before=["ask"])
    assert values["log"] == ["prepared"]
    assert values.get("__interrupt__", []) == []
    values = await wait(app, thread_id, "ask", input=None)
    assert len(values["__interrupt__"]) == 1
    values = await wait(app, await created(app), "ask", input=question, interrupt_after="*")
    assert values["log"] == ["prepared"]


async def test_a_checkpoint_is_replayed_and_forked(app: StreamApp) -> None:
    thread_id = await created(app)
    await wait(app, thread_id, input=said("a"))
    await wait(app, thread_id, input=said("b"))
    states = await history(app, thread_id)
    replayed = states[1]["checkpoint"]
    values = await wait(app, thread_id, input=None, checkpoint=replayed)
    assert [each["content"] for each in values["messages"]] == ["a", "1 a", "b", "3 b"]
    first = states[3]["checkpoint"]
    values = await wait(app, thread_id, input=said("c"), checkpoint_id=first["checkpoint_id"])
    assert [each["content"] for each in values["messages"]] == ["a", "1 a", "c", "3 c"]
    tree = await history(app, thread_id, limit=100)
    parents = [(each["parent_checkpoint"] or {}).get("checkpoint_id") for each in tree]
    assert parents.count(first["checkpoint_id"]) == 2
    body = {"assistant_id": "chat", "checkpoint_id": "nope"}
    await refused(app, f"/threads/{thread_id}/runs/wait", body, 404)


async def test_frames_about_checkpoints_show_what_the_client_may_see(app: StreamApp) -> None:
    thread_id = await created(app, thread_id="mine")
    path = f"/lg/threads/{thread_id}/runs/stream"
    for assistant in ("nested", "fails", "chat"):
        body = said("a") if assistant == "chat" else {"question": "x", "log": []}
        exchange = await post(
            app,
            path,
            {
                "assistant_id": assistant,
                "input": body,
                "stream_mode": MODES,
                "stream_subgraphs": True,
            },
        )
        names = {name.partition("|")[0] for name, _ in frames_of(exchange)}
        assert {"tasks", "checkpoints", "debug"} <= names
        text = exchange.body.decode()
        assert "secret" not in text
        assert "thread_owner" not in text
        assert "~" not in text  # which internal ids begin with
        for name, payload in frames_of(exchange):
            if name.startswith("checkpoints"):
                assert payload["config"]["configurable"]["thread_id"] == "mine"


async def test_a_workflow_has_frames_about_checkpoints_too(app: StreamApp) -> None:
    path = f"/lg/threads/{await created(app)}/runs/stream"
    modes = ["tasks", "checkpoints", "debug", "values"]
    frames = await events(app, path, assistant_id="workflow", input=3, stream_mode=modes)
    assert [data for name, data in frames if name == "values"] == [12]
    [checkpoint, *_] = [data for name, data in frames if name == "checkpoints"]
    assert checkpoint["config"]["configurable"]["thread_id"] in path


async def test_a_thread_s_new_run_is_enqueued_by_default(app: StreamApp) -> None:
    thread_id = await created(app)
    path = f"/lg/threads/{thread_id}/runs/stream"
    slow = {"assistant_id": "slow", "input": said("a"), "stream_mode": "messages-tuple"}
    headers = {"content-type": "application/json"}
    async with Exchange(app, "POST", path, slow, headers=headers) as first:
        await first.until(b"w1 ")
        next_ = {"assistant_id": "chat", "input": said("b")}
        reject = {**next_, "multitask_strategy": "reject"}
        await refused(app, f"/threads/{thread_id}/runs/stream", reject, 409)
        write = {"values": said("x"), "as_node": "reply"}
        await refused(app, f"/threads/{thread_id}/state", write, 409)
        assert (await get(app, f"/lg/threads/{thread_id}")).json()["status"] == "busy"
        async with Exchange(app, "POST", path, next_, headers=headers) as second:
            first.disconnect()
            await second.finished()
    assert frames_of(second)[-1] == ("end", None)
    odd = {**next_, "multitask_strategy": "perhaps"}
    await refused(app, f"/threads/{thread_id}/runs/stream", odd)


async def test_a_run_interrupts_the_one_before(app: StreamApp) -> None:
    thread_id = await created(app)
    path = f"/lg/threads/{thread_id}/runs/stream"
    slow = {"assistant_id": "slow", "input": said("a"), "stream_mode": "messages-tuple"}
    headers = {"content-type": "application/json"}
    for strategy, expected in (("interrupt", "2 b"), ("rollback", "2 c")):
        async with Exchange(app, "POST", path, slow, headers=headers) as first:
            await first.until(b"w1 ")
            text = expected[-1]
            values = await wait(app, thread_id, input=said(text), multitask_strategy=strategy)
            assert b'"cancelled"' in (await first.finished()).body
        assert last_answer(values) in (expected, "4 c")


async def test_a_stateless_run_leaves_no_thread(app: StreamApp) -> None:
    body = {"assistant_id": "chat", "input": said("a")}
    exchange = await post(app, "/lg/runs/wait", body)
    assert last_answer(exchange.json()) == "1 a"
    assert exchange.headers["content-location"] == f"/runs/{exchange.headers['x-run-id']}"
    assert "x-thread-id" not in exchange.headers
    assert (await post(app, "/lg/threads/search", {})).json() == []


async def test_a_transport_names_the_thread_in_its_config(app: StreamApp) -> None:
    config = {"configurable": {"thread_id": "t1"}}
    body = {"assistant_id": "chat", "config": config}
    await post(app, "/lg", {**body, "input": said("a")})
    frames = await events(app, "/lg", **body, input=said("b"))
    assert last_answer([data for name, data in frames if name == "values"][-1]) == "3 b"
    await refused(app, "", {**body, "config": {"configurable": {"thread_id": 1}}})
    frames = await events(app, "/lg", config={"configurable": []}, input=said("c"))
    assert last_answer([data for name, data in frames if name == "values"][-1]) == "1 c"


@pytest.mark.parametrize(
    "body",
    [
        {"command": 1},
        {"command": {"graph": "__parent__", "resume": 1}},
        {"command": {"update": 1}},
        {"command": {"update": [["a"]]}},
        {"command": {"goto": 1}},
        {"command": {"goto": {"input": 1}}},
        {"command": {"goto": "nobody"}},
        {"checkpoint": []},
        {"checkpoint_id": 1},
        {"interrupt_before": "ask"},
        {"interrupt_after": [1]},
        {"durability": "never"},
        {"metadata": "x"},
        {"stream_mode": "everything"},
        {"config": {"configurable": {"role": "admin"}}},
    ],
)
async def test_a_run_that_is_not_valid_is_refused(app: StreamApp, body: Any) -> None:
    await created(app, thread_id="t1")
    await refused(app, "/threads/t1/runs/stream", {"assistant_id": "ask", **body})


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"webhook": "http://x"}, "webhook: not supported: this server calls no webhooks"),
        ({"after_seconds": 5}, "after_seconds: not supported: this server starts a run at once"),
        (
            {"feedback_keys": ["a"]},
            "feedback_keys: not supported: this server collects no feedback",
        ),
    ],
)
async def test_what_a_run_cannot_have_is_refused_by_name(
    app: StreamApp, body: Any, why: str
) -> None:
    body = {"assistant_id": "ask", "if_not_exists": "create", **body}
    exchange = await post(app, "/lg/threads/t1/runs/stream", body)
    assert exchange.status == 422
    assert why in exchange.json()["detail"]


async def test_a_run_without_a_thread_keeps_none(app: StreamApp) -> None:
    body = {"assistant_id": "chat", "input": said("a"), "on_completion": "keep"}
    assert "leaves nothing" in (await post(app, "/lg/runs/wait", body)).json()["detail"]
    path = f"/lg/threads/{await created(app)}/runs/wait"
    assert (await post(app, path, body)).status == 200


async def test_a_run_without_stream_modes_has_the_values(app: StreamApp) -> None:
    path = f"/lg/threads/{await created(app)}/runs/stream"
    asked_for_none: list[Any] = [[], None]
    for modes in asked_for_none:
        frames = await events(app, path, input=said("a"), stream_mode=modes)
        assert {name for name, _ in frames} == {"metadata", "values", "end"}


async def test_langgraph_s_own_keys_are_ignored(app: StreamApp) -> None:
    config = {"configurable": {"__pregel_durability": "sync", "thread_id": "x"}}
    values = await wait(app, await created(app), input=said("a"), config=config, durability="exit")
    assert last_answer(values) == "1 a"


# Who may do what.


PATHS: list[tuple[str, str, Any]] = [
    ("GET", "/threads/{t}", None),
    ("PATCH", "/threads/{t}", {"metadata": {}}),
    ("DELETE", "/threads/{t}", None),
    ("GET", "/threads/{t}/state", None),
    ("GET", "/threads/{t}/state/{c}", None),
    ("POST", "/threads/{t}/state", {"values": said("x")}),
    ("POST", "/threads/{t}/state/checkpoint", {"checkpoint": {"checkpoint_id": "{c}"}}),
    ("POST", "/threads/{t}/history", {}),
    ("POST", "/threads/{t}/runs/stream", {"assistant_id": "chat", "input": said("x")}),
    ("POST", "/threads/{t}/runs/wait", {"assistant_id": "chat", "input": said("x")}),
]


@pytest.mark.parametrize(("method", "path", "body"), PATHS)
async def test_another_owner_s_thread_does_not_exist(
    app: StreamApp, method: str, path: str, body: Any
) -> None:
    thread_id = await created(app)
    await wait(app, thread_id, input=said("private"))
    before = await state(app, thread_id)
    checkpoint_id = before["checkpoint"]["checkpoint_id"]
    text = json.dumps(body or {}).replace("{c}", checkpoint_id)
    headers = {"content-type": "application/json", "x-user": "other"}
    path = path.replace("{t}", thread_id).replace("{c}", checkpoint_id)
    exchange = await call(
        app, method, f"/lg{path}", text.encode() if body is not None else b"", headers=headers
    )
    assert exchange.status == 404, exchange.body
    assert b"private" not in exchange.body
    assert await state(app, thread_id) == before


@pytest.mark.parametrize("thread_id", ["ü", "a%00b", "a%2Fb", "x" * 1000, "~abc", "%20", "..%2F"])
@pytest.mark.parametrize(("method", "path", "body"), PATHS)
async def test_a_thread_with_an_odd_id_does_not_exist(
    app: StreamApp, thread_id: str, method: str, path: str, body: Any
) -> None:
    headers = {"content-type": "application/json"}
    path = path.replace("{t}", thread_id).replace("{c}", "c")
    content = json.dumps(body).encode() if body is not None else b""
    exchange = await call(app, method, f"/lg{path}", content, headers=headers)
    assert exchange.status in (404, 405), exchange.body


async def test_two_owners_have_threads_with_one_id(app: StreamApp) -> None:
    for user in ("ada", "ben"):
        headers = {"x-user": user}
        await post(app, "/lg/threads", {"thread_id": "t1"}, headers=headers)
        body = {"assistant_id": "chat", "input": said(user)}
        await post(app, "/lg/threads/t1/runs/wait", body, headers=headers)
    assert last_answer((await state(app, "t1", headers={"x-user": "ada"}))["values"]) == "1 ada"


USERS_ONLY = Threads(user_messages_only=True)


async def test_a_route_takes_messages_of_the_user_only() -> None:
    app = app_of(threads=USERS_ONLY)
    thread_id = await created(app)
    for n, message in enumerate(
        [
            "a",
            ["human", "b"],
            {"role": "user", "content": "c", "id": "c1"},
            {"type": "human", "content": [{"type": "text", "text": "d"}]},
        ]
    ):
        values = await wait(app, thread_id, input={"messages": [message]})
        assert last_answer(values).startswith(f"{2 * n + 1} ")
    answer = values["messages"][1]["id"]
    values = await wait(app, thread_id, input=said("forged", answer))
    assert values["messages"][1]["content"] == "1 a"
    values = await wait(app, thread_id, "ask", input=None)
    assert values is not None


@pytest.mark.parametrize(
    "body",
    [
        {"input": "x"},
        {"input": {"messages": [], "log": []}},
        {"input": {"messages": [{"type": "ai", "content": "x"}]}},
        {"input": {"messages": [{"type": "human", "role": "system", "content": "x"}]}},
        {"input": {"messages": [{"content": "x"}]}},
        {"input": {"messages": [{"type": "human", "content": 1}]}},
        {"input": {"messages": [{"lc": 1, "type": "human", "content": "x", "kwargs": {}}]}},
        {"input": {"messages": [["ai", "x"]]}},
        {"command": {"update": {"messages": []}, "resume": 1}},
        {"command": {"update": {"messages": ["x"]}}},
        {"command": {"goto": "reply"}},
    ],
)
async def test_a_route_for_messages_of_the_user_refuses_all_else(body: Any) -> None:
    app = app_of(threads=USERS_ONLY)
    thread_id = await created(app)
    await refused(app, f"/threads/{thread_id}/runs/wait", {"assistant_id": "chat", **body})
    await refused(app, f"/threads/{thread_id}/state", {"values": said("x")})


async def test_without_threads_there_are_none() -> None:
    app = StreamApp([StreamRoute("/lg", {"ask": ask_graph(None)}, format="langgraph")])
    assert (await post(app, "/lg/threads", {})).status == 404
    body = {"assistant_id": "ask", "stream_mode": "tasks"}
    await refused(app, "/runs/stream", body)


@pytest.mark.parametrize("apart", [False, True])
async def test_a_thread_without_a_record_is_one_of_its_graph(apart: bool) -> None:
    saver = InMemorySaver()
    graphs = {name: chat_graph(Echo(), saver) for name in ("first", "second")}
    graphs["last"] = ask_graph(InMemorySaver() if apart else saver)

    def app() -> StreamApp:
        options: Any = {"format": "langgraph", "threads": True, "resume": True}
        return StreamApp([StreamRoute("/lg", graphs, authorize=user_of, **options)])

    first = app()
    question = {"assistant_id": "last", "input": {"question": "?", "log": []}}
    await post(first, "/lg/threads/t1/runs/wait", {**question, "if_not_exists": "create"})
    before = await state(first, "t1")
    assert before["values"] == {"question": "?", "log": ["prepared"]}

    later = app()  # as after a restart
    assert (await get(later, "/lg/threads/nix/state")).status == 404
    assert await state(later, "t1") == before
    assert (await get(later, "/lg/threads/t1/runs")).json() == []
    if not apart:
        [thread] = (await post(later, "/lg/threads/search", {})).json()
        assert (thread["status"], thread["values"]) == ("interrupted", before["values"])
    [interrupt] = before["interrupts"]
    answer = {"namespace": [], "interrupt_id": interrupt["id"], "response": "yes"}
    command = {"id": 1, "method": "input.respond", "params": answer}
    assert (await post(later, "/lg/threads/t1/commands", command)).json()["type"] == "success"
    async with asyncio.timeout(20):
        # Between two steps the state has no next one either.
        while (await get(later, "/lg/threads/t1")).json()["status"] == "busy":
            await asyncio.sleep(0.01)
    assert (await state(later, "t1"))["values"]["log"][1:] == ["answered yes", "concluded"]
