"""The reader in JavaScript against real servers, and against faults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from ..clients import Notes, new_key, until
from ..servers import Server
from .javascript import run
from .relaying import HANGS, answer, answering, relaying, sse

pytestmark = pytest.mark.anyio
ASK = {"question": "Hi?"}
COUNTED = "".join(f"{n} " for n in range(100))
KEPT = "Content-Location: /runs/7"
DONE = "id: 7:9\ndata: [DONE]\n\n"
JSON = "Content-Type: application/json"


@pytest.fixture
def read(tmp_path: Path) -> Any:
    async def read(url: str, input: Any = ASK, **task: Any) -> Any:
        return await run("read", tmp_path, url=url, input=input, **task)

    return read


def text_of(outcome: Any) -> str:
    return "".join(each["token"] for each in outcome["events"])


async def test_tokens_are_read_to_the_end(server: Server, read: Any) -> None:
    outcome = await read(f"{server.url}/tokens")
    assert text_of(outcome) == "Hello"
    assert outcome["end"] == "end"
    assert outcome["events"][0] == {
        "name": "",
        "id": outcome["events"][0]["id"],
        "data": {"token": "Hel"},
        "token": "Hel",
    }
    assert outcome["opened"] == [{"runId": outcome["events"][0]["id"]}]


async def test_chunks_and_events_are_data(server: Server, read: Any) -> None:
    [chunk] = (await read(f"{server.url}/plain"))["events"]
    assert chunk["data"] == {"got": ASK, "document": chunk["data"]["document"]}
    events = (await read(f"{server.url}/chain"))["events"]
    assert [each["data"]["event"] for each in events][:: len(events) - 1] == [
        "on_chain_start",
        "on_chain_end",
    ]
    assert {each["token"] for each in events} == {""}


@pytest.mark.parametrize(
    ("path", "input", "last"),
    [
        (
            "vercel",
            {"messages": [{"id": "1", "role": "user", "parts": [{"type": "text", "text": "Hi"}]}]},
            "finish",
        ),
        (
            "openai/chat/completions",
            {"model": "openai", "stream": True, "messages": [{"role": "user", "content": "Hi"}]},
            None,
        ),
        (
            "agui",
            {
                "threadId": "t",
                "runId": "r",
                "messages": [{"id": "1", "role": "user", "content": "Hi"}],
            },
            "RUN_FINISHED",
        ),
        ("langgraph", {"input": {"messages": [["human", "Hi"]]}}, None),
        ("langserve/stream", {"input": ASK}, None),
    ],
)
async def test_other_formats_are_plain_events(
    server: Server, read: Any, path: str, input: Any, last: str | None
) -> None:
    outcome = await read(f"{server.url}/{path}", input)
    assert outcome["end"] == "end"
    events = outcome["events"]
    assert len(events) > 1
    assert last is None or events[-1]["data"]["type"] == last


@pytest.mark.parametrize("path", ["late", "late/langserve/stream"])
async def test_an_error_in_the_stream_is_thrown(server: Server, read: Any, path: str) -> None:
    outcome = await read(f"{server.url}/{path}", {"input": ASK} if "langserve" in path else ASK)
    assert len(outcome["events"]) >= 1
    error = outcome["error"]
    assert (error["name"], error["code"], error["message"]) == (
        "StreamError",
        "run_failed",
        "The run failed.",
    )
    assert len(error["id"]) > 10
    assert "status" not in error


async def test_an_error_response_is_thrown_with_its_fields(server: Server, read: Any) -> None:
    failed = (await read(f"{server.url}/fails"))["error"]
    assert (failed["code"], failed["status"]) == ("run_failed", 500)
    assert len(failed["id"]) > 10
    invalid = (await read(f"{server.url}/tokens", {"no": 1}))["error"]
    assert (invalid["code"], invalid["status"]) == ("invalid_request", 422)
    assert list(invalid["fields"]) == ["question"]


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (
            answer(
                "429 No",
                '{"error": {"code": "too_many_runs", "message": "Wait.", "id": "5"}}',
                JSON,
                "Retry-After: 7",
            ),
            ("too_many_runs", "Wait.", 429, 7),
        ),
        (answer("401 No", '{"detail": "Log in."}', JSON), ("", "Log in.", 401, None)),
        (
            answer("422 No", '{"detail": [{"loc": []}]}', JSON),
            ("", "The server answered with status 422.", 422, None),
        ),
        (
            answer("500 No", "Too bad. (error id 5)", "Content-Type: text/plain"),
            ("", "Too bad. (error id 5)", 500, None),
        ),
        (
            answer("502 Bad Gateway", "<html>", "Content-Type: text/html"),
            ("", "The server answered with status 502.", 502, None),
        ),
        (
            answer("200 OK", "<html>", "Content-Type: text/html"),
            ("", "The server answered with status 200.", 200, None),
        ),
        (answer("500 No", "null", JSON), ("", "The server answered with status 500.", 500, None)),
    ],
)
async def test_every_error_response_has_a_message(
    read: Any, response: bytes, expected: Any
) -> None:
    async with answering(response) as (url, requests):
        error = (await read(url, options={"resume": True}))["error"]
    assert (error["code"], error["message"], error["status"], error.get("retryAfter")) == expected
    assert len(requests) == 1


async def test_a_connection_that_breaks_is_made_again(server: Server, read: Any) -> None:
    async with relaying((server.port, 1500)) as port:
        outcome = await read(f"http://127.0.0.1:{port}/counts", "x", options={"resume": True})
    assert text_of(outcome) == COUNTED
    assert outcome["end"] == "end"
    assert len(outcome["opened"]) >= 3
    assert len({each["id"] for each in outcome["events"]}) == 100


@pytest.mark.parametrize("after", range(900, 1000, 7))
async def test_wherever_a_frame_is_cut_it_arrives_once(
    server: Server, read: Any, after: int
) -> None:
    async with relaying((server.port, after), (server.port, 1e9)) as port:
        outcome = await read(f"http://127.0.0.1:{port}/counts", "x", options={"resume": True})
    assert text_of(outcome) == COUNTED


@pytest.mark.parametrize(("path", "options"), [("words", {"resume": True}), ("kept", {})])
async def test_without_resume_a_break_is_an_error(
    server: Server, read: Any, path: str, options: Any
) -> None:
    async with relaying((server.port, 900)) as port:
        outcome = await read(f"http://127.0.0.1:{port}/{path}", new_key(), options=options)
    assert outcome["error"]["code"] == "connection"
    assert outcome["error"]["message"] == "The connection was lost before the end of the stream."
    assert outcome["events"]
    assert len(outcome["opened"]) == 1


async def test_a_server_that_is_not_there_is_an_error(read: Any) -> None:
    error = (await read("http://127.0.0.1:9/x", options={"resume": True}))["error"]
    assert (error["code"], error["cause"]) == ("connection", "TypeError")


async def test_it_gives_up_after_so_many_tries(read: Any) -> None:
    async with answering(sse('id: 7:1\ndata: {"token": "a"}\n\n', KEPT)) as (url, requests):
        outcome = await read(url, options={"resume": True, "reconnects": 3})
    assert outcome["error"]["code"] == "connection"
    assert [each[0] for each in requests] == ["POST /", *["GET /runs/7"] * 3]
    assert {each[1]["last-event-id"] for each in requests[1:]} == {"7:1"}


async def test_the_server_says_how_long_to_wait(read: Any) -> None:
    busy = answer(
        "503 Busy", '{"error": {"code": "shutdown", "message": "Later."}}', JSON, "Retry-After: 1"
    )
    first = sse('retry: 700\nid: 7:1\ndata: {"token": "a"}\n\n', KEPT)
    async with answering(first, busy, sse('id: 7:2\ndata: {"token": "b"}\n\n' + DONE)) as (
        url,
        requests,
    ):
        outcome = await read(url, options={"resume": True})
    assert (text_of(outcome), outcome["end"]) == ("ab", "end")
    times = [at for _, _, at in requests]
    assert times[1] - times[0] >= 0.7
    assert times[2] - times[1] >= 1


async def test_it_does_not_wait_for_an_hour(read: Any) -> None:
    busy = answer("429 Busy", "", "Retry-After: 3600")
    async with answering(sse("id: 7:1\ndata: 1\n\n", KEPT), busy) as (url, _):
        outcome = await read(url, options={"resume": True})
    assert (outcome["error"]["status"], outcome["error"]["retryAfter"]) == (429, 3600)
    assert outcome["seconds"] < 30


@pytest.mark.parametrize(
    ("response", "code", "status"),
    [
        (answer("204 No Content"), "gone", 204),
        (
            answer("404 Not Found", '{"error": {"code": "not_found", "message": "No."}}', JSON),
            "not_found",
            404,
        ),
    ],
)
async def test_a_run_that_is_gone_is_not_asked_for_again(
    read: Any, response: bytes, code: str, status: int
) -> None:
    async with answering(sse("id: 7:1\ndata: 1\n\n", KEPT), response) as (url, requests):
        outcome = await read(url, options={"resume": True})
    assert (outcome["error"]["code"], outcome["error"]["status"]) == (code, status)
    assert len(requests) == 2


async def test_an_error_about_the_reader_only_is_none_of_the_run(read: Any) -> None:
    about = (
        'data: {"error": {"code": "shutdown", "message": "Later.", "id": "5"}}\n\ndata: [DONE]\n\n'
    )
    first = sse("id: 7:1\ndata: 1\n\n" + about, KEPT)
    async with answering(first, sse("id: 7:2\ndata: 2\n\n" + DONE)) as (url, _):
        outcome = await read(url, options={"resume": True})
    assert [each["data"] for each in outcome["events"]] == [1, 2]
    assert outcome["end"] == "end"
    async with answering(first) as (url, _):
        assert (await read(url))["error"]["code"] == "shutdown"
    of_run = sse("id: 7:1\n" + about, KEPT)
    async with answering(of_run) as (url, requests):
        assert (await read(url, options={"resume": True}))["error"]["code"] == "shutdown"
    assert len(requests) == 1


async def test_silence_is_a_lost_connection(read: Any) -> None:
    first = sse("id: 7:1\ndata: 1\n\n", KEPT) + HANGS
    async with answering(first, sse("id: 7:2\ndata: 2\n\n" + DONE)) as (url, _):
        outcome = await read(url, options={"resume": True, "timeout": 0.3})
    assert [each["data"] for each in outcome["events"]] == [1, 2]


async def test_a_stream_without_ids_does_not_begin_again(read: Any) -> None:
    async with answering(sse("data: 1\n\n", KEPT)) as (url, requests):
        outcome = await read(url, options={"resume": True})
    assert outcome["error"]["code"] == "connection"
    assert len(requests) == 1


async def test_a_gap_is_an_event(server: Server, read: Any) -> None:
    started = await read(f"{server.url}/short", "x", breakAfter=1, options={"stops": False})
    url = started["opened"][0]["url"]
    await until(
        lambda: httpx.get(url, headers={"Accept": "application/json"}).json()["state"] == "done"
    )
    outcome = await read(url, joins=True, lastEventId=started["events"][0]["id"])
    gap, *events = outcome["events"]
    assert gap["gap"] == {"first": 2, "last": gap["gap"]["last"]}
    assert gap["token"] == ""
    assert COUNTED.endswith("".join(each["token"] for each in events))


async def test_an_interrupt_is_an_event_and_has_an_answer(server: Server, read: Any) -> None:
    thread = new_key("a/b ä")
    question = await read(
        f"{server.url}/thread", {"messages": [["human", "x"]]}, options={"thread": thread}
    )
    assert question["opened"][0]["threadId"] == thread
    [interrupt] = question["events"][-1]["interrupted"]
    assert interrupt["value"] == "Sure?"
    assert question["end"] == "end"
    answered = await read(f"{server.url}/thread", {"resume": "yes"}, options={"thread": thread})
    assert answered["events"][-1]["data"]["ask"]["messages"][-1]["content"] == "yes"
    late = await read(f"{server.url}/thread?x=1", {"resume": "yes"}, options={"thread": thread})
    assert late["error"]["status"] == 422
    late = await read(f"{server.url}/thread", {"resume": "yes"}, options={"thread": thread})
    assert (late["error"]["code"], late["error"]["status"]) == ("not_pending", 409)


@pytest.mark.parametrize("path", ["words", "kept"])
@pytest.mark.parametrize("how", [{"breakAfter": 3}, {"abortAfter": 3}])
async def test_leaving_stops_the_run(
    server: Server, notes: Notes, read: Any, path: str, how: Any
) -> None:
    key = new_key()
    outcome = await read(f"{server.url}/{path}", key, **how)
    assert len(outcome["events"]) == 3
    assert outcome.get("error", {}).get("name") == ("AbortError" if "abortAfter" in how else None)
    assert outcome["seconds"] < 8
    await until(lambda: notes.of(key, "cancel"), 5)


@pytest.mark.parametrize(("path", "options"), [("held", {}), ("held/kept", {"resume": True})])
async def test_an_abort_before_the_headers_stops_the_run(
    server: Server, notes: Notes, read: Any, path: str, options: Any
) -> None:
    key = new_key()
    outcome = await read(f"{server.url}/{path}", key, options=options, abortAt=1500)
    assert outcome["error"]["name"] == "AbortError"
    assert outcome["seconds"] < 8
    assert outcome["opened"] == []
    assert notes.of(key, "start")
    await until(lambda: notes.of(key, "cancel"))


async def test_an_abort_during_silence_and_between_connections(
    server: Server, notes: Notes, read: Any
) -> None:
    key = new_key()
    outcome = await read(f"{server.url}/silent/kept", key, abortAt=2000)
    assert outcome["error"]["name"] == "AbortError"
    assert len(outcome["opened"]) == 1
    await until(lambda: notes.of(key, "cancel"), 5)
    first = sse("retry: 20000\nid: 7:1\ndata: 1\n\n", KEPT)
    async with answering(first, answer("202 OK")) as (url, requests):
        outcome = await read(url, abortAt=300, options={"resume": True})
    assert outcome["error"]["name"] == "AbortError"
    assert outcome["seconds"] < 8
    assert [each[0] for each in requests] == ["POST /", "DELETE /runs/7"]


async def test_a_signal_that_is_aborted_already_sends_nothing(read: Any) -> None:
    async with answering() as (url, requests):
        outcome = await read(url, abortAfter=0)
    assert outcome["error"]["name"] == "AbortError"
    assert requests == []


async def test_leaving_may_leave_the_run(server: Server, notes: Notes, read: Any) -> None:
    started = await read(f"{server.url}/counts", "x", breakAfter=3, options={"stops": False})
    [opened] = started["opened"]
    rest = await read(opened["url"], joins=True, lastEventId=started["events"][-1]["id"])
    assert text_of(started) + text_of(rest) == COUNTED
    whole = await read(opened["url"], joins=True)
    assert text_of(whole) == COUNTED
    nothing = await read(opened["url"], joins=True, lastEventId=rest["events"][-1]["id"])
    assert (nothing["events"], nothing["end"]) == ([], "end")


async def test_a_run_that_is_unknown_cannot_be_joined(server: Server, read: Any) -> None:
    url = f"{server.url}/counts/runs/5f0c0000-0000-4000-8000-000000000000"
    assert (await read(url, joins=True))["error"]["status"] == 404
    outcome = await read(url, joins=True, lastEventId=f"{url[-36:]}:3")
    assert outcome["error"]["code"] == "gone"


async def test_each_request_has_fresh_headers(server: Server, read: Any) -> None:
    outcome = await read(f"{server.url}/mine", tokens=["ann"])
    assert text_of(outcome) == "Hello"
    refused = await read(f"{server.url}/mine", options={"headers": {"Authorization": "Bearer x"}})
    assert (refused["error"]["code"], refused["error"]["status"]) == ("unknown_user", 401)
    first, second = sse("id: 7:1\ndata: 1\n\n", KEPT), sse("id: 7:2\ndata: 2\n\n") + HANGS
    async with answering(first, second, answer("202 OK")) as (url, requests):
        await read(url, tokens=["a", "b", "c"], breakAfter=2, options={"resume": True})
    assert [(each[0], each[1]["authorization"]) for each in requests] == [
        ("POST /", "bearer a"),
        ("GET /runs/7", "bearer b"),
        ("DELETE /runs/7", "bearer c"),
    ]
    assert requests[0][1]["content-type"] == "application/json"
