"""Threads of the native formats, in process."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import quote

import pytest
from langchain_core.messages import AIMessage
from langgraph.graph import MessagesState

from asgi_stream import StreamApp, StreamRoute
from asgi_stream.testing import Exchange as Conversation

from ..asgi import JSON, call, frames, get, post, tokens
from .native_graphs import approving, asks, counts, first, graph_of, second

pytestmark = pytest.mark.anyio

FORMATS = ("tokens", "chunks", "events")
ANN, BOB = {"x-user": "ann"}, {"x-user": "bob"}
AS_JSON = {"accept": "application/json"}
HI = {"messages": [["human", "hi"]]}
READS = ("", "/state", "/messages", "/history")
ODD = {
    "slash": "a/b",
    "slashes": "/../state/",
    "nul": "a\x00b",
    "long": "x" * 1000,
    "unicode": "π 🧵\u202e",
    "quoted": "%2F?#&",
    "state": "state",
}


def user(request: Any) -> str | None:
    return request.headers.get("x-user")  # type: ignore[no-any-return]


def app_of(graph: Any, **options: Any) -> StreamApp:
    return StreamApp([StreamRoute("/t", graph, threads=True, authorize=user, **options)])


async def messages_of(app: StreamApp, thread: str, **kwargs: Any) -> list[str]:
    response = await get(app, f"/t/threads/{quote(thread, safe='')}/messages", **kwargs)
    assert response.status == 200, response.body
    return [each["content"] for each in response.json()["messages"]]


async def test_a_run_goes_on_from_a_checkpoint() -> None:
    app = app_of(graph_of(counts))
    for text in ("one", "two"):
        await post(app, "/t?thread_id=a", {"messages": [["human", text]]})
    states = (await get(app, "/t/threads/a/history?limit=100")).json()["states"]
    ids = [each["checkpoint"]["checkpoint_id"] for each in states]
    contents = [[m["content"] for m in each["values"].get("messages", ())] for each in states]
    after_first = ids[contents.index(["one", "1 so far"])]
    edited = await post(app, f"/t?thread_id=a&checkpoint_id={after_first}", HI)
    assert "3 so far" in edited.body.decode()
    assert await messages_of(app, "a") == ["one", "1 so far", "hi", "3 so far"]
    before_answer = ids[contents.index(["one", "1 so far", "two"])]
    again = await post(app, f"/t/threads/a?checkpoint_id={before_answer}", None)
    assert "3 so far" in again.body.decode()
    assert await messages_of(app, "a") == ["one", "1 so far", "two", "3 so far"]
    unknown = await post(
        app, "/t?thread_id=a&checkpoint_id=1f1e0000-0000-6000-8000-000000000000", HI
    )
    assert (unknown.status, unknown.json()["error"]["code"]) == (404, "not_found")
    twice = await post(app, "/t?thread_id=a&checkpoint_id=x&checkpoint_id=y", HI)
    assert twice.status == 422


async def test_a_new_thread_has_nothing_to_go_on_with() -> None:
    response = await post(app_of(graph_of(counts)), "/t?thread_id=new", None)
    assert response.status == 422
    assert response.json()["error"]["fields"] == {"input": "the first run on a thread needs one"}


@pytest.mark.parametrize("format", FORMATS)
async def test_a_thread_remembers_by_query_and_by_path(format: str) -> None:
    app = app_of(graph_of(counts), format=format)
    for n, url in enumerate(("/t?thread_id=a", "/t/threads/a", "/t/threads/a?thread_id=a")):
        response = await post(app, url, HI)
        assert response.status == 200
        assert response.headers["x-thread-id"] == "a"
        assert f"{2 * n + 1} so far" in response.body.decode()
    assert await messages_of(app, "a") == ["hi", "1 so far", "hi", "3 so far", "hi", "5 so far"]


async def test_without_a_name_each_run_has_a_thread_of_its_own() -> None:
    app = app_of(graph_of(counts))
    one, other = [await post(app, "/t", HI) for _ in range(2)]
    assert tokens(one.body) == tokens(other.body) == ["1 so far"]
    ids = one.headers["x-thread-id"], other.headers["x-thread-id"]
    assert ids[0] != ids[1]
    assert tokens((await post(app, f"/t?thread_id={ids[0]}", HI)).body) == ["3 so far"]


async def test_a_get_route_has_the_thread_and_the_answer_in_its_query() -> None:
    app = app_of(graph_of(asks), methods=("GET",))
    url = f"/t?thread_id=a&input={quote(json.dumps(HI))}"
    *_, interrupted, done = frames((await get(app, url)).body)
    assert (interrupted["interrupted"][0]["value"], done) == ("Sure?", "[DONE]")
    assert tokens((await get(app, "/t?thread_id=a&resume=yes")).body) == ["You said yes"]
    assert (await get(app, "/t?thread_id=a&resume=yes")).status == 409
    assert (await post(app, "/t/threads/a", HI)).status == 200


async def test_what_is_read_of_a_thread() -> None:
    app = app_of(graph_of(counts))
    await post(app, "/t/threads/a", HI, headers=ANN)
    await post(app, "/t/threads/a", HI, headers=ANN)
    thread = (await get(app, "/t/threads/a", headers=ANN)).json()
    assert thread.pop("created_at") < thread.pop("updated_at") < "9999"
    assert thread == {
        "thread_id": "a",
        "status": "idle",
        "metadata": {"graph_id": "t"},
        "run_id": None,
        "interrupts": [],
    }
    state = (await get(app, "/t/threads/a/state", headers=ANN)).json()
    assert len(state["values"]["messages"]) == 4
    assert state["checkpoint"]["thread_id"] == "a"
    messages = (await get(app, "/t/threads/a/messages", headers=ANN)).json()
    assert messages["messages"] == state["values"]["messages"]
    assert messages["run_id"] == state["metadata"]["run_id"]
    states = (await get(app, "/t/threads/a/history", headers=ANN)).json()["states"]
    assert states[0] == state
    assert [len(each["values"].get("messages", ())) for each in states] == [4, 3, 2, 2, 1, 0]
    url = f"/t/threads/a/history?limit=1&before={states[1]['checkpoint']['checkpoint_id']}"
    assert (await get(app, url, headers=ANN)).json() == {"states": [states[2]]}
    for response in (await get(app, "/t/threads/a/state", headers=ANN),):
        assert b"thread_owner" not in response.body
        assert "x-run-id" not in response.headers


async def test_the_list_has_the_caller_s_threads_newest_first() -> None:
    app = app_of(graph_of(counts))
    for thread in ("a", "b", "c"):
        await post(app, f"/t/threads/{thread}", HI, headers=ANN)
    await post(app, "/t/threads/bob's", HI, headers=BOB)
    await post(app, "/t/threads/nobody's", HI)

    async def listed(query: str, headers: Any = ANN) -> tuple[list[str], str | None]:
        response = await get(app, f"/t/threads{query}", headers=headers)
        ids = [each["thread_id"] for each in response.json()["threads"]]
        return ids, response.headers.get("x-pagination-next")

    assert await listed("") == (["c", "b", "a"], None)
    assert await listed("?limit=2") == (["c", "b"], "2")
    assert await listed("?limit=2&offset=2") == (["a"], None)
    assert await listed("", BOB) == (["bob's"], None)
    assert await listed("", {}) == ([], None)


async def test_a_thread_that_the_store_has_forgotten_is_there_nevertheless() -> None:
    graph = graph_of(asks)
    app, restarted = app_of(graph), app_of(graph)
    await post(app, "/t/threads/a", HI, headers=ANN)
    [thread] = (await get(restarted, "/t/threads", headers=ANN)).json()["threads"]
    assert (thread["thread_id"], thread["status"]) == ("a", "interrupted")
    assert (await get(restarted, "/t/threads", headers=BOB)).json() == {"threads": []}
    assert (await get(restarted, "/t/threads/a", headers=BOB)).status == 404
    answered = await post(restarted, "/t/threads/a", {"resume": "yes"}, headers=ANN)
    assert tokens(answered.body) == ["You said yes"]
    assert (await call(restarted, "DELETE", "/t/threads/a", headers=ANN)).status == 204
    assert (await get(restarted, "/t/threads", headers=ANN)).json() == {"threads": []}


async def test_keys_that_runs_take_mean_nothing_to_what_is_read() -> None:
    app = app_of(graph_of(counts), configurable=("tenant",))
    assert (await post(app, "/t?thread_id=a&tenant=x", HI)).status == 200
    assert (await get(app, "/t/threads/a/state?tenant=x")).status == 200
    assert (await get(app, "/t/threads/a/history?tenant=x&limit=1")).status == 200


@pytest.mark.parametrize("resumable", [False, True])
@pytest.mark.parametrize("thread", ODD.values(), ids=ODD)
async def test_odd_ids_are_ids_like_any_other(thread: str, resumable: bool) -> None:
    app = app_of(graph_of(counts), resume=resumable)
    quoted = quote(thread, safe="")
    by_query = await post(app, f"/t?thread_id={quoted}", HI, headers=ANN)
    assert tokens(by_query.body) == ["1 so far"]
    by_path = await post(app, f"/t/threads/{quoted}", HI, headers=ANN)
    assert tokens(by_path.body) == ["3 so far"]
    for response in (by_query, by_path):
        assert response.headers["x-thread-id"].isascii()
    assert await messages_of(app, thread, headers=ANN) == ["hi", "1 so far", "hi", "3 so far"]
    assert (await get(app, f"/t/threads/{quoted}", headers=ANN)).json()["thread_id"] == thread
    for path in READS:
        for headers in (BOB, {}):
            response = await get(app, f"/t/threads/{quoted}{path}", headers=headers)
            assert (response.status, b"so far" in response.body) == (404, False)
    assert (await call(app, "DELETE", f"/t/threads/{quoted}", headers=BOB)).status == 404
    assert len(await messages_of(app, thread, headers=ANN)) == 4
    if resumable:
        run = by_path.headers["content-location"]
        assert run == f"../runs/{by_path.headers['x-run-id']}"
    assert (await call(app, "DELETE", f"/t/threads/{quoted}", headers=ANN)).status == 204
    assert (await get(app, f"/t/threads/{quoted}", headers=ANN)).status == 404
    assert (await get(app, "/t/threads", headers=ANN)).json() == {"threads": []}


@pytest.mark.parametrize("thread", ["", "x" * 1001])
async def test_an_id_that_is_empty_or_too_long_is_refused(thread: str) -> None:
    app = app_of(graph_of(counts))
    response = await post(app, f"/t?thread_id={thread}", HI)
    assert response.status == 422
    assert response.json()["error"]["fields"] == {"thread_id": "expected 1 to 1000 characters"}
    if thread:
        for path in READS:
            assert (await get(app, f"/t/threads/{thread}{path}")).status == 422
        assert (await call(app, "DELETE", f"/t/threads/{thread}")).status == 422
        assert (await post(app, f"/t/threads/{thread}", HI)).status == 422
    else:
        assert (await get(app, "/t/threads//state")).status == 404


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("/t/threads?thread=a", "thread"),
        ("/t/threads?before=1", "before"),
        ("/t/threads?limit=0", "limit"),
        ("/t/threads?limit=1001", "limit"),
        ("/t/threads?offset=-1", "offset"),
        ("/t/threads?limit=one", "limit"),
        ("/t/threads/a?limit=1", "limit"),
        ("/t/threads/a/state?offset=1", "offset"),
        ("/t/threads/a/messages?limit=1", "limit"),
        ("/t/threads/a/history?offset=1", "offset"),
        ("/t/threads/a/history?limit=1&limit=2", "limit"),
    ],
)
async def test_a_wrong_query_is_refused_with_its_key(url: str, key: str) -> None:
    app = app_of(graph_of(counts))
    await post(app, "/t/threads/a", HI)
    response = await get(app, url)
    assert (response.status, [*response.json()["error"]["fields"]]) == (422, [key])


async def test_a_request_names_one_thread() -> None:
    app = app_of(graph_of(counts))
    for url in ("/t/threads/a?thread_id=b", "/t?thread_id=a&thread_id=b"):
        response = await post(app, url, HI)
        assert (response.status, [*response.json()["error"]["fields"]]) == (422, ["thread_id"])
    assert (await get(app, "/t/threads/a")).status == 404


async def test_the_methods_of_the_endpoints() -> None:
    app = app_of(graph_of(counts))
    for path in ("/t/threads", "/t/threads/a", "/t/threads/a/state"):
        for method in ("HEAD", "PUT"):
            response = await call(app, method, path)
            assert response.status == 405
            assert "GET" in response.headers["allow"]
            assert "HEAD" not in response.headers["allow"]
        options = await call(app, "OPTIONS", path)
        assert (options.status, options.headers["allow"]) == (204, response.headers["allow"])
    near = (await post(app, "/t/thread", HI)).json()["error"]["message"]
    assert "POST /t/threads/{stored_thread}" in near
    assert "/state" not in near


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("resumable", [False, True])
async def test_an_interrupt_is_answered_once(format: str, resumable: bool) -> None:
    app = app_of(graph_of(asks), format=format, resume=resumable)
    response = await post(app, "/t/threads/a", HI, headers=ANN)
    *_, end, done = frames(response.body)
    [interrupt] = end["interrupted"]
    assert (interrupt["value"], done) == ("Sure?", "[DONE]")
    thread = (await get(app, "/t/threads/a", headers=ANN)).json()
    assert (thread["status"], thread["interrupts"]) == ("interrupted", [interrupt])
    [listed] = (await get(app, "/t/threads", headers=ANN)).json()["threads"]
    assert (listed["status"], listed["interrupts"]) == ("interrupted", [interrupt])
    if resumable:
        location = f"/t/runs/{response.headers['x-run-id']}"
        again = await get(app, location, headers=ANN)
        assert again.body == response.body
        run = (await get(app, location, headers={**ANN, **AS_JSON})).json()
        assert run["state"] == "interrupted"

    for headers in (BOB, {}):
        refused = await post(app, "/t/threads/a", {"resume": "yes"}, headers=headers)
        assert (refused.status, refused.json()["error"]["code"]) == (409, "not_pending")
        assert (await get(app, "/t/threads/a", headers=headers)).status == 404
    unknown = await post(app, "/t/threads/a", {"resume": {"0" * 32: "yes"}}, headers=ANN)
    assert (unknown.status, unknown.json()["error"]["code"]) == (409, "not_pending")
    answer = {"resume": {interrupt["id"]: "yes"}}
    response = await post(app, "/t/threads/a", answer, headers=ANN)
    assert response.status == 200
    assert b"You said yes" in response.body
    assert (await post(app, "/t/threads/a", answer, headers=ANN)).status == 409
    assert await messages_of(app, "a", headers=ANN) == ["hi", "You said yes"]
    assert (await get(app, "/t/threads/a", headers=ANN)).json()["status"] == "idle"


@pytest.mark.parametrize("format", FORMATS)
async def test_a_json_answer_tells_the_interrupts(format: str) -> None:
    app = app_of(graph_of(asks), format=format)
    document = (await post(app, "/t/threads/a", HI, headers=AS_JSON)).json()
    assert document["interrupted"][0]["value"] == "Sure?"
    document = (await post(app, "/t/threads/a", {"resume": None}, headers=AS_JSON)).json()
    assert "interrupted" not in document
    assert "You said None" in json.dumps(document["output"])


async def test_several_interrupts_are_answered_together_or_one_by_one() -> None:
    app = app_of(graph_of(first, second), format="chunks")
    for thread in ("together", "apart"):
        url = f"/t/threads/{thread}"
        *_, end, _ = frames((await post(app, url, HI)).body)
        questions = sorted(end["interrupted"], key=lambda each: str(each["value"]))
        one, two = (each["id"] for each in questions)
        which = await post(app, url, {"resume": "yes"})
        assert which.status == 422
        assert one in which.json()["error"]["fields"]["resume"]
        if thread == "together":
            body = (await post(app, url, {"resume": {one: 1, two: 2}})).body
        else:
            *_, end, _ = frames((await post(app, url, {"resume": {one: 1}})).body)
            assert [each["id"] for each in end["interrupted"]] == [two]
            body = (await post(app, url, {"resume": 2})).body
        assert b"second 2" in body
        assert await messages_of(app, thread) == ["hi", "first 1", "second 2"]


async def test_tool_calls_are_approved_together() -> None:
    app = app_of(approving())
    url = "/t/threads/a"
    *_, end, _ = frames((await post(app, url, {"messages": [["human", "7 8"]]})).body)
    [interrupt] = end["interrupted"]
    requests = interrupt["value"]["action_requests"]
    assert [each["args"] for each in requests] == [{"order": 7}, {"order": 8}]
    wrong = await post(app, url, {"resume": {"decisions": [{"type": "maybe"}] * 2}})
    assert (wrong.status, [*wrong.json()["error"]["fields"]]) == (422, ["resume.decisions.0.type"])
    assert (await post(app, url, {"resume": "yes"})).status == 422
    decisions = [{"type": "approve"}, {"type": "reject", "message": "no"}]
    assert tokens((await post(app, url, {"resume": {"decisions": decisions}})).body)
    rejected, approved = (await messages_of(app, "a"))[2:4]
    assert rejected.endswith("with reason: no")
    assert approved == "refunded 7"


async def test_tool_calls_are_approved_one_by_one() -> None:
    app = app_of(approving(interrupt_mode="per_call"))
    url = "/t/threads/a"
    *_, end, _ = frames((await post(app, url, {"messages": [["human", "7 8"]]})).body)
    ids = {each["value"]["tool_call_id"]: each["id"] for each in end["interrupted"]}
    assert ids.keys() == {"call_7", "call_8"}
    one, two = ids["call_7"], ids["call_8"]
    edited = {"type": "edit", "edited_action": {"name": "refund", "args": {"order": 9}}}
    wrong = await post(app, url, {"resume": {one: {"type": "edit"}}})
    assert (wrong.status, [*wrong.json()["error"]["fields"]]) == (
        422,
        [f"resume.{one}.edited_action"],
    )
    *_, end, _ = frames((await post(app, url, {"resume": {one: edited}})).body)
    assert [each["id"] for each in end["interrupted"]] == [two]
    assert tokens((await post(app, url, {"resume": {"type": "approve"}})).body)
    one, two = (await messages_of(app, "a"))[2:4]
    assert (one.endswith("refunded 9"), two) == (True, "refunded 8")


async def test_a_new_message_instead_of_an_answer_leaves_no_call_open() -> None:
    app = app_of(approving())
    url = "/t/threads/a"
    for order in ("7", "8"):
        await post(app, url, {"messages": [["human", order]]})
    messages = (await get(app, f"{url}/messages")).json()["messages"]
    assert [each["type"] for each in messages] == ["human", "ai", "tool", "human", "ai"]
    assert (messages[2]["tool_call_id"], messages[2]["status"]) == ("call_7", "error")


async def test_two_owners_have_the_same_id_at_once() -> None:
    app = app_of(graph_of(counts))
    both = await asyncio.gather(
        *(post(app, "/t/threads/a", HI, headers=who) for who in (ANN, BOB, {}, ANN))
    )
    assert [each.status for each in both] == [200] * 4
    assert len(await messages_of(app, "a", headers=BOB)) == 2
    assert len(await messages_of(app, "a")) == 2
    assert len(await messages_of(app, "a", headers=ANN)) == 4


async def test_a_reader_comes_back_to_a_run_on_a_thread() -> None:
    app = app_of(graph_of(counts), resume=True)
    response = await post(app, "/t/threads/a%2Fb", HI, headers=ANN)
    assert response.headers["content-location"] == f"../runs/{response.headers['x-run-id']}"
    last = response.body.decode().split("id: ")[1].split("\n")[0]
    again = await call(
        app, "POST", "/t/threads/a%2Fb", b"{}", headers={**ANN, **JSON, "last-event-id": last}
    )
    assert again.body == response.body.partition(b"\n\n")[2]
    location = f"/t/runs/{response.headers['x-run-id']}"
    assert (await get(app, location, headers=BOB)).status == 404


async def test_a_second_run_on_a_busy_thread_is_refused_or_waits() -> None:
    begun, goes_on = asyncio.Event(), asyncio.Event()

    async def waits(state: MessagesState) -> Any:
        begun.set()
        await goes_on.wait()
        return {"messages": [AIMessage(f"{len(state['messages'])} so far")]}

    for multitask, status in (("reject", 409), ("enqueue", 200)):
        begun.clear()
        goes_on.clear()
        app = app_of(graph_of(waits), multitask=multitask)
        async with Conversation(
            app, "POST", "/t/threads/a", content=json.dumps(HI).encode(), headers=JSON
        ) as one:
            async with asyncio.timeout(10):
                await begun.wait()
            thread = (await get(app, "/t/threads/a")).json()
            assert (thread["status"], len(thread["run_id"])) == ("busy", 36)
            other = asyncio.create_task(post(app, "/t/threads/a", HI))
            if status == 409:
                assert (await other).json()["error"]["code"] == "thread_busy"
            goes_on.set()
            await one.finished()
        assert (await other).status == status
        assert len(await messages_of(app, "a")) == (2 if status == 409 else 4)


@pytest.mark.parametrize("resumable", [False, True])
async def test_deleting_a_thread_stops_its_run(resumable: bool) -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def waits(state: MessagesState) -> Any:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    app = app_of(graph_of(waits), resume=resumable)
    async with asyncio.timeout(10):
        run = asyncio.create_task(post(app, "/t/threads/a", HI, headers=ANN))
        await begun.wait()
        assert (await call(app, "DELETE", "/t/threads/a", headers=BOB)).status == 404
        assert not cancelled.is_set()
        assert (await call(app, "DELETE", "/t/threads/a", headers=ANN)).status == 204
        await cancelled.wait()
        assert b"so far" not in (await run).body
    assert (await get(app, "/t/threads/a", headers=ANN)).status == 404
    assert (await get(app, "/t/threads", headers=ANN)).json() == {"threads": []}


async def test_what_a_stopped_run_has_added_is_there_for_the_next_message() -> None:
    begun = asyncio.Event()

    async def waits(state: MessagesState) -> Any:
        if len(state["messages"]) == 1:
            begun.set()
            await asyncio.Event().wait()
        return counts(state)

    app = app_of(graph_of(waits))
    async with Conversation(
        app, "POST", "/t/threads/a", content=json.dumps(HI).encode(), headers=JSON
    ) as stopped:
        async with asyncio.timeout(10):
            await begun.wait()
            stopped.disconnect()
    async with asyncio.timeout(10):
        assert tokens((await post(app, "/t/threads/a", HI)).body) == ["2 so far"]
    assert await messages_of(app, "a") == ["hi", "hi", "2 so far"]
