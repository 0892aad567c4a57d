"""Runs that outlive their readers, in this process; with each store."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urljoin
from uuid import uuid4

import pytest
from langchain_core.runnables import RunnableGenerator, RunnableLambda
from langgraph.config import get_stream_writer
from langgraph.graph import START, MessagesState, StateGraph
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import Mount

from asgi_stream import Limits, Resume, StreamApp, StreamRoute, TableError
from asgi_stream._resume.urls import read_position, run_location
from asgi_stream.events import Event, TextDelta
from asgi_stream.formats import RUNS, Format
from asgi_stream.stores import EventStore, OwnershipLost, Page, RunRecord
from asgi_stream.stores.memory import MemoryStore
from asgi_stream.stores.redis import RedisStore

from ..asgi import JSON, Exchange, call, frames, get, post
from ..models import chain_of
from ..redis_server import RedisServer

pytestmark = pytest.mark.anyio

EVENT_SOURCE = {"accept": "text/event-stream"}
AS_JSON = {"accept": "application/json"}


class Speaker:
    """A Runnable that yields the words it is sent, until it is sent ``None``."""

    def __init__(self) -> None:
        self.inbox: asyncio.Queue[str | BaseException | None] = asyncio.Queue()
        self.begun = 0
        self.cancelled = 0

    @property
    def runnable(self) -> Any:
        async def speak(values: AsyncIterator[Any]) -> AsyncIterator[str]:
            async for _ in values:
                self.begun += 1
                try:
                    while (word := await self.inbox.get()) is not None:
                        if isinstance(word, BaseException):
                            raise word
                        yield word
                except asyncio.CancelledError:
                    self.cancelled += 1
                    raise

        return RunnableGenerator(speak)

    def say(self, *words: str | BaseException | None) -> None:
        for word in words:
            self.inbox.put_nowait(word)


async def until(happened: Callable[[], Any], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not happened():
            await asyncio.sleep(0.005)


def who(request: Request) -> str | None:
    return request.headers.get("x-user")


def app_of(store: EventStore, speaker: Speaker, **options: Any) -> StreamApp:
    resume = options.pop("resume", Resume(store=store))
    options = {"methods": ("GET", "POST"), "authorize": who, "resume": resume, **options}
    return StreamApp([StreamRoute("/chat", speaker.runnable, **options)], signals=False)


def ids(body: bytes) -> list[tuple[str, int]]:
    matches = re.findall(rb"^id: (.*):(\d+)$", body, re.MULTILINE)
    return [(run_id.decode(), int(number)) for run_id, number in matches]


def error_code(exchange: Exchange) -> str:
    return str(json.loads(exchange.body)["error"]["code"])


async def test_a_run_goes_on_without_its_reader_and_is_read_to_the_end(store: EventStore) -> None:
    speaker = Speaker()
    app = app_of(store, speaker)
    async with Exchange(app, "POST", "/chat", "hi", headers=JSON) as first:
        speaker.say("a", "b")
        await first.until(b'"b"')
    run_id = first.headers["x-run-id"]
    assert first.headers["content-location"] == f"chat/runs/{run_id}"
    assert ids(first.body) == [(run_id, 1), (run_id, 2)]
    speaker.say("c", None)
    state = f"/chat/runs/{run_id}"
    while json.loads((await get(app, state, headers=AS_JSON)).body)["state"] == "running":
        await asyncio.sleep(0.005)
    rest = await get(app, state, headers={"last-event-id": f"{run_id}:1"})
    assert frames(rest.body) == [{"token": "b"}, {"token": "c"}, "[DONE]"]
    assert ids(rest.body) == [(run_id, 2), (run_id, 3), (run_id, 4)]
    assert rest.headers["content-location"] == run_id
    whole = await get(app, state)
    assert [frame["token"] for frame in frames(whole.body)[:-1]] == ["a", "b", "c"]
    assert (speaker.begun, speaker.cancelled) == (1, 0)
    for path in (state, "/chat"):
        done = await get(app, path, headers={"last-event-id": f"{run_id}:4"})
        assert (done.status, done.body) == (204, b"")
    record = json.loads((await get(app, state, headers=AS_JSON)).body)
    assert (record["state"], record["frames"], record["run_id"]) == ("done", 4, run_id)
    assert record["bytes"] == len(whole.body)
    assert record["created_at"] <= record["started_at"] <= record["ended_at"]
    assert "code" not in record


async def test_readers_of_all_kinds_get_the_same(store: EventStore) -> None:
    speaker = Speaker()
    app = app_of(store, speaker)
    async with Exchange(app, "POST", "/chat", "hi", headers=JSON) as first:
        await until(lambda: speaker.begun)
        speaker.say("a", "b")
        await first.until(b'"b"')
        run_id = first.headers["x-run-id"]
        state = f"/chat/runs/{run_id}"
        async with (
            Exchange(app, "GET", state) as second,
            Exchange(app, "GET", state, stalled=True) as slow,
        ):
            speaker.say(*[f"w{n}" for n in range(200)])
            await second.until(b'"w199"')
            late = {"last-event-id": f"{run_id}:100"}
            async with Exchange(app, "GET", "/chat", headers=late) as third:
                await third.until(b'"w199"')
                speaker.say(None)
                slow.resume()
                for each in (first, second, slow, third):
                    await each.finished()
    assert first.body == second.body == slow.body
    assert ids(first.body) == [(run_id, n) for n in range(1, 204)]
    assert third.body == first.body[first.body.index(f"id: {run_id}:101\n".encode()) :]


@pytest.mark.parametrize(
    ("position", "status", "code"),
    [
        ("{run}:3", 422, "invalid_request"),
        ("99", 422, "invalid_request"),
        ("00000000-0000-4000-8000-000000000000:1", 422, "invalid_request"),
        ("x", 400, "invalid_request"),
        ("-2", 400, "invalid_request"),
        ("9" * 40, 400, "invalid_request"),
        ("{run}:", 400, "invalid_request"),
        ("{run}:1\x00", 400, "invalid_request"),
    ],
)
async def test_a_position_that_cannot_be(position: str, status: int, code: str) -> None:
    speaker = Speaker()
    app = app_of(MemoryStore(), speaker)
    async with Exchange(app, "POST", "/chat", "hi", headers=JSON) as first:
        speaker.say("a", "b")
        await first.until(b'"b"')
    run_id = first.headers["x-run-id"]
    headers = {"last-event-id": position.format(run=run_id)}
    answer = await get(app, f"/chat/runs/{run_id}", headers=headers)
    assert (answer.status, error_code(answer)) == (status, code)
    await app.aclose()


async def test_from_the_start_in_the_words_of_some_clients() -> None:
    assert read_position("-1") == (None, 0)
    assert read_position("0") == (None, 0)


@pytest.mark.parametrize("key", ["lastEventId", "Last-Event-ID", "last_event_id"])
async def test_a_polyfill_comes_back_by_its_query(store: EventStore, key: str) -> None:
    speaker = Speaker()
    app = app_of(store, speaker)
    async with Exchange(app, "GET", "/chat?input=1") as first:
        speaker.say("a", "b", None)
        await first.finished()
    run_id = first.headers["x-run-id"]
    rest = await get(app, f"/chat?input=1&{key}={run_id}:1")
    assert ids(rest.body)[0] == (run_id, 2)
    assert first.body.endswith(rest.body)
    for query in (f"{key}={run_id}:1&{key}=", f"{key}={run_id}:0&lastEventId={run_id}:1"):
        again = await get(app, f"/chat?input=1&{query}")
        assert again.body == rest.body
    over = await get(app, f"/chat?input=1&{key}={ids(first.body)[-1][0]}:{ids(first.body)[-1][1]}")
    assert (over.status, over.body) == (204, b"")
    state = await get(app, f"/chat/runs/{run_id}?{key}={run_id}:1")
    assert state.body == rest.body
    assert speaker.begun == 1


@pytest.mark.parametrize("chat", ["a/b", "a?b", "a#b", "a%2Fb", "a\\b", "a\nb", ".."])
async def test_a_chat_id_that_cannot_stand_in_an_address_is_refused(chat: str) -> None:
    speaker = Speaker()
    route = StreamRoute("/chat", speaker.runnable, format="vercel", resume=True)
    message = {"id": "1", "role": "user", "parts": [{"type": "text", "text": "hi"}]}
    answer = await post(StreamApp([route]), "/chat", {"id": chat, "messages": [message]})
    assert answer.status == 422
    assert b"id: must not contain a slash" in answer.body
    assert speaker.begun == 0


async def test_an_empty_last_event_id_is_none(store: EventStore) -> None:
    speaker = Speaker()
    app = app_of(store, speaker)
    speaker.say("a", None)
    for path, headers in (("", {"last-event-id": ""}), ("&lastEventId=", {})):
        answer = await get(app, f"/chat?input=1{path}", headers=headers)
        assert answer.status == 200
        assert b'"a"' in answer.body
        speaker.say("a", None)
    whole = await get(app, f"/chat/runs/{answer.headers['x-run-id']}", headers=headers)
    assert whole.body == answer.body


async def test_a_request_that_comes_back_never_starts_a_run(store: EventStore) -> None:
    speaker = Speaker()
    for app in (app_of(store, speaker), app_of(store, speaker, resume=False)):
        for position in (f"{uuid4()}:1", "garbage", "7"):
            back = await get(app, "/chat?input=1", headers={"last-event-id": position})
            assert (back.status, back.body) == (204, b"")
            back = await post(app, "/chat", 1, headers={"last-event-id": position})
            assert back.status in (400, 404)
    assert speaker.begun == 0


async def test_runs_belong_to_who_started_them(store: EventStore) -> None:
    speaker = Speaker()
    app = app_of(store, speaker)
    ann, bob = {"x-user": "ann"}, {"x-user": "bob"}
    request = {**JSON, **ann, "idempotency-key": "k"}
    async with Exchange(app, "POST", "/chat", "hi", headers=request) as first:
        speaker.say("a")
        await first.until(b'"a"')
        run_id = first.headers["x-run-id"]
        path, position = f"/chat/runs/{run_id}", {"last-event-id": f"{run_id}:0"}
        for other in (bob, {}):
            for headers in (other, {**other, **AS_JSON}, {**other, **position}):
                answer = await get(app, path, headers=headers)
                assert (answer.status, error_code(answer)) == (404, "not_found")
            assert (await call(app, "DELETE", path, headers=other)).status == 404
            coming_back = {**other, **position, **EVENT_SOURCE}
            assert (await get(app, path, headers=coming_back)).status == 204
            assert (await get(app, "/chat", headers={**other, **position})).status == 204
            assert json.loads((await get(app, "/chat/runs", headers=other)).body) == {"runs": []}
        for nobody in (uuid4(), "x", "..", f"{run_id}0", "%00"):
            answer = await get(app, f"/chat/runs/{nobody}", headers=ann)
            assert answer.status == 404
        [own] = json.loads((await get(app, "/chat/runs", headers=ann)).body)["runs"]
        assert own["run_id"] == run_id
        # The same key of another owner is another key.
        async with Exchange(app, "POST", "/chat", "hi", headers={**request, **bob}) as second:
            speaker.say("b")
            await until(lambda: speaker.begun == 2)
            await until(lambda: second.messages)
            assert second.headers["x-run-id"] != run_id
        speaker.say("c", None, None)
    await until(lambda: not app._loops.current.runs)


async def test_another_route_s_runs_are_not_there(store: EventStore) -> None:
    resume = Resume(store=store)
    runnable = chain_of("a")
    app = StreamApp([StreamRoute(path, runnable, resume=resume) for path in ("/a", "/b")])
    answer = await post(app, "/a", {"question": "?"})
    run_id = answer.headers["x-run-id"]
    assert (await get(app, f"/a/runs/{run_id}")).status == 200
    assert (await get(app, f"/b/runs/{run_id}")).status == 404
    app = StreamApp([StreamRoute("/bots/{name}", runnable, resume=resume)])
    headers = {"idempotency-key": "k"}
    answers = [
        await post(app, f"/bots/{name}", {"question": "?"}, headers=headers) for name in "aba"
    ]
    ids_ = [answer.headers["x-run-id"] for answer in answers]
    assert ids_[0] == ids_[2] != ids_[1]
    assert (await get(app, f"/bots/a/runs/{ids_[0]}")).status == 200
    assert (await get(app, f"/bots/b/runs/{ids_[0]}")).status == 404


async def test_a_repeated_post_joins_the_run_that_it_repeats(store: EventStore) -> None:
    speaker = Speaker()
    app = app_of(store, speaker)
    headers = {**JSON, "idempotency-key": "key 1"}
    async with (
        Exchange(app, "POST", "/chat", "hi", headers=headers) as first,
        Exchange(app, "POST", "/chat", "hi", headers=headers) as second,
    ):
        speaker.say("a", None)
        await first.finished()
        await second.finished()
    assert first.body == second.body
    assert speaker.begun == 1
    again = await post(app, "/chat", "hi", headers=headers)
    assert again.body == first.body
    other = await post(app, "/chat", "ho", headers=headers)
    assert (other.status, error_code(other)) == (422, "invalid_request")
    long = await post(app, "/chat", "hi", headers={"idempotency-key": "x" * 256})
    assert long.status == 400
    assert speaker.begun == 1
    assert app._loops._running["/chat"] == 0


async def test_two_that_repeat_a_post_at_the_same_moment_have_one_run() -> None:
    class Late(MemoryStore):
        """Another worker takes the name right after this one has looked it up."""

        async def named(self, name: str) -> str | None:
            return None

    speaker = Speaker()
    app = app_of(Late(), speaker)
    headers = {**JSON, "idempotency-key": "k"}
    async with (
        Exchange(app, "POST", "/chat", "hi", headers=headers) as first,
        Exchange(app, "POST", "/chat", "hi", headers=headers) as second,
    ):
        speaker.say("a", None)
        await first.finished()
        await second.finished()
    assert first.body == second.body
    assert speaker.begun == 1
    other = await post(app, "/chat", "ho", headers=headers)
    assert (other.status, error_code(other)) == (422, "invalid_request")


async def test_delete_stops_it_for_everyone(store: EventStore) -> None:
    speaker = Speaker()
    app = app_of(store, speaker)
    async with Exchange(app, "POST", "/chat", "hi", headers=JSON) as first:
        speaker.say("a")
        await first.until(b'"a"')
        path = f"/chat/runs/{first.headers['x-run-id']}"
        async with Exchange(app, "GET", path) as second:
            await second.until(b'"a"')
            stopped = await call(app, "DELETE", path)
            assert stopped.status == 202
            await first.finished()
            await second.finished()
    assert speaker.cancelled == 1
    assert first.body == second.body
    _, error, done = frames(first.body)
    assert (error["error"]["code"], done) == ("cancelled", "[DONE]")
    again = await call(app, "DELETE", path)
    assert again.status == 200
    state = json.loads(again.body)
    assert (state["state"], state["code"]) == ("cancelled", "cancelled")


async def test_stopping_before_the_first_frame_has_a_status(store: EventStore) -> None:
    speaker = Speaker()
    app = app_of(store, speaker, limits=Limits(hold=5))
    async with Exchange(app, "POST", "/chat", "hi", headers={**JSON, "x-user": "ann"}) as first:
        await until(lambda: speaker.begun)
        [run] = json.loads((await get(app, "/chat/runs", headers={"x-user": "ann"})).body)["runs"]
        assert (run["state"], run["frames"]) == ("pending", 0)
        await call(app, "DELETE", f"/chat/runs/{run['run_id']}", headers={"x-user": "ann"})
        await first.finished()
    assert (first.status, error_code(first)) == (409, "cancelled")


@pytest.mark.parametrize("resume", [{"on_disconnect": "cancel"}, {"unread_timeout": 0.5}])
async def test_a_run_that_nobody_reads_is_cancelled(store: EventStore, resume: Any) -> None:
    speaker = Speaker()
    app = app_of(store, speaker, resume=Resume(store=store, **resume))
    async with Exchange(app, "POST", "/chat", "hi", headers=JSON) as first:
        speaker.say("a")
        await first.until(b'"a"')
        path = f"/chat/runs/{first.headers['x-run-id']}"
        async with Exchange(app, "GET", path) as second:
            await second.until(b'"a"')
            first.disconnect()
            await first.finished()
            speaker.say("b")
            await second.until(b'"b"')
            assert not speaker.cancelled
    if "unread_timeout" in resume:
        async with Exchange(app, "GET", path) as third:
            await third.until(b'"b"')
            await asyncio.sleep(0.7)
            assert not speaker.cancelled
    await until(lambda: speaker.cancelled)
    await until(lambda: not app._loops.current.runs)
    state = json.loads((await get(app, path, headers=AS_JSON)).body)
    assert state["state"] == "cancelled"


async def test_frames_that_are_no_longer_kept_are_told(store: EventStore) -> None:
    speaker = Speaker()
    app = app_of(store, speaker, resume=Resume(store=store, frames=5))
    async with Exchange(app, "POST", "/chat", "hi", headers=JSON) as first:
        for n in range(12):
            speaker.say(f"w{n}")
            await first.until(f'"w{n}"'.encode())
        run_id = first.headers["x-run-id"]
        async with Exchange(app, "GET", f"/chat/runs/{run_id}") as late:
            await late.until(b"w11")
            speaker.say(None)
            await late.finished()
        await first.finished()
    gap, *rest = frames(late.body)
    assert gap == {"gap": {"first": 1, "last": 7}}
    assert [frame["token"] for frame in rest[:-1]] == [f"w{n}" for n in range(7, 12)]
    assert [number for _, number in ids(late.body)] == [7, 8, 9, 10, 11, 12, 13]
    # Like a browser that has received nothing after the gap.
    after = await get(app, "/chat", headers={"last-event-id": f"{run_id}:7"})
    assert frames(after.body)[0] == {"gap": {"first": 8, "last": 8}}
    assert len(frames(first.body)) == 13


async def test_the_bytes_of_a_run_are_bounded_too(store: EventStore) -> None:
    speaker = Speaker()
    app = app_of(store, speaker, resume=Resume(store=store, size=1000))
    speaker.say(*["x" * 300] * 5, "y" * 2000, None)
    first = await post(app, "/chat", "hi")
    whole = await get(app, f"/chat/runs/{first.headers['x-run-id']}")
    gap, *rest = frames(whole.body)
    assert gap["gap"]["first"] == 1
    assert rest[-1] == "[DONE]"
    assert len(whole.body) < 2200


async def test_an_owner_has_so_many_runs_at_once(store: EventStore) -> None:
    speaker = Speaker()
    app = app_of(store, speaker, resume=Resume(store=store, per_owner=1))
    ann = {"x-user": "ann"}
    async with Exchange(app, "POST", "/chat", "hi", headers={**JSON, **ann}) as first:
        speaker.say("a")
        await first.until(b'"a"')
        refused = await post(app, "/chat", "hi", headers=ann)
        assert (refused.status, error_code(refused)) == (429, "too_many_runs")
        assert "retry-after" in refused.headers
        async with Exchange(app, "POST", "/chat", "hi", headers={**JSON, "x-user": "bob"}) as other:
            speaker.say("b")
            await until(lambda: other.messages)
            assert other.status == 200
        speaker.say(None, None)
        await first.finished()
    await until(lambda: not app._loops.current.runs)
    speaker.say("c", None)
    assert (await post(app, "/chat", "hi", headers=ann)).status == 200


async def test_an_owner_s_runs_count_for_the_route_whatever_its_path_s_parameters_are() -> None:
    speaker = Speaker()
    resume = Resume(store=MemoryStore(), per_owner=1)
    route = StreamRoute("/bots/{name}", speaker.runnable, authorize=who, resume=resume)
    app = StreamApp([route], signals=False)
    ann = {"x-user": "ann"}
    async with Exchange(app, "POST", "/bots/a", "hi", headers={**JSON, **ann}) as first:
        speaker.say("a")
        await first.until(b'"a"')
        refused = await post(app, "/bots/b", "hi", headers=ann)
        assert (refused.status, error_code(refused)) == (429, "too_many_runs")
        speaker.say(None)
        await first.finished()


async def test_a_repeated_request_for_json_counts_too() -> None:
    speaker = Speaker()
    app = app_of(MemoryStore(), speaker, limits=Limits(concurrent=1))
    keyed = {**JSON, "idempotency-key": "k"}
    async with Exchange(app, "POST", "/chat", "hi", headers=keyed) as first:
        speaker.say("a")
        await first.until(b'"a"')
        as_json = await post(app, "/chat", "hi", headers={**keyed, "accept": "application/json"})
        assert (as_json.status, error_code(as_json)) == (503, "too_many_runs")
        speaker.say(None)
        await first.finished()


async def test_runs_count_as_long_as_they_go_on() -> None:
    speaker = Speaker()
    app = app_of(MemoryStore(), speaker, limits=Limits(concurrent=1))
    async with Exchange(app, "POST", "/chat", "hi", headers=JSON) as first:
        speaker.say("a")
        await first.until(b'"a"')
    refused = await post(app, "/chat", "hi")
    assert (refused.status, error_code(refused)) == (503, "too_many_runs")
    joined = Exchange(app, "GET", f"/chat/runs/{first.headers['x-run-id']}")
    async with joined:
        speaker.say(None)
        await joined.finished()
    speaker.say(None)
    assert (await post(app, "/chat", "hi")).status == 200


async def test_a_repeated_request_joins_its_run_however_many_go_on() -> None:
    speaker = Speaker()
    app = app_of(MemoryStore(), speaker, limits=Limits(concurrent=1))
    headers = {**JSON, "idempotency-key": "k"}
    async with Exchange(app, "POST", "/chat", "hi", headers=headers) as first:
        speaker.say("a")
        await first.until(b'"a"')
        app.drain()
        async with Exchange(app, "POST", "/chat", "hi", headers=headers) as again:
            await again.until(b'"a"')
            speaker.say(None)
            await again.finished()
        await first.finished()
    assert again.headers["x-run-id"] == first.headers["x-run-id"]
    assert speaker.begun == 1


@pytest.mark.parametrize("kept", [True, False])
async def test_a_server_that_stops_while_a_request_is_prepared_begins_no_run(kept: bool) -> None:
    speaker, preparing, go_on = Speaker(), asyncio.Event(), asyncio.Event()

    async def configure(_: Any) -> Any:
        preparing.set()
        await go_on.wait()
        return {}

    app = app_of(MemoryStore(), speaker, resume=kept, configure=configure)
    async with Exchange(app, "POST", "/chat", "hi", headers=JSON) as first:
        await preparing.wait()
        app._loops.current.close()
        go_on.set()
        await first.finished()
    assert (first.status, error_code(first)) == (503, "shutdown")
    assert speaker.begun == 0


class Slow(MemoryStore):
    """A store in which something happens during `create`."""

    def __init__(self, happens: Callable[[Any], None]) -> None:
        super().__init__()
        self.happens = happens

    async def create(self, producer: Any, **kwargs: Any) -> str:
        run_id = await super().create(producer, **kwargs)
        self.happens(producer)
        await asyncio.sleep(0.01)
        return run_id


async def test_a_server_that_stops_while_a_run_is_created_ends_it() -> None:
    speaker = Speaker()
    store = Slow(lambda _: app._loops.current.close())
    app = app_of(store, speaker)
    answer = await post(app, "/chat", "hi")
    assert (answer.status, error_code(answer)) == (503, "shutdown")
    assert speaker.begun == 0
    await until(lambda: not app._loops.current.runs)


async def test_a_run_that_is_stopped_while_it_is_created_holds_nothing() -> None:
    speaker = Speaker()
    app = app_of(Slow(lambda run: run.stop()), speaker, limits=Limits(concurrent=1))
    for _ in range(2):
        answer = await post(app, "/chat", "hi")
        assert error_code(answer) == "cancelled"
    assert not app._loops.current.runs
    assert speaker.begun == 0


async def test_a_caller_without_a_name_owns_no_runs() -> None:
    speaker = Speaker()
    app = app_of(MemoryStore(), speaker, authorize=lambda _: None)
    speaker.say("a", None)
    await post(app, "/chat", "hi")
    assert json.loads((await get(app, "/chat/runs")).body) == {"runs": []}


async def test_an_empty_owner_s_name_is_a_mistake(caplog: pytest.LogCaptureFixture) -> None:
    speaker = Speaker()
    app = app_of(MemoryStore(), speaker, authorize=lambda _: "")
    for answer in (await post(app, "/chat", "hi"), await get(app, "/chat/runs")):
        assert (answer.status, error_code(answer)) == (500, "run_failed")
    assert speaker.begun == 0
    message = "authorize of route '/chat' returned an empty name; return None for no user"
    assert caplog.text.count(message) == 2


@pytest.mark.parametrize("key", ["", " ", "\t "])
async def test_an_empty_idempotency_key_is_none(store: EventStore, key: str) -> None:
    speaker = Speaker()
    app = app_of(store, speaker)
    for n in (1, 2):
        speaker.say(f"{n}", None)
        answer = await post(app, "/chat", f"question {n}", headers={"idempotency-key": key})
        assert frames(answer.body) == [{"token": f"{n}"}, "[DONE]"]
    assert speaker.begun == 2


async def test_the_runs_that_ended_first_make_room_first() -> None:
    speaker = Speaker()
    store = MemoryStore(size=1500)
    app = app_of(store, speaker)
    locations = []
    for word in ("a" * 500, "b" * 500, "c" * 500):
        speaker.say(word, None)
        locations.append((await post(app, "/chat", "hi")).headers["content-location"])
    statuses = [(await get(app, f"/{location}", headers=AS_JSON)).status for location in locations]
    assert statuses == [404, 200, 200]


async def test_a_failure_has_its_status_and_is_kept(store: EventStore) -> None:
    speaker = Speaker()
    app = app_of(store, speaker, limits=Limits(hold=5))
    speaker.say(ValueError("secret"))
    failed = await post(app, "/chat", "hi", headers={"x-user": "ann"})
    assert (failed.status, error_code(failed)) == (500, "run_failed")
    run_id = failed.headers["x-run-id"]
    kept = await get(app, f"/chat/runs/{run_id}", headers={"x-user": "ann"})
    error, done = frames(kept.body)
    assert (error["error"]["code"], done) == ("run_failed", "[DONE]")
    assert b"secret" not in kept.body
    [run] = json.loads((await get(app, "/chat/runs", headers={"x-user": "ann"})).body)["runs"]
    assert (run["state"], run["code"]) == ("failed", "run_failed")


async def test_shutdown_is_the_last_word_of_every_run(store: EventStore) -> None:
    speaker = Speaker()
    app = app_of(store, speaker)
    async with Exchange(app, "POST", "/chat", "hi", headers=JSON) as left:
        speaker.say("a")
        await left.until(b'"a"')
    async with Exchange(app, "POST", "/chat", "hi", headers=JSON) as first:
        await until(lambda: speaker.begun == 2)
        await app.aclose()
        await first.finished()
    assert error_code(first) == "shutdown"
    assert speaker.cancelled == 2
    if isinstance(store, RedisStore):
        kept = await get(app_of(store, speaker), f"/chat/runs/{left.headers['x-run-id']}")
        assert frames(kept.body)[-2]["error"]["code"] == "shutdown"


async def test_who_reads_another_worker_s_run_is_told_of_the_shutdown_here(
    redis: RedisServer,
) -> None:
    speaker, prefix = Speaker(), uuid4().hex
    apps = [app_of(RedisStore(redis.url, prefix=prefix), speaker) for _ in range(2)]
    async with Exchange(apps[0], "POST", "/chat", "hi", headers=JSON) as first:
        speaker.say("a")
        await first.until(b'"a"')
        run_id = first.headers["x-run-id"]
        async with Exchange(apps[1], "GET", f"/chat/runs/{run_id}") as second:
            await second.until(b'"a"')
            await apps[1].aclose()
            await second.finished()
        # Without an id, so that the reader resumes elsewhere from its last frame.
        assert frames(second.body)[1]["error"]["code"] == "shutdown"
        assert ids(second.body) == [(run_id, 1)]
        speaker.say("b", None)
        await first.finished()
    assert [frame["token"] for frame in frames(first.body)[:-1]] == ["a", "b"]
    for app in apps:
        await app.aclose()


async def test_a_json_answer_is_not_kept(store: EventStore) -> None:
    speaker = Speaker()
    app = app_of(store, speaker)
    speaker.say("a", None)
    answer = await post(app, "/chat", "hi", headers={**AS_JSON, "x-user": "ann"})
    assert json.loads(answer.body)["output"] == "a"
    assert "content-location" not in answer.headers
    assert json.loads((await get(app, "/chat/runs", headers={"x-user": "ann"})).body)["runs"] == []
    async with Exchange(app, "POST", "/chat", "hi", headers={**JSON, **AS_JSON}):
        await until(lambda: speaker.begun == 2)
    await until(lambda: speaker.cancelled)


async def test_what_is_dropped_in_mid_reading_is_told() -> None:
    store, speaker = MemoryStore(), Speaker()
    app = app_of(store, speaker, limits=Limits(buffer=100))
    speaker.say(*["x" * 50] * 20, None)
    first = await post(app, "/chat", "hi")
    path = f"/chat/runs/{first.headers['x-run-id']}"
    async with Exchange(app, "GET", path, stalled=True) as slow:
        await until(lambda: store._runs[first.headers["x-run-id"]].followers)
        replay: Any
        [replay] = app._loops.current.streams
        store._drop(first.headers["x-run-id"])
        slow.resume()
        await slow.finished()
    assert frames(slow.body)[-2]["error"]["code"] == "not_found"
    assert replay.buffer.taken


async def test_vercel_s_own_way(store: EventStore) -> None:
    speaker = Speaker()
    app = (
        app_of(store, speaker, format="vercel", methods=("POST",))
        if False
        else StreamApp(
            [
                StreamRoute(
                    "/chat",
                    speaker.runnable,
                    format="vercel",
                    conversation=lambda messages: messages[-1].text,
                    resume=Resume(store=store),
                )
            ]
        )
    )
    parts = [{"type": "text", "text": "hi"}]
    chat = {"id": "c 1", "messages": [{"id": "1", "role": "user", "parts": parts}]}
    assert (await get(app, "/chat/c%201/stream")).status == 204
    assert (await get(app, "/chat/c 1/stream")).status == 204
    assert (await call(app, "DELETE", "/chat/c 1/stream")).status == 404
    async with Exchange(app, "POST", "/chat", chat, headers=JSON) as first:
        speaker.say("a")
        await first.until(b'"a"')
    assert b"\nid:" not in first.body
    run_id = first.headers["x-run-id"]
    async with Exchange(app, "GET", "/chat/c 1/stream") as second:
        await second.until(b'"a"')
        assert second.body.startswith(b'data: {"type":"start","messageId":"' + run_id.encode())
        assert second.headers["x-vercel-ai-ui-message-stream"] == "v1"
        assert second.headers["content-location"] == f"../runs/{run_id}"
        assert (await post(app, "/chat/c 1/stream", {})).status == 202
        await second.finished()
    assert second.body.endswith(b'data: {"type":"abort"}\n\ndata: [DONE]\n\n')
    assert (await get(app, "/chat/c 1/stream")).status == 204
    assert speaker.cancelled == 1


async def test_a_format_that_cannot_go_on_after_a_gap_ends_with_an_error() -> None:
    speaker = Speaker()
    route = StreamRoute(
        "/chat",
        speaker.runnable,
        format="vercel",
        conversation=lambda messages: messages[-1].text,
        resume=Resume(frames=2),
    )
    app = StreamApp([route])
    parts = [{"type": "text", "text": "hi"}]
    chat = {"id": "c", "messages": [{"id": "1", "role": "user", "parts": parts}]}
    async with Exchange(app, "POST", "/chat", chat, headers=JSON) as first:
        for n in range(4):
            speaker.say(f"w{n}")
            await first.until(f"w{n}".encode())
        late = await get(app, "/chat/c/stream")
        assert b'"errorText":"Part of the stream is no longer available. (error id ' in late.body
        assert late.body.endswith(b"data: [DONE]\n\n")
        speaker.say(None)
        await first.finished()


async def test_langgraph_s_own_way(store: EventStore) -> None:
    gate = asyncio.Event()

    async def node(state: Any) -> Any:
        await gate.wait()
        return {"messages": [("ai", "hello")]}

    graph = StateGraph(MessagesState).add_node("n", node).add_edge(START, "n").compile()
    app = StreamApp([StreamRoute("/g", graph, format="langgraph", resume=Resume(store=store))])
    body = {"assistant_id": "g", "input": {"messages": []}, "stream_mode": "values"}
    async with Exchange(app, "POST", "/g/runs/stream", body, headers=JSON) as first:
        await first.until(b"metadata")
        run_id = first.headers["x-run-id"]
        path = f"/runs/{run_id}"
        assert first.headers["content-location"] == path
        assert first.headers["location"] == f"{path}/stream"
    state = json.loads((await get(app, f"/g{path}")).body)
    assert (state["run_id"], state["status"]) == (run_id, "running")
    gate.set()
    rest = await get(app, f"/g{path}/stream", headers={"last-event-id": "1"})
    assert b"hello" in rest.body
    assert b"event: metadata" not in rest.body
    assert re.findall(rb"^id: (\d+)$", rest.body, re.MULTILINE)[0] == b"2"
    assert rest.body.endswith(b"event: end\ndata: null\n\n")
    whole = await get(app, f"/g{path}/stream", headers={"last-event-id": "-1"})
    assert b"event: metadata" in whole.body
    assert json.loads((await get(app, f"/g{path}")).body)["status"] == "success"
    gate.clear()
    async with Exchange(app, "POST", "/g/runs/stream", body, headers=JSON) as second:
        await second.until(b"metadata")
        path = f"/g/runs/{second.headers['x-run-id']}"
        assert (await call(app, "POST", f"{path}/cancel?wait=0&action=interrupt")).status == 202
        await second.finished()
    assert b'"error":"cancelled"' in second.body
    assert json.loads((await get(app, path)).body)["status"] == "interrupted"
    cancel = {**body, "on_disconnect": "cancel"}
    async with Exchange(app, "POST", "/g/runs/stream", cancel, headers=JSON) as third:
        await third.until(b"metadata")
        path = f"/g/runs/{third.headers['x-run-id']}"
    await until(lambda: not app._loops.current.runs)
    assert json.loads((await get(app, path)).body)["status"] == "interrupted"


async def test_front_ends_runs_belong_to_who_started_them_too(store: EventStore) -> None:
    gate = asyncio.Event()

    async def node(state: Any) -> Any:
        await gate.wait()
        return {"messages": [("ai", "hello")]}

    graph = StateGraph(MessagesState).add_node("n", node).add_edge(START, "n").compile()
    app = StreamApp(
        [
            StreamRoute("/g", graph, format="langgraph"),
            StreamRoute("/chat", graph, format="vercel"),
        ],
        resume=Resume(store=store),
        authorize=who,
    )
    ann, bob = {"x-user": "ann"}, {"x-user": "bob"}
    parts = [{"type": "text", "text": "hi"}]
    chat = {"id": "c", "messages": [{"id": "1", "role": "user", "parts": parts}]}
    body = {"assistant_id": "g", "input": {"messages": []}}
    headers = {**JSON, **ann}
    async with (
        Exchange(app, "POST", "/chat", chat, headers=headers) as first,
        Exchange(app, "POST", "/g/runs/stream", body, headers=headers) as second,
    ):
        await until(lambda: first.messages and second.messages)
        for other in (bob, {}):
            assert (await get(app, "/chat/c/stream", headers=other)).status == 204
            for method in ("POST", "DELETE"):
                assert (await call(app, method, "/chat/c/stream", headers=other)).status == 404
            run = f"/g/runs/{second.headers['x-run-id']}"
            for path in (run, f"{run}/stream"):
                assert (await get(app, path, headers=other)).status == 404
                late = {**other, "last-event-id": "1"}
                assert (await get(app, path, headers=late)).status == 404
            assert (await call(app, "POST", f"{run}/cancel", headers=other)).status == 404
            assert (await call(app, "DELETE", run, headers=other)).status == 404
        gate.set()
        await first.finished()
        await second.finished()
    assert b"hello" in first.body
    assert b"hello" in second.body


class Plain(Format):
    """A user's format without a terminal frame."""

    runs = RUNS
    wants = frozenset({TextDelta})

    def encode(self, event: Event) -> bytes:
        return b"data: x\n\n" if isinstance(event, TextDelta) else b""


async def test_a_format_without_a_last_word_ends_too(store: EventStore) -> None:
    speaker = Speaker()
    app = app_of(store, speaker, format="tests.resume.test_stored_runs:Plain")
    speaker.say("a", "b", None)
    answer = await post(app, "/chat", "hi")
    assert answer.body.count(b"data: x") == 2
    await until(lambda: not app._loops.current.runs)
    state = await get(app, f"/chat/runs/{answer.headers['x-run-id']}", headers=AS_JSON)
    assert json.loads(state.body)["state"] == "done"


@pytest.mark.parametrize(
    ("path", "endpoint"),
    [
        ("/chat", ""),
        ("/chat/", ""),
        ("/a/chat", ""),
        ("/a/chat/", ""),
        ("/a/chat/c/stream", "/{stored_conversation}/stream"),
        ("/a/chat/c/stream/", "/{stored_conversation}/stream"),
        ("/a/chat/runs/r", "/runs/{run_id}"),
        ("/", ""),
        ("/a:b", ""),
    ],
)
def test_the_place_of_a_run_is_relative_to_the_request(path: str, endpoint: str) -> None:
    base = path.rstrip("/").removesuffix("/c/stream").removesuffix("/runs/r")
    url = urljoin(f"http://h{path}", run_location("runs/r", path, endpoint))
    assert url == f"http://h{base}/runs/r".replace(":b", "%3Ab") or url == (
        f"http://h{base}/runs/r"
    )


async def test_a_run_is_found_from_where_its_answer_says(store: EventStore) -> None:
    speaker = Speaker()
    app = Starlette(routes=[Mount("/ai", app=app_of(store, speaker))])
    speaker.say("a", None)
    answer = await post(app, "/ai/chat", "hi")
    location = urljoin("http://h/ai/chat", answer.headers["content-location"])
    again = await get(app, location.removeprefix("http://h"))
    assert again.body == answer.body


@pytest.mark.parametrize("value", ["awaited", "refuses", "wrong"])
async def test_authorize_goes_first(value: str, caplog: pytest.LogCaptureFixture) -> None:
    async def authorize(request: Request) -> Any:
        if value == "refuses":
            raise HTTPException(401, "Who are you?")
        return 7 if value == "wrong" else "ann"

    speaker = Speaker()
    app = app_of(MemoryStore(), speaker, authorize=authorize)
    speaker.say("a", None)
    answer = await post(app, "/chat", "hi")
    expected = {"awaited": 200, "refuses": 401, "wrong": 500}[value]
    assert answer.status == expected
    runs = await get(app, "/chat/runs")
    assert runs.status == expected
    assert speaker.begun == (value == "awaited")
    if value == "awaited":
        assert len(json.loads(runs.body)["runs"]) == 1
    if value == "wrong":
        assert "authorize of route '/chat' returned an int, not a name or None" in caplog.text


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"resume": "memory"}, "resume must be a Resume or True, not a str"),
    ({"resume": True, "format": "agui"}, "clients of the agui format cannot reconnect"),
    ({"resume": True, "format": "text"}, "clients of the text format cannot reconnect"),
    ({"resume": Resume(store="nope")}, 'resume.store: expected "memory" or a URL like'),
    ({"resume": Resume(store=1)}, "resume.store: an int is not a store (it has no create)"),  # type: ignore[arg-type]
    ({"resume": Resume(on_disconnect="stop")}, "resume.on_disconnect must be one of"),  # type: ignore[arg-type]
    (
        {"resume": Resume(on_disconnect="cancel", unread_timeout=1)},
        "resume.unread_timeout requires",
    ),
    ({"resume": Resume(keep=0)}, "resume.keep must be greater than 0 and finite, not 0"),
    ({"resume": Resume(unread_timeout=-1)}, "resume.unread_timeout must be greater than 0"),
    ({"resume": Resume(frames=1.5)}, "resume.frames must be a whole number, not 1.5"),  # type: ignore[arg-type]
    ({"resume": Resume(size=True)}, "resume.size must be a whole number, not True"),
    ({"resume": Resume(keep="x")}, "resume.keep must be a number of seconds, not 'x'"),  # type: ignore[arg-type]
    ({"authorize": "x"}, "authorize must be a function, not a str"),
]


@pytest.mark.parametrize(("options", "message"), WRONG)
def test_what_is_wrong_with_it_is_told_when_the_table_is_built(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(TableError, match=re.escape(message)):
        StreamApp([StreamRoute("/chat", RunnableLambda(str), **options)])


async def test_what_has_ended_does_not_begin_and_ends_once() -> None:
    store, speaker = MemoryStore(), Speaker()
    app = app_of(store, speaker)
    create = store.create

    async def stopped(producer: Any, **more: Any) -> str:
        run_id = await create(producer, **more)
        await store.stop(run_id)
        return run_id

    store.create = stopped  # type: ignore[method-assign]
    answer = await post(app, "/chat", "hi")
    assert (answer.status, error_code(answer)) == (409, "cancelled")
    assert speaker.begun == 0
    store.create = create  # type: ignore[method-assign]
    async with Exchange(app, "POST", "/chat", "hi", headers=JSON) as first:
        speaker.say("a")
        await first.until(b'"a"')
        path = f"/chat/runs/{first.headers['x-run-id']}"
        async with Exchange(app, "GET", path) as second:
            await second.until(b'"a"')
            [replay] = [each for each in app._loops.current.streams if each.recorder is None]  # type: ignore[attr-defined]
            replay.shut_down()
            replay.shut_down()
            await second.finished()
        assert frames(second.body)[1]["error"]["code"] == "shutdown"


async def test_a_reader_that_waits_for_its_store_gets_the_shutdown() -> None:
    store, speaker, reads = MemoryStore(), Speaker(), asyncio.Event()

    async def hangs(run_id: str, after: int) -> Page | None:
        reads.set()
        return await asyncio.Future()

    app = app_of(store, speaker)
    async with Exchange(app, "POST", "/chat", "hi", headers=JSON) as first:
        speaker.say("a")
        await first.until(b'"a"')
        store.read = hangs  # type: ignore[method-assign]
        async with Exchange(app, "GET", f"/chat/runs/{first.headers['x-run-id']}") as second:
            await reads.wait()
            async with asyncio.timeout(20):
                await app.aclose()
                await second.finished()
    error, done = frames(second.body)
    assert (error["error"]["code"], done) == ("shutdown", "[DONE]")


async def test_what_is_said_while_a_reader_leaves_is_written() -> None:
    store, speaker = MemoryStore(), Speaker()
    app = app_of(store, speaker)
    async with Exchange(app, "POST", "/chat", "hi", headers=JSON) as first:
        speaker.say("a")
        await first.until(b'"a"')
        await asyncio.sleep(0.01)
        replay: Any
        run: Any
        [replay], [run] = app._loops.current.streams, app._loops.current.runs
        # In one turn of the loop: a frame, which wakes the reader, and the disconnect.
        run.append(b"data: between\n\n")
        replay.leave()
        run.append(b"data: after\n\n")
        await first.finished()
    speaker.say("b", None)
    path = f"/chat/runs/{first.headers['x-run-id']}"
    async with Exchange(app, "GET", path) as late:
        await late.finished()
    assert late.body.index(b"data: between") < late.body.index(b"data: after")
    assert late.body.endswith(b"data: [DONE]\n\n")


async def test_head_and_other_methods() -> None:
    app = app_of(MemoryStore(), Speaker())
    assert (await call(app, "HEAD", "/chat/runs")).status == 405
    assert (await call(app, "PUT", "/chat/runs")).status == 405
    assert (await call(app, "HEAD", "/chat")).status == 200


class Failing(MemoryStore):
    """A store that accepts `after` appends, and then fails."""

    def __init__(self, error: Exception, after: int) -> None:
        super().__init__()
        self.error, self.left = error, after

    def append(self, run_id: str, *args: Any, **kwargs: Any) -> bool:
        if self.left:
            self.left -= 1
            return super().append(run_id, *args, **kwargs)
        kept = self._runs[run_id]
        assert kept.producer is not None
        kept.producer.written(self.error)
        return False


async def test_a_store_that_breaks_ends_the_run(caplog: pytest.LogCaptureFixture) -> None:
    speaker = Speaker()
    app = app_of(Failing(ZeroDivisionError(), 1), speaker)
    async with Exchange(app, "POST", "/chat", "hi", headers=JSON) as first:
        speaker.say("a")
        await first.until(b'"a"')
        speaker.say("b")
        await until(lambda: speaker.cancelled)
    await until(lambda: not app._loops.current.runs)
    assert "aborted: its store does not accept its frames" in caplog.text
    assert "ZeroDivisionError" in caplog.text


class Unreadable(MemoryStore):
    """Fails to read a run in a way that no store should."""

    async def read(self, run_id: str, after: int) -> Page | None:
        raise OSError("refused")


async def test_an_error_of_a_store_that_is_read_ends_the_response_with_a_frame(
    caplog: pytest.LogCaptureFixture,
) -> None:
    speaker = Speaker()
    app = app_of(Unreadable(), speaker)
    async with Exchange(app, "POST", "/chat", "hi", headers=JSON) as first:
        speaker.say("a")
        await first.until(b'"a"')
        answer = await get(app, f"/chat/runs/{first.headers['x-run-id']}")
        speaker.say(None)
        await first.finished()
    error, end = frames(answer.body)
    assert (error["error"]["code"], end) == ("run_failed", "[DONE]")
    assert "OSError: refused" in caplog.text


class Odd(MemoryStore):
    """Behaves like a store that has lost frames."""

    page: Page | None = None

    async def read(self, run_id: str, after: int) -> Page | None:
        return self.page or await super().read(run_id, after)

    async def find(self, run_id: str) -> RunRecord | None:
        record = await super().find(run_id)
        return record and replace(record, certain=False)


@pytest.mark.parametrize(
    ("position", "page", "codes"),
    [
        (0, Page(4, [], ended=True, more=False), ["gap"]),
        (9, Page(4, [], ended=True, more=False), ["invalid_request"]),
    ],
)
async def test_an_answer_whose_end_is_gone_ends_with_an_error(
    position: int, page: Page, codes: list[str]
) -> None:
    store, speaker = Odd(), Speaker()
    app = app_of(store, speaker)
    async with Exchange(app, "POST", "/chat", "hi", headers=JSON) as first:
        speaker.say("a")
        await first.until(b'"a"')
        path = f"/chat/runs/{first.headers['x-run-id']}"
        store.page = page
        headers = {"last-event-id": str(position)} if position else {}
        answer = await get(app, path, headers=headers)
        store.page = None
        speaker.say(None)
        await first.finished()
    sent = frames(answer.body)
    assert sent[-1] == "[DONE]"
    assert [each["error"]["code"] for each in sent if "error" in each] == codes


async def test_a_reader_that_leaves_while_the_store_is_read_gets_nothing_more() -> None:
    class Blocking(MemoryStore):
        """A store whose reads wait."""

        def __init__(self) -> None:
            super().__init__()
            self.reading, self.go_on = asyncio.Event(), asyncio.Event()

        async def read(self, run_id: str, after: int) -> Page | None:
            self.reading.set()
            await self.go_on.wait()
            return await super().read(run_id, after)

    store, speaker = Blocking(), Speaker()
    app = app_of(store, speaker)
    async with Exchange(app, "POST", "/chat", "hi", headers=JSON) as first:
        speaker.say("a")
        await first.until(b'"a"')
        async with Exchange(app, "GET", f"/chat/runs/{first.headers['x-run-id']}") as second:
            await store.reading.wait()
            streams: Any = app._loops.current.streams
            [reader] = [each for each in streams if each.recorder is None]
            reader.leave()
            store.go_on.set()
            await second.finished()
        speaker.say(None)
        await first.finished()
    assert second.body == b""


async def test_what_a_graph_s_stream_writer_writes_is_stored(store: EventStore) -> None:
    def node(state: Any) -> Any:
        writer = get_stream_writer()
        for n in range(5):
            writer({"n": n, "padding": "x" * 100})
        return {"messages": [("ai", "hello")]}

    graph = StateGraph(MessagesState).add_node("n", node).add_edge(START, "n").compile()
    route = StreamRoute("/g", graph, format="vercel", limits=Limits(buffer=200))
    app = StreamApp([route], resume=Resume(store=store))
    parts = [{"type": "text", "text": "hi"}]
    chat = {"id": "c", "messages": [{"id": "1", "role": "user", "parts": parts}]}
    first = await post(app, "/g", chat)
    again = await get(app, f"/g/runs/{first.headers['x-run-id']}")
    assert again.body == first.body
    assert [int(n) for n in re.findall(rb'{"n":(\d)', first.body)] == [0, 1, 2, 3, 4]


async def test_an_id_that_another_run_has_is_no_fault_of_the_client_s() -> None:
    class Full(MemoryStore):
        async def create(self, *_: Any, **__: Any) -> str:
            raise OwnershipLost

    refused = await post(app_of(Full(), Speaker()), "/chat", "hi")
    assert (refused.status, error_code(refused)) == (503, "store_unavailable")
