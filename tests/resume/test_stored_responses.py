"""Stored responses of OpenAI's Responses API, with each store."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
from starlette.requests import Request

from asgi_stream import Limits, Resume, StreamApp, StreamRoute
from asgi_stream.errors import RunTimeout, ShuttingDown, StreamError
from asgi_stream.formats import StoredRun
from asgi_stream.formats._responses.stored import ResponseResource
from asgi_stream.formats.openai import OpenAIFormat
from asgi_stream.formats.tokens import TokensFormat as Tokens
from asgi_stream.stores import EventStore, RunRecord
from asgi_stream.stores.memory import MemoryStore

from ..asgi import Exchange, call, get, post
from .shared_store import SharedStore
from .test_stored_runs import Speaker, until

pytestmark = pytest.mark.anyio

ANN, BOB = {"x-user": "ann"}, {"x-user": "bob"}
NOBODY = "resp_" + "0" * 32
SENT_JSON = {"content-type": "application/json"}


def who(request: Request) -> str | None:
    return request.headers.get("x-user")


class Echo:
    """A speaker that notes the conversations that it gets."""

    def __init__(self) -> None:
        self.speaker = Speaker()
        self.heard: list[list[tuple[str, Any]]] = []

    def convert(self, messages: Any) -> str:
        self.heard.append([(each.type, each.content) for each in messages])
        return "in"

    def say(self, *words: str | BaseException | None) -> None:
        self.speaker.say(*words)


def app_of(store: EventStore, echo: Echo, **options: Any) -> StreamApp:
    about: dict[str, Any] = {
        "format": "openai",
        "authorize": who,
        "resume": Resume(store=store),
        "conversation": echo.convert,
        **options,
    }
    return StreamApp([StreamRoute("/v1", {"m": echo.speaker.runnable}, **about)], signals=False)


def body(**more: Any) -> dict[str, Any]:
    return {"model": "m", "input": "Hi", **more}


def events(data: bytes) -> list[dict[str, Any]]:
    """The events of a stream; each has its own type as its name."""
    values = []
    for frame in data.decode().split("\n\n")[:-1]:
        name, line = (each for each in frame.split("\n") if not each.startswith(":"))
        event = json.loads(line.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        values.append(event)
    return values


def numbers(sent: list[dict[str, Any]]) -> list[int]:
    return [event["sequence_number"] for event in sent]


def error_of(exchange: Exchange) -> Any:
    return json.loads(exchange.body)["error"]


async def created(app: StreamApp, user: dict[str, str] = ANN, **more: Any) -> Any:
    """The response that a POST without a stream returns."""
    exchange = await post(app, "/v1/responses", body(**more), headers=user)
    assert exchange.status == 200, exchange.body
    return json.loads(exchange.body)


async def retrieved(app: StreamApp, id_: str, user: dict[str, str] = ANN) -> Any:
    exchange = await get(app, f"/v1/responses/{id_}", headers=user)
    assert exchange.status == 200, exchange.body
    return json.loads(exchange.body)


async def streamed(app: StreamApp, id_: str, query: str = "") -> list[dict[str, Any]]:
    exchange = await get(app, f"/v1/responses/{id_}?stream=true{query}", headers=ANN)
    assert exchange.status == 200, exchange.body
    return events(exchange.body)


async def test_a_response_goes_on_without_its_reader_and_is_read_again(store: EventStore) -> None:
    echo = Echo()
    app = app_of(store, echo)
    headers = {**ANN, **SENT_JSON}
    async with Exchange(app, "POST", "/v1/responses", body(stream=True), headers=headers) as first:
        echo.say("a")
        await first.until(b'"a"')
    seen = events(first.body)
    id_ = seen[0]["response"]["id"]
    assert id_ == f"resp_{first.headers['x-run-id'].replace('-', '')}"
    assert first.headers["content-location"] == f"responses/{id_}"
    assert seen[0]["response"]["store"] is True
    running = await retrieved(app, id_)
    assert (running["status"], running["output"]) == ("in_progress", [])
    assert running == {**seen[1]["response"]}
    async with Exchange(
        app, "GET", f"/v1/responses/{id_}?stream=true&starting_after=1", headers=ANN
    ) as second:
        await second.until(b'"a"')
        echo.say("b", None)
        await second.finished()
    whole = await streamed(app, id_)
    assert numbers(whole) == [*range(len(whole))]
    assert whole[0]["type"] == "response.created"
    assert whole[: len(seen)] == seen
    assert events(second.body) == whole[2:]
    last = whole[-1]["sequence_number"]
    assert await streamed(app, id_, f"&starting_after={last - 1}") == whole[-1:]
    assert await streamed(app, id_, f"&starting_after={last}") == []
    done = await retrieved(app, id_)
    assert done == whole[-1]["response"]
    assert done["output"][0]["content"][0]["text"] == "ab"
    assert echo.speaker.cancelled == 0


async def test_a_document_is_stored_too(store: EventStore) -> None:
    echo = Echo()
    app = app_of(store, echo)
    echo.say("a", None)
    response = await created(app)
    assert (response["status"], response["store"]) == ("completed", True)
    assert await retrieved(app, response["id"]) == response
    assert [event["type"] for event in await streamed(app, response["id"])][-1] == (
        "response.completed"
    )


async def test_a_response_in_the_background(store: EventStore) -> None:
    echo = Echo()
    app = app_of(store, echo, resume=Resume(store=store, on_disconnect="cancel"))
    queued = await created(app, background=True, instructions="Be brief.")
    assert (queued["status"], queued["background"]) == ("queued", True)
    assert queued["instructions"] == "Be brief."
    await until(lambda: echo.speaker.begun)
    assert (await retrieved(app, queued["id"]))["status"] == "in_progress"
    echo.say("a", None)
    whole = await streamed(app, queued["id"])
    assert [(each["type"], each["response"]["status"]) for each in whole[:3]] == [
        ("response.created", "queued"),
        ("response.queued", "queued"),
        ("response.in_progress", "in_progress"),
    ]
    assert whole[0]["response"] == queued
    done = await retrieved(app, queued["id"])
    assert (done["status"], done["background"]) == ("completed", True)


async def test_a_stream_in_the_background_goes_on_without_its_reader(store: EventStore) -> None:
    echo = Echo()
    app = app_of(store, echo, resume=Resume(store=store, on_disconnect="cancel"))
    request = body(stream=True, background=True)
    headers = {**ANN, **SENT_JSON}
    async with Exchange(app, "POST", "/v1/responses", request, headers=headers) as first:
        echo.say("a")
        await first.until(b'"a"')
    id_ = events(first.body)[0]["response"]["id"]
    echo.say("b", None)
    assert (await streamed(app, id_))[-1]["response"]["status"] == "completed"
    assert echo.speaker.cancelled == 0


async def test_a_response_is_cancelled(store: EventStore) -> None:
    echo = Echo()
    app = app_of(store, echo)
    response = await created(app, background=True)
    await until(lambda: echo.speaker.begun)
    for _ in range(2):
        exchange = await post(app, f"/v1/responses/{response['id']}/cancel", {}, headers=ANN)
        cancelled = json.loads(exchange.body)
        assert (exchange.status, cancelled["status"]) == (200, "cancelled")
        assert cancelled["error"]["type"] == "cancelled"
    assert await retrieved(app, response["id"]) == cancelled
    await until(lambda: echo.speaker.cancelled)
    assert (await streamed(app, response["id"]))[-1]["type"] == "response.failed"


async def test_a_response_is_deleted(store: EventStore) -> None:
    echo = Echo()
    app = app_of(store, echo)
    for _ in range(2):  # one that has ended, and one that goes on
        response = await created(app, background=True)
        path = f"/v1/responses/{response['id']}"
        deleted = await call(app, "DELETE", path, headers=ANN)
        assert json.loads(deleted.body) == {
            "id": response["id"],
            "object": "response",
            "deleted": True,
        }
        again = await get(app, path, headers=ANN)
        assert (again.status, error_of(again)["type"]) == (404, "invalid_request_error")
        echo.say("a", None)


async def test_what_is_not_to_be_stored_is_not(store: EventStore) -> None:
    echo = Echo()
    app = app_of(store, echo)
    echo.say("a", None, "b", None)
    response = await created(app, store=False)
    assert response["store"] is False
    assert (await get(app, f"/v1/responses/{response['id']}", headers=ANN)).status == 404
    chat = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    exchange = await post(app, "/v1/chat/completions", chat, headers=ANN)
    assert exchange.body.endswith(b"data: [DONE]\n\n")
    assert "content-location" not in exchange.headers
    refused = await post(app, "/v1/responses", body(store=False, background=True), headers=ANN)
    assert (refused.status, error_of(refused)["param"]) == (400, "store")


async def test_a_response_is_its_owner_s(store: EventStore) -> None:
    echo = Echo()
    app = app_of(store, echo)
    echo.say("a", None)
    response = await created(app)
    path = f"/v1/responses/{response['id']}"
    for id_, user in ((response["id"], BOB), (NOBODY, ANN), ("x", ANN), (NOBODY + "0", ANN)):
        path = f"/v1/responses/{id_}"
        for exchange in (
            await get(app, path, headers=user),
            await get(app, f"{path}?stream=true", headers=user),
            await call(app, "DELETE", path, headers=user),
            await post(app, f"{path}/cancel", {}, headers=user),
        ):
            assert (exchange.status, error_of(exchange)["code"]) == (404, "not_found")
    reference = {"type": "item_reference", "id": response["output"][0]["id"]}
    exchange = await post(app, "/v1/responses", body(input=[reference]), headers=BOB)
    assert (exchange.status, error_of(exchange)["code"]) == (404, "item_not_found")
    assert (await retrieved(app, response["id"]))["status"] == "completed"


async def test_items_of_earlier_responses_are_known_by_their_ids(store: EventStore) -> None:
    echo = Echo()
    app = app_of(store, echo)
    echo.say("one", None, "two", None, "three", None)
    items: list[Any] = [{"role": "user", "content": "1?"}]
    for question in ("2?", "3?"):
        response = await created(app, input=items, instructions="Be brief.")
        [message] = response["output"]
        items += [{"type": "item_reference", "id": message["id"]}]
        items += [{"role": "user", "content": question}]
    items[1] = {"id": items[1]["id"]}  # the type may be left out
    await created(app, input=items, instructions="Be brief.")
    assert echo.heard[-1] == [
        ("system", "Be brief."),
        ("human", "1?"),
        ("ai", "one"),
        ("human", "2?"),
        ("ai", "two"),
        ("human", "3?"),
    ]


@pytest.mark.parametrize("id_", ["msg_1", NOBODY, f"msg_{'0' * 32}1"])
async def test_an_unknown_item_is_not_found(id_: str) -> None:
    app = app_of(MemoryStore(), Echo())
    items = [{"role": "user", "content": "Hi"}, {"type": "item_reference", "id": id_}]
    exchange = await post(app, "/v1/responses", body(input=items), headers=ANN)
    assert exchange.status == 404
    assert (error_of(exchange)["code"], error_of(exchange)["param"]) == (
        "item_not_found",
        "input.1",
    )


async def test_an_item_of_a_response_that_goes_on_is_not_found() -> None:
    echo = Echo()
    app = app_of(MemoryStore(), echo)
    response = await created(app, background=True)
    items = [{"type": "item_reference", "id": response["id"].replace("resp", "msg") + "0"}]
    exchange = await post(app, "/v1/responses", body(input=items), headers=ANN)
    assert (exchange.status, error_of(exchange)["code"]) == (404, "item_not_found")
    echo.say(None)


@pytest.mark.parametrize("stream", [True, False])
async def test_a_run_that_fails_at_once_is_an_error_and_is_stored(stream: bool) -> None:
    echo = Echo()
    app = app_of(MemoryStore(), echo)
    echo.say(StreamError("Slow down.", code="slow", status=429))
    exchange = await post(app, "/v1/responses", body(stream=stream), headers=ANN)
    assert (exchange.status, error_of(exchange)["code"]) == (429, "slow")
    id_ = f"resp_{exchange.headers['x-run-id'].replace('-', '')}"
    response = await retrieved(app, id_)
    assert (response["status"], response["error"]["code"]) == ("failed", "rate_limit_exceeded")


@pytest.mark.parametrize("word", ["x", "-1", "1" * 16, ""])
async def test_a_position_that_is_none_is_refused(word: str) -> None:
    echo = Echo()
    app = app_of(MemoryStore(), echo)
    echo.say("a", None)
    response = await created(app)
    path = f"/v1/responses/{response['id']}?stream=true&starting_after={word}"
    exchange = await get(app, path, headers=ANN)
    assert (exchange.status, error_of(exchange)["param"]) == (422, "starting_after")
    ahead = await get(app, f"{path.removesuffix(word)}99", headers=ANN)
    assert (ahead.status, error_of(ahead)["message"]) == (
        422,
        "The position is ahead of this run.",
    )


async def test_a_repeated_request_gets_the_same_response() -> None:
    echo = Echo()
    app = app_of(MemoryStore(), echo)
    headers = {**ANN, "idempotency-key": "k"}
    echo.say("a", None)
    first = await post(app, "/v1/responses", body(), headers=headers)
    second = await post(app, "/v1/responses", body(), headers=headers)
    assert first.body == second.body
    assert echo.speaker.begun == 1


async def test_a_repeated_request_needs_the_end_of_its_response_only() -> None:
    echo, store = Echo(), MemoryStore()
    app = app_of(store, echo, resume=Resume(store=store, frames=2))
    headers = {**ANN, "idempotency-key": "k"}
    echo.say("a", "b", "c", None)
    first = await post(app, "/v1/responses", body(), headers=headers)
    second = await post(app, "/v1/responses", body(), headers=headers)
    assert (first.status, first.body) == (second.status, second.body)


@pytest.mark.parametrize("pings", [False, True])
@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ValueError("secret"), 500),
        (StreamError("Slow down.", code="slow", status=429), 429),
        (RunTimeout(), 504),
        (StreamError("No.", code="no", status=409), 500),  # which no response has room for
    ],
)
async def test_a_repeated_request_fails_as_the_first(
    error: Exception, status: int, pings: bool
) -> None:
    echo = Echo()
    app = app_of(MemoryStore(), echo, json_pings=pings)
    headers = {**ANN, "idempotency-key": "k"}
    echo.say(error)
    first = await post(app, "/v1/responses", body(), headers=headers)
    second = await post(app, "/v1/responses", body(), headers=headers)
    assert second.status == (200 if pings else status)
    wanted, repeated = error_of(first), error_of(second)
    for field in ("code", "message", "id"):
        assert repeated[field] == wanted[field]
    assert echo.speaker.begun == 1


async def test_a_repeated_request_in_the_background_gets_the_same_time() -> None:
    echo = Echo()
    app = app_of(MemoryStore(), echo)
    headers = {**ANN, "idempotency-key": "k"}
    first = await created(app, headers, background=True)
    with pytest.MonkeyPatch.context() as patched:
        later = "asgi_stream.formats._responses.encoder.time"
        patched.setattr(later, lambda: first["created_at"] + 60)
        assert await created(app, headers, background=True) == first
    echo.say(None)


async def test_forged_references_cost_few_requests_to_the_store() -> None:
    class Counting(MemoryStore):
        finds = 0

        async def find(self, run_id: str) -> RunRecord | None:
            self.finds += 1
            return await super().find(run_id)

    app = app_of(store := Counting(), echo := Echo())
    echo.say("a", None)
    [message] = (await created(app))["output"]
    store.finds = 0
    items = [{"id": message["id"]}, *({"id": f"msg_{n:032x}0"} for n in range(100))]
    exchange = await post(app, "/v1/responses", body(input=items), headers=ANN)
    assert (exchange.status, error_of(exchange)["param"]) == (404, "input.1")
    assert store.finds < 20


class BrokenResource(ResponseResource):
    """A resource whose documents cannot be made."""

    def document(self, run: StoredRun) -> object:
        raise ValueError("secret")


class BrokenFormat(OpenAIFormat):
    run_resource = BrokenResource()


async def test_a_document_that_cannot_be_made_is_an_error() -> None:
    echo = Echo()
    app = app_of(MemoryStore(), echo, format="tests.resume.test_stored_responses:BrokenFormat")
    echo.say("a", None)
    exchange = await post(app, "/v1/responses", body(), headers=ANN)
    assert (exchange.status, error_of(exchange)["type"]) == (500, "server_error")
    assert b"secret" not in exchange.body


async def test_an_item_that_is_referred_to_twice_is_in_the_conversation_once() -> None:
    echo = Echo()
    app = app_of(MemoryStore(), echo)
    echo.say("a", None)
    [message] = (await created(app))["output"]
    reference = {"type": "item_reference", "id": message["id"]}
    echo.say("b", None)
    await created(app, input=[reference, {"role": "user", "content": "And?"}, reference])
    assert echo.heard[-1] == [("ai", "a"), ("human", "And?")]


async def test_a_worker_that_dies_fails_its_response() -> None:
    echo, store = Echo(), SharedStore()
    app = app_of(store, echo)
    headers = {**ANN, **SENT_JSON}
    async with Exchange(
        app, "POST", "/v1/responses", body(stream=True, metadata={"a": "b"}), headers=headers
    ) as exchange:
        echo.say("a")
        await exchange.until(b'"a"')
        run_id = exchange.headers["x-run-id"]
        store.lose(run_id)
        id_ = f"resp_{run_id.replace('-', '')}"
        while (failed := await retrieved(app, id_))["status"] == "in_progress":
            await asyncio.sleep(0.005)
        await exchange.finished()
    sent = events(exchange.body)
    assert numbers(sent) == [*range(len(sent))]
    last = sent[-1]
    assert (last["type"], last["response"]["id"]) == ("response.failed", id_)
    assert last["response"]["error"]["type"] == "worker_lost"
    assert last["response"]["metadata"] == {"a": "b"}
    assert failed["status"] == "failed"
    assert await retrieved(app, id_) == last["response"]
    echo.say(None)


async def test_a_lost_response_is_failed_before_a_reader_has_ended_it() -> None:
    echo, store = Echo(), SharedStore()
    app = app_of(store, echo)
    response = await created(app, background=True)
    await until(lambda: echo.speaker.begun)
    store.lose(str(response["id"].removeprefix("resp_")) and _run_id(response["id"]))
    lost = await retrieved(app, response["id"])
    assert (lost["status"], lost["error"]["type"]) == ("failed", "worker_lost")
    echo.say(None)


def _run_id(id_: str) -> str:
    hex_ = id_.removeprefix("resp_")
    return "-".join((hex_[:8], hex_[8:12], hex_[12:16], hex_[16:20], hex_[20:]))


async def test_a_reader_that_the_store_fails_gets_an_error_event() -> None:
    echo, store = Echo(), MemoryStore()
    app = app_of(store, echo, resume=Resume(store=store, frames=3))
    response = await created(app, background=True)
    await until(lambda: echo.speaker.begun)
    async with Exchange(
        app, "GET", f"/v1/responses/{response['id']}?stream=true", headers=ANN
    ) as exchange:
        await exchange.until(b"in_progress")
        echo.say("a", "b", "c", None)
        await exchange.finished()
    whole = await get(app, f"/v1/responses/{response['id']}?stream=true", headers=ANN)
    [error] = events(whole.body)
    assert (error["type"], error["code"], error["param"]) == ("error", "gap", None)
    assert (await retrieved(app, response["id"]))["status"] == "completed"


async def test_a_long_response_that_goes_on_is_known_by_its_record() -> None:
    echo, store = Echo(), MemoryStore()
    app = app_of(store, echo, resume=Resume(store=store, frames=2))
    response = await created(app, background=True)
    echo.say("a", "b", "c")
    await until(lambda: not echo.speaker.inbox.qsize())
    await asyncio.sleep(0)
    running = await retrieved(app, response["id"])
    assert (running["id"], running["status"], running["model"]) == (
        response["id"],
        "in_progress",
        "m",
    )
    echo.say(None)


class OwnFormat(Tokens):
    """A format of someone's own with these operations, whose documents are records."""

    runs: ClassVar[Mapping[tuple[str, str], str]] = {
        ("GET", "/kept/{run_id}"): "retrieve",
        ("POST", "/kept/{run_id}"): "cancel",
        ("DELETE", "/kept/{run_id}"): "delete",
    }


async def test_a_format_of_one_s_own_has_these_endpoints() -> None:
    echo, name = Echo(), "tests.resume.test_stored_responses:OwnFormat"
    runnable, store = echo.speaker.runnable, MemoryStore()
    options: dict[str, Any] = {"format": name, "authorize": who, "resume": Resume(store=store)}
    app = StreamApp([StreamRoute("/v1", runnable, **options)], signals=False)
    headers = {**ANN, **SENT_JSON}
    async with Exchange(app, "POST", "/v1", "in", headers=headers) as exchange:
        echo.say("a")
        await exchange.until(b'"a"')
        run_id = exchange.headers["x-run-id"]
        path = f"/v1/kept/{run_id}"
        record = json.loads((await get(app, path, headers=ANN)).body)
        assert (record["run_id"], record["state"]) == (run_id, "running")
        cancelled = json.loads((await post(app, path, {}, headers=ANN)).body)
        assert cancelled["state"] == "cancelled"
    deleted = await call(app, "DELETE", path, headers=ANN)
    assert json.loads(deleted.body) == {"run_id": run_id, "deleted": True}
    assert (await get(app, path, headers=ANN)).status == 404


async def test_the_end_of_the_server_ends_a_document() -> None:
    echo = Echo()
    app = app_of(MemoryStore(), echo)
    headers = {**ANN, **SENT_JSON}
    async with Exchange(app, "POST", "/v1/responses", body(), headers=headers) as exchange:
        await until(lambda: echo.speaker.begun)
        await app.aclose()
        await exchange.finished()
    assert (exchange.status, error_of(exchange)["code"]) == (503, "shutdown")


async def test_a_document_that_cannot_be_sent_ends_with_an_error() -> None:
    echo = Echo()
    options: dict[str, Any] = {"json_pings": True, "limits": Limits(hold=0.01)}
    app = app_of(MemoryStore(), echo, **options)
    headers = {**ANN, **SENT_JSON}
    async with Exchange(app, "POST", "/v1/responses", body(), headers=headers) as exchange:
        await exchange.until(b" ")
        [document] = app._loops.current.streams
        for error in (ShuttingDown(), ValueError("later")):  # as when the server cancels it
            document.fail(error)  # type: ignore[attr-defined]
        await exchange.finished()
    assert error_of(exchange)["code"] == "shutdown"
    echo.say(None)


async def test_a_repeated_request_with_pings_waits_for_the_document() -> None:
    echo = Echo()
    app = app_of(MemoryStore(), echo, json_pings=True)
    headers = {**ANN, "idempotency-key": "k"}
    echo.say("a", None)
    bodies = [
        json.loads((await post(app, "/v1/responses", body(), headers=headers)).body)
        for _ in range(2)
    ]
    assert bodies[0] == bodies[1]
    assert echo.speaker.begun == 1


async def test_a_document_with_pings() -> None:
    echo = Echo()
    options: dict[str, Any] = {"json_pings": True, "limits": Limits(ping=0.02, hold=0.01)}
    app = app_of(MemoryStore(), echo, **options)
    headers = {**ANN, **SENT_JSON}
    async with Exchange(app, "POST", "/v1/responses", body(), headers=headers) as exchange:
        await exchange.until(b"  ")
        echo.say("a", None)
        await exchange.finished()
    assert json.loads(exchange.body)["status"] == "completed"
    async with Exchange(app, "POST", "/v1/responses", body(), headers=headers) as exchange:
        await exchange.until(b" ")
        echo.say("a", ValueError("secret"))
        await exchange.finished()
    assert error_of(exchange)["code"] == "run_failed"
    echo.say(ValueError("secret"))
    app = app_of(MemoryStore(), echo, json_pings=True)
    assert (await post(app, "/v1/responses", body(), headers=ANN)).status == 500
