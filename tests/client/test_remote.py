"""`RemoteRunnable` against a real server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import partial
from signal import pthread_kill
from threading import Timer, main_thread
from typing import Any

import httpx
import pytest
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableGenerator, RunnableLambda, RunnablePassthrough

from asgi_stream import StreamError
from asgi_stream.client import RemoteRunnable
from asgi_stream.client._connection import RemoteStream
from asgi_stream.client._decode import OutputReader
from asgi_stream.client._errors import error_of
from asgi_stream.client._request import RemoteRequest
from asgi_stream.errors import (
    FramesGone,
    InvalidInput,
    NotFound,
    RunFailed,
    RunIncomplete,
    RunTimeout,
    ShuttingDown,
    TooManyRuns,
)
from asgi_stream.events import OutputChunk, RunFinished, TextDelta
from asgi_stream.formats import Frame, load

from ..clients import Notes, new_key, until
from ..models import Recorder
from ..servers import Server
from .cutting import cutting

pytestmark = pytest.mark.anyio
ASK = {"question": "Hi?"}


def remote(server: Server, path: str, **options: Any) -> RemoteRunnable[Any, Any]:
    return RemoteRunnable(f"{server.url}/{path}", **options)


async def streamed(runnable: Any, input: Any = ASK, **kwargs: Any) -> list[Any]:
    return [chunk async for chunk in runnable.astream(input, **kwargs)]


@pytest.mark.parametrize("path", ["tokens", "text", "chain", "langserve"])
async def test_text_is_streamed_and_had_at_once(server: Server, path: str) -> None:
    runnable = remote(server, path, format="langserve" if path == "langserve" else None)
    chunks = await streamed(runnable)
    assert "".join(chunks) == "Hello"
    assert len(chunks) >= 2 or path == "text"
    assert await runnable.ainvoke(ASK) == "Hello"
    assert await asyncio.to_thread(runnable.invoke, ASK) == "Hello"
    assert "".join(await asyncio.to_thread(lambda: list(runnable.stream(ASK)))) == "Hello"
    assert await asyncio.to_thread(runnable.batch, [ASK, ASK]) == ["Hello", "Hello"]
    assert await runnable.abatch([ASK]) == ["Hello"]


async def test_messages_and_documents_are_langchain_s_again(server: Server) -> None:
    runnable = remote(server, "messages")
    chunks = await streamed(runnable)
    assert {type(chunk) for chunk in chunks} == {AIMessageChunk}
    assert sum(chunks[1:], chunks[0]).content == "Hello"
    assert isinstance(await runnable.ainvoke(ASK), AIMessage)
    result = await remote(server, "plain").ainvoke(
        [{"type": "human", "content": "a"}, {"type": "x"}]
    )
    assert result["got"] == [HumanMessage("a", id=None), {"type": "x"}]
    assert result["document"] == Document("page", id="1")
    assert (await remote(server, "plain").ainvoke({"type": "ai", "content": 3}))["got"] == {
        "type": "ai",
        "content": 3,
    }


async def test_it_is_a_step_of_a_chain(server: Server) -> None:
    prompt = ChatPromptTemplate.from_template("{question}")
    chain = prompt | remote(server, "model") | StrOutputParser()
    assert "".join(await streamed(chain)) == "Hello"
    assert await chain.ainvoke(ASK) == "Hello"
    both = RunnablePassthrough.assign(answer=remote(server, "tokens"))
    assert await both.ainvoke(ASK) == {**ASK, "answer": "Hello"}
    pieces = RunnableLambda(lambda x: x) | remote(server, "tokens")
    assert await pieces.ainvoke(ASK) == "Hello"


async def events_of(runnable: Any, input: Any) -> list[dict[str, Any]]:
    return [event async for event in runnable.astream_events(input, version="v2")]


async def test_the_events_of_both_sides_join(server: Server) -> None:
    chain = RunnableLambda(lambda text: text) | remote(server, "everything")
    events = await events_of(chain, "Hi")
    result = [(event["event"], event["name"]) for event in events]
    for name in ("on_retriever_start", "on_retriever_end"):
        assert (name, "Finds") in result
    assert ("on_tool_start", "weather") in result
    assert ("on_tool_end", "weather") in result
    assert ("on_tool_error", "broken") in result
    assert ("on_custom_event", "progress") in result
    model = [event for event in events if event["name"] == "Scripted"]
    assert model[0]["event"] == "on_chat_model_start"
    contents = [e["data"]["chunk"].content for e in model if e["event"] == "on_chat_model_stream"]
    assert "".join(contents) == "Hello"
    assert model[-1]["data"]["output"].content == "Hello"
    # The served steps hang below the step that calls them here.
    [step] = [e for e in events if e["name"] == "everything" and e["event"] == "on_chain_start"]
    assert step["run_id"] in model[0]["parent_ids"]
    assert events[-1]["data"]["output"] == "It said Hello"
    [retrieved] = [e for e in events if e["event"] == "on_retriever_end"]
    assert isinstance(retrieved["data"]["output"][0], Document)


async def test_the_steps_of_a_served_graph_join(server: Server) -> None:
    events = await events_of(remote(server, "agent"), {"messages": [["human", "Hi"]]})
    starts = [event["name"] for event in events if event["event"] == "on_chain_start"]
    assert starts[:2] == ["agent", "model"]
    models = {event["run_id"] for event in events if event["name"] == "Answers"}
    assert len(models) == 2
    assert ("on_tool_end", "add") in [(event["event"], event["name"]) for event in events]


async def test_callbacks_are_told_by_sync_calls_too(server: Server) -> None:
    def traced() -> tuple[Any, Any]:
        first, second = Recorder(), Recorder()
        runnable = remote(server, "everything", name="served")
        chunks = list(runnable.stream("Hi", config={"callbacks": [first], "tags": ["here"]}))
        return first, (chunks, runnable.invoke("Hi", config={"callbacks": [second]}), second)

    first, (chunks, whole, second) = await asyncio.to_thread(traced)
    assert chunks == [whole] == ["It said Hello"]
    assert first.tags == ["here"]
    assert second.run_id != first.run_id


async def test_langserve_s_events_join_where_anyone_listens(server: Server) -> None:
    runnable = remote(server, "langserve", format="langserve")
    events = await events_of(runnable, ASK)
    names = [event["event"] for event in events if event["name"] == "Scripted"]
    assert names[0] == "on_chat_model_start"
    assert names[-1] == "on_chat_model_end"


async def test_keys_of_the_config_are_sent_where_they_are_listed(server: Server) -> None:
    config: Any = {"configurable": {"temperature": 0.5, "other": 1}}
    runnable = remote(server, "warm", configurable=("temperature",))
    assert (await runnable.ainvoke({}, config))["temperature"] == "0.5"
    runnable = remote(server, "warm/langserve", format="langserve", configurable=("temperature",))
    assert (await runnable.ainvoke({}, config))["temperature"] == 0.5
    with pytest.raises(InvalidInput):
        await remote(server, "tokens", params={"nope": "1"}).ainvoke(ASK)


async def test_headers_are_sent(server: Server) -> None:
    with pytest.raises(StreamError, match=r"Who are you\?") as raised:
        await remote(server, "mine").ainvoke(ASK)
    assert (raised.value.code, raised.value.status) == ("unknown_user", 401)
    runnable = remote(server, "mine", headers={"Authorization": "Bearer ann"})
    assert await runnable.ainvoke(ASK) == "Hello"


@pytest.mark.parametrize(
    ("path", "kind", "code"),
    [
        ("fails", RunFailed, "run_failed"),
        ("late", RunFailed, "run_failed"),
        ("late/events", RunFailed, "run_failed"),
        ("slow", RunTimeout, "timeout"),
        ("nowhere", NotFound, "not_found"),
    ],
)
async def test_errors_are_the_classes_of_their_codes(
    server: Server, path: str, kind: type[StreamError], code: str
) -> None:
    runnable = remote(server, path)
    with pytest.raises(kind) as raised:
        await streamed(runnable)
    assert raised.value.code == code
    assert raised.value.id is not None
    assert raised.value.status < 500 or raised.value.id in server.log()
    with pytest.raises(kind):
        await asyncio.to_thread(lambda: list(runnable.stream(ASK)))
    if path not in ("late", "late/events"):
        with pytest.raises(kind):
            await runnable.ainvoke(ASK)


def read(frame: Frame) -> list[Any]:
    events = load("chunks")().decode(frame)
    return [chunk for event in events for chunk in OutputReader().read(event)]


def test_a_gap_is_an_error() -> None:
    with pytest.raises(FramesGone):
        read(Frame("", '{"gap": {"first": 1, "last": 3}}'))
    assert read(Frame("", '{"interrupted": []}')) == []


CHUNKS: list[Any] = [
    None,
    "text",
    {"mode": "values", "data": 1},
    {"mode": "values", "namespace": ["a:b"], "data": 1},
    {"namespace": [], "data": 1},
    {"type": "values", "ns": [], "data": 1, "interrupts": []},
    {"mode": "values", "data": 1, "other": 2},
    {"error": {"code": "a", "message": "b", "id": "c"}, "other": 1},
    {"gap": {"first": 1}},
    {"interrupted": [], "other": 1},
]


@pytest.mark.parametrize("chunk", CHUNKS)
def test_a_chunk_arrives_as_it_was_sent(chunk: Any) -> None:
    assert read(Frame("", json.dumps(chunk))) == [chunk]


async def test_langserve_s_errors(server: Server) -> None:
    runnable = remote(server, "late/langserve", format="langserve")
    with pytest.raises(RunFailed) as raised:
        await streamed(runnable)
    assert raised.value.id is not None
    with pytest.raises(RunFailed):
        await runnable.ainvoke(ASK)


async def test_a_field_that_is_wrong_is_named(server: Server) -> None:
    with pytest.raises(InvalidInput) as raised:
        await remote(server, "tokens").ainvoke({})
    assert raised.value.fields == {"question": "Field required"}


async def test_a_text_that_breaks_off_is_incomplete(server: Server) -> None:
    with pytest.raises(RunIncomplete, match="connection was lost"):
        await streamed(remote(server, "late/text"))


async def test_no_server_and_another_server_are_errors_of_httpx(server: Server) -> None:
    with pytest.raises(httpx.ConnectError):
        await streamed(RemoteRunnable("http://127.0.0.1:9/x"))
    with pytest.raises(httpx.HTTPStatusError, match="422"):
        await streamed(remote(server, "vercel"))


async def test_a_front_end_s_format_is_for_that_front_end(server: Server) -> None:
    with pytest.raises(StreamError, match="format, 'vercel', needs its own client"):
        await streamed(remote(server, "vercel"), {"prompt": "Hi"})
    with pytest.raises(ValueError, match="format: expected one of chunks, events"):
        remote(server, "vercel", format="vercel")


async def test_leaving_ends_the_served_run(server: Server, notes: Notes) -> None:
    for path in ("words", "kept"):
        key = new_key(path)
        async with aclosing(remote(server, path).astream(key)) as chunks:
            async for _ in chunks:
                break
        await until(partial(notes.of, key, "end"))
        assert notes.of(key, "cancel")


async def test_being_cancelled_ends_the_served_run(server: Server, notes: Notes) -> None:
    key = new_key()
    chunks: list[Any] = []

    async def reads() -> None:
        async for chunk in remote(server, "kept").astream(key):
            chunks.append(chunk)

    task = asyncio.create_task(reads())
    await until(lambda: chunks)  # a client without the response does not know the run
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await until(lambda: notes.of(key, "cancel"))
    key = new_key("json")
    task = asyncio.create_task(remote(server, "words").ainvoke(key))
    await until(lambda: notes.of(key, "start"))
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await until(lambda: notes.of(key, "cancel"))


async def test_leaving_by_sync_code_ends_the_served_run(server: Server, notes: Notes) -> None:
    key = new_key()

    def reads_one() -> None:
        chunks: Any = remote(server, "kept").stream(key)
        next(chunks)
        chunks.close()

    await asyncio.to_thread(reads_one)
    await until(lambda: notes.of(key, "cancel"))


async def test_a_run_that_is_left_on_purpose_goes_on(server: Server, notes: Notes) -> None:
    key = new_key()
    async with aclosing(remote(server, "kept", stops=False).astream(key)) as chunks:
        async for _ in chunks:
            break
    with pytest.raises(TimeoutError):
        await until(lambda: notes.of(key, "end"), 0.5)


@pytest.mark.parametrize("sync", [False, True])
async def test_a_broken_connection_is_made_again(server: Server, sync: bool) -> None:
    async with cutting(server.port, after=1500) as (port, cuts):
        runnable: Any = RemoteRunnable(f"http://127.0.0.1:{port}/counts")
        if sync:
            chunks = await asyncio.to_thread(lambda: list(runnable.stream("x")))
        else:
            chunks = await streamed(runnable, "x")
        assert chunks == [f"{n} " for n in range(100)]
        assert len(cuts) >= 3


async def test_it_gives_up_after_so_many_tries(server: Server) -> None:
    async with cutting(server.port, after=1500, refusing=True) as (port, _):
        runnable: Any = RemoteRunnable(f"http://127.0.0.1:{port}/counts", reconnects=1)
        with pytest.raises(RunIncomplete, match="connection was lost"):
            await streamed(runnable, "x")


async def test_a_run_that_cannot_be_resumed_is_incomplete(server: Server) -> None:
    async with cutting(server.port, after=700) as (port, _):
        runnable: Any = RemoteRunnable(f"http://127.0.0.1:{port}/words")
        with pytest.raises(RunIncomplete, match="connection was lost"):
            await streamed(runnable, new_key())


async def test_a_client_of_your_own_is_used_and_left_open(server: Server) -> None:
    async with httpx.AsyncClient() as client:
        runnable: Any = RemoteRunnable(f"{server.url}/tokens", client=client)
        assert await runnable.ainvoke(ASK) == "Hello"
        assert "".join(await streamed(runnable)) == "Hello"
        assert not client.is_closed


async def answered(*answers: httpx.Response) -> tuple[list[Frame], list[httpx.Request]]:
    """Return the frames of a server with these responses, and the requests that it got."""
    requests: list[httpx.Request] = []
    waiting = list(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return waiting.pop(0)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        request = RemoteRequest(url="http://server/x", body=1, headers={}, params={}, client=client)
        frames = [frame async for frame, _ in RemoteStream(request).frames()]
    return frames, requests


def streams(body: bytes, **headers: str) -> httpx.Response:
    kind = {"content-type": "text/event-stream", "x-run-id": "r"}
    return httpx.Response(200, content=body, headers={**kind, **headers})


async def test_a_ping_after_an_id_is_no_frame() -> None:
    frames, _ = await answered(streams(b"id: 1\ndata: 1\n\n: ping\n\ndata: [DONE]\n\n"))
    assert [frame.data for frame in frames] == ["1", "[DONE]"]


async def test_what_broke_before_its_first_frame_is_read_from_the_start() -> None:
    location = {"content-location": "x/runs/r"}
    frames, requests = await answered(streams(b"", **location), streams(b"data: [DONE]\n\n"))
    assert [frame.data for frame in frames] == ["[DONE]"]
    assert [(each.method, each.url.path) for each in requests] == [
        ("POST", "/x"),
        ("GET", "/x/runs/r"),
    ]
    assert "last-event-id" not in requests[1].headers


async def test_a_run_that_has_nothing_more_without_its_end_is_incomplete() -> None:
    location = {"content-location": "x/runs/r"}
    first = streams(b"id: 1\ndata: 1\n\n", **location)
    with pytest.raises(RunIncomplete, match="no longer has the frames"):
        await answered(first, httpx.Response(204), httpx.Response(204))


def test_certificates_are_read_once() -> None:
    runnable: Any = RemoteRunnable("https://127.0.0.1:9/x")
    assert runnable._secured.verify is runnable._secured.verify
    assert isinstance(runnable._secured.verify, ssl.SSLContext)
    assert RemoteRunnable("https://127.0.0.1:9/x", verify=False)._secured.verify is False


GONE = {"error": {"code": "shutdown", "message": "The server is shutting down.", "id": "e"}}
PLACE = {"content-location": "x/runs/r"}
FIRST = b"id: 1\ndata: 1\n\n"
LAST = b"id: 2\ndata: [DONE]\n\n"


@pytest.mark.parametrize(
    "between",
    [
        httpx.Response(503, json=GONE, headers={"Retry-After": "1"}),
        httpx.Response(502, text="<h1>Bad gateway</h1>"),
        streams(f"data: {json.dumps(GONE)}\n\ndata: [DONE]\n\n".encode()),
    ],
)
async def test_a_server_that_goes_is_not_the_run_s_end(between: httpx.Response) -> None:
    frames, requests = await answered(streams(FIRST, **PLACE), between, streams(LAST))
    assert [frame.data for frame in frames] == ["1", "[DONE]"]
    assert [each.method for each in requests] == ["POST", "GET", "GET"]
    assert requests[2].headers["last-event-id"] == "1"


async def test_a_stored_end_is_the_run_s_whatever_it_says() -> None:
    stored = f"id: 2\ndata: {json.dumps(GONE)}\n\nid: 3\ndata: [DONE]\n\n".encode()
    rest = streams(b"data: more\n\n" + stored)
    frames, requests = await answered(streams(FIRST, **PLACE), rest)
    assert [frame.data for frame in frames] == ["1", "more", json.dumps(GONE), "[DONE]"]
    assert len(requests) == 2


async def test_what_will_not_pass_is_raised_and_stops_no_run() -> None:
    gone = {"error": {"code": "not_found", "message": "There is no such run.", "id": "e"}}
    with pytest.raises(NotFound):
        await answered(streams(FIRST, **PLACE), httpx.Response(404, json=gone))
    refused = [httpx.Response(503, json=GONE) for _ in range(6)]
    with pytest.raises(ShuttingDown, match="shutting down"):
        await answered(streams(FIRST, **PLACE), *refused)


async def test_when_to_come_back_is_told() -> None:
    busy = {"error": {"code": "too_many_runs", "message": "Later.", "id": "e"}}
    with pytest.raises(TooManyRuns) as caught:
        await answered(httpx.Response(503, json=busy, headers={"Retry-After": "7"}))
    assert caught.value.headers == {"Retry-After": "7"}


async def test_what_does_not_stream_is_told_by_its_end(server: Server) -> None:
    runnable = remote(server, "finds")
    [documents] = await streamed(runnable, "x")
    assert documents == await runnable.ainvoke("x")
    assert documents == (await asyncio.to_thread(lambda: list(runnable.stream("x"))))[0]
    joined: Any = RunnableLambda(lambda value: value) | runnable
    assert (await events_of(joined, "x"))[-1]["data"]["output"] == documents


async def test_an_output_that_is_filtered_out_is_an_error(server: Server) -> None:
    runnable = remote(server, "models")
    with pytest.raises(StreamError, match="a filter excludes the end"):
        await runnable.ainvoke(ASK)
    with pytest.raises(StreamError, match="a filter excludes the end"):
        await streamed(runnable)
    with pytest.raises(StreamError, match="a filter excludes the end"):
        await asyncio.to_thread(lambda: list(runnable.stream(ASK)))


async def test_an_interrupt_is_part_of_the_output(server: Server) -> None:
    input = {"messages": [["human", "Hi"]]}
    runnable = remote(server, "asks", configurable=("thread_id",))
    output = await runnable.ainvoke(input, {"configurable": {"thread_id": new_key()}})
    assert output["__interrupt__"][0]["value"] == "Sure?"


async def test_input_that_cannot_be_added_up_is_the_last(server: Server) -> None:
    async def several(_: Any) -> AsyncIterator[Any]:
        yield {"a": 1}
        yield {"question": "Hi?"}

    chunks = [
        each async for each in (RunnableGenerator(several) | remote(server, "tokens")).astream(1)
    ]
    assert "".join(chunks) == "Hello"


async def test_another_server_s_answers_are_errors_of_httpx() -> None:
    def remote_with(**answer: Any) -> Any:
        client = httpx.AsyncClient(
            transport=httpx.MockTransport(lambda _: httpx.Response(200, **answer))
        )
        return RemoteRunnable("http://server/x", client=client)

    foreign: list[Any] = [{"html": "<h1>Hi</h1>"}, {"json": {"choices": []}}, {"json": [1]}]
    for answer in foreign:
        with pytest.raises(httpx.DecodingError):
            await remote_with(**answer).ainvoke(1)
    events: Any = {"content": b"data: x\n\n", "headers": {"content-type": "text/event-stream"}}
    with pytest.raises(StreamError, match="format, None, needs its own client"):
        await streamed(remote_with(**events), 1)
    events["headers"]["x-stream-format"] = "tokens"
    with pytest.raises(httpx.DecodingError, match="JSON: 'x'"):
        await streamed(remote_with(**events), 1)


class Breaks(httpx.AsyncByteStream):
    """A body that breaks off after an error."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b'data: {"error": {"message": "no"}}\n\n'
        raise httpx.ReadError("broken")


async def test_a_connection_that_breaks_after_the_end_is_no_error() -> None:
    headers = {"content-type": "text/event-stream"}
    frames, _ = await answered(httpx.Response(200, stream=Breaks(), headers=headers))
    assert [frame.json() for frame in frames] == [{"error": {"message": "no"}}]


async def test_an_error_is_the_end_even_if_the_server_keeps_the_connection_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Open(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b'data: {"error": {"code": "shutdown", "message": "no", "id": "e"}}\n\n'
            await asyncio.sleep(60)

    monkeypatch.setattr("asgi_stream.client._connection.AFTER_ERROR_SECONDS", 0.05)
    headers = {"content-type": "text/event-stream", "x-stream-format": "tokens"}
    async with asyncio.timeout(20):
        frames, _ = await answered(httpx.Response(200, stream=Open(), headers=headers))
    assert [frame.json()["error"]["code"] for frame in frames] == ["shutdown"]
    with pytest.raises(ShuttingDown) as raised:
        raise error_of({"code": "shutdown", "message": "no"})
    assert raised.value.headers == {}


async def test_what_cannot_be_read_stops_a_run_that_would_go_on() -> None:
    place = {"content-location": "x/runs/r", "x-stream-format": "tokens"}
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return streams(b"id: 1\ndata: no json\n\n", **place)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        request = RemoteRequest(url="http://server/x", body=1, headers={}, params={}, client=client)
        with pytest.raises(httpx.DecodingError):
            _ = [frame async for frame in RemoteStream(request).frames()]
    assert [each.method for each in requests] == ["POST", "DELETE"]


async def test_frames_of_an_unknown_format_are_text_if_they_are_text() -> None:
    body = b'event: a\ndata: "Hi"\n\nevent: b\ndata: {"type": "ai", "content": "Ho"}\n\n'
    body += b'event: c\ndata: {"content": "x"}\n\ndata: [DONE]\n\n'
    transport = httpx.MockTransport(lambda _: streams(body))
    async with httpx.AsyncClient(transport=transport) as client:
        request = RemoteRequest(url="http://server/x", body=1, headers={}, params={}, client=client)
        events = [event async for _, events in RemoteStream(request).frames() for event in events]
    modes = [event.mode for event in events if isinstance(event, OutputChunk)]
    assert modes == [None, None, "c"]


async def test_a_redirect_is_not_followed_and_told() -> None:
    with pytest.raises(httpx.HTTPStatusError, match="302"):
        await answered(httpx.Response(302, headers={"location": "/y"}))


async def test_a_format_that_the_server_does_not_name_is_recognized_if_wanted() -> None:
    body = b'data: {"token": "a"}\n\ndata: [DONE]\n\n'
    for recognize, format in ((True, "tokens"), (False, None)):
        transport = httpx.MockTransport(lambda _: streams(body))
        async with httpx.AsyncClient(transport=transport) as client:
            request = RemoteRequest(
                url="http://server/x", body=1, headers={}, params={}, client=client
            )
            stream = RemoteStream(request, recognize=recognize)
            events = [event async for _, events in stream.frames() for event in events]
        assert stream.format == format
        assert [type(event) for event in events] == [
            TextDelta if recognize else OutputChunk,
            RunFinished,
        ]


async def test_a_document_of_a_front_end_comes_whole() -> None:
    frames, _ = await answered(httpx.Response(200, json={"a": 1}))
    assert [frame.json() for frame in frames] == [{"a": 1}]


async def test_the_query_goes_with_each_request_and_credentials_are_the_client_s() -> None:
    requests: list[httpx.Request] = []
    waiting = [streams(FIRST, **PLACE), streams(LAST)]

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return waiting.pop(0)

    transport = httpx.MockTransport(answer)
    async with httpx.AsyncClient(transport=transport, auth=("ann", "x")) as client:
        for params in ({"token": "t"}, {}):
            request = RemoteRequest(
                url="http://server/x?own=1", body=1, headers={}, params=params, client=client
            )
            waiting[:] = [streams(FIRST, **PLACE), streams(LAST)]
            assert len([frame async for frame in RemoteStream(request).frames()]) == 2
    assert all(each.headers["authorization"].startswith("Basic") for each in requests)
    assert [dict(each.url.params) for each in requests] == [
        {"token": "t"},
        {"token": "t"},
        {"own": "1"},
        {},
    ]


def test_ctrl_c_in_sync_code_is_a_keyboard_interrupt_and_ends_the_run(
    server: Server, notes: Notes
) -> None:
    key = new_key()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    chunks: Any = remote(server, "words").stream(key)
    try:
        next(chunks)
        Timer(0.01, pthread_kill, (main_thread().ident, signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            for _ in chunks:
                pass
    finally:
        signal.signal(signal.SIGINT, before)
    deadline = time.monotonic() + 5
    while not notes.of(key, "cancel"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
