from __future__ import annotations

import asyncio
from typing import Any

import pytest

from asgi_stream import Limits
from asgi_stream._request.accept import accept_of, names_event_stream, wants_json
from asgi_stream._request.body import read_body
from asgi_stream._request.query import read_query
from asgi_stream.errors import (
    BodyTimeout,
    BodyTooLarge,
    InvalidRequest,
    StreamError,
    UnsupportedMediaType,
)
from asgi_stream.requests import StreamRequest

pytestmark = pytest.mark.anyio


def request_with(
    *parts: bytes, type_: str | None = "application/json", query: str = "", method: str = "POST",
    length: str | None = None, never_ends: bool = False, limits: Limits | None = None,
    encoding: str | None = None,
) -> StreamRequest:  # fmt: skip
    headers = [(b"content-type", type_.encode())] if type_ is not None else []
    if length is not None:
        headers.append((b"content-length", length.encode()))
    if encoding is not None:
        headers.append((b"content-encoding", encoding.encode()))
    waiting = [*parts]

    async def receive() -> dict[str, Any]:
        if waiting:
            part = waiting.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(waiting) or never_ends}
        await asyncio.Event().wait()
        raise AssertionError

    scope = {
        "type": "http",
        "method": method,
        "headers": headers,
        "query_string": query.encode(),
    }
    return StreamRequest(scope, receive, limits or Limits())


@pytest.mark.parametrize(
    "type_",
    [
        "application/json",
        "application/json; charset=UTF-8",
        'APPLICATION/JSON;charset="utf-8"',
        "application/ld+json",
    ],
)
async def test_a_body_in_parts_is_read(type_: str) -> None:
    assert await read_body(request_with(b'{"a"', b": 1}", type_=type_)) == {"a": 1}


@pytest.mark.parametrize(
    "type_",
    [None, "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
     "application/json; charset=latin-1", "application/jsonx", "text/json+x"],
)  # fmt: skip
async def test_another_media_type_is_refused(type_: str | None) -> None:
    with pytest.raises(UnsupportedMediaType):
        await read_body(request_with(b"{}", type_=type_))


@pytest.mark.parametrize("parts", [(b"[", b"1" * 20, b"]"), (b" " * 11,)])
async def test_a_body_is_refused_as_soon_as_it_exceeds_the_limit(parts: tuple[bytes, ...]) -> None:
    with pytest.raises(BodyTooLarge, match="larger than 10 bytes"):
        await read_body(request_with(*parts, never_ends=True, limits=Limits(body=10)))


async def test_a_content_length_above_the_limit_is_refused_unread() -> None:
    with pytest.raises(BodyTooLarge):
        await read_body(request_with(length="11", never_ends=True, limits=Limits(body=10)))


async def test_a_body_without_a_limit_is_read() -> None:
    limits = Limits(body=None, depth=None, receive=None)
    assert len(await read_body(request_with(b'"' + b"x" * 2**21 + b'"', limits=limits))) == 2**21


async def test_a_body_that_never_ends_times_out() -> None:
    with pytest.raises(BodyTimeout):
        await read_body(request_with(b"[", never_ends=True, limits=Limits(receive=0.01)))


async def test_a_body_is_received_once_and_read_many_times() -> None:
    request = request_with(b'{"a"', b": 1}")
    assert await request.json() == {"a": 1}
    assert await request.body() == b'{"a": 1}'
    assert [part async for part in request.stream()] == [b'{"a": 1}', b""]
    assert [part async for part in request.stream()] == [b'{"a": 1}', b""]
    assert await read_body(request) is await request.json()


async def test_a_body_that_is_streamed_first_can_be_read_afterwards() -> None:
    request = request_with(b"[1", b",2]")
    assert b"".join([part async for part in request.stream()]) == b"[1,2]"
    assert await read_body(request) == [1, 2]


async def test_a_body_that_was_refused_stays_refused() -> None:
    request = request_with(b"[1,", b"2]", limits=Limits(body=4))
    for read in (request.body, request.json, request.body):
        with pytest.raises(BodyTooLarge):
            await read()
    with pytest.raises(BodyTooLarge):
        await read_body(request)


async def test_a_cancelled_read_loses_nothing_of_the_body() -> None:
    more = asyncio.Event()
    parts = [b"[1,", b"2]"]

    async def receive() -> dict[str, Any]:
        if len(parts) == 1:
            await more.wait()
        part = parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    scope = {"type": "http", "method": "POST", "headers": [], "query_string": b""}
    request = StreamRequest(scope, receive, Limits())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(request.body(), 0.01)
    more.set()
    assert await request.json() == [1, 2]


async def test_is_disconnected_loses_nothing_of_the_body() -> None:
    request = request_with(b"[1]")
    assert not await request.is_disconnected()
    assert await request.json() == [1]
    assert not await request.is_disconnected()


@pytest.mark.parametrize("body", [b"", b"{", b"nope", b"\xff", b"[1,]", b"NaN", b'{"a":1}x', b"]["])
async def test_what_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest) as raised:
        await read_body(request_with(body))
    assert raised.value.status == 400


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", False),
        ("*/*", False),
        ("text/event-stream", False),
        ("application/json", True),
        ("Application/JSON;q=0.9, */*;q=0.1", True),
        ("application/json, text/event-stream", False),
        ("application/json, text/plain, */*", False),
        ("application/json;q=0", False),
        ("application/json;q=0, */*", False),
        ("application/json; q=0.000", False),
        ("text/event-stream;q=0, application/json", True),
        ("text/event-stream;q=0, */*", True),
        ("application/json;q=0.1, text/*", False),
        ("text/*;q=0.1, application/json;q=0.2, */*", True),
        ("text/event-stream, text/*;q=0.1, application/json;q=0.5", False),
        ("application/*", True),
        ("text/html", False),
        ("application/json;charset=utf-8;q=0.3;x=1, text/event-stream ; q=0.4", False),
        ("application/json;q=0.3, text/event-stream;q=0.2", True),
        ("application/json;q=2, text/event-stream", False),
        ("application/json;q=0, application/json;v=1", True),
        (",;,q=1", False),
    ],
)
def test_json_is_sent_to_clients_that_prefer_it(accept: str, expected: bool) -> None:
    assert wants_json(accept) is expected


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("text/plain, application/json;q=0.5", False),
        ("text/plain;q=0.5, application/json", True),
        ("text/event-stream, application/json", False),
    ],
)
def test_a_stream_of_plain_text_is_negotiated_by_its_own_type(accept: str, expected: bool) -> None:
    assert wants_json(accept, "text/plain") is expected


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("text/event-stream", True),
        ("Text/Event-Stream;charset=utf-8, */*", True),
        ("text/event-stream;q=0", False),
        ("*/*", False),
        ("text/*", False),
    ],
)
def test_only_the_event_stream_itself_names_it(accept: str, expected: bool) -> None:
    assert names_event_stream(accept) is expected


def test_accept_may_come_in_several_fields() -> None:
    request = request_with()
    request.scope["headers"] += [(b"accept", b"application/json;q=0.5"), (b"accept", b"text/*")]
    assert accept_of(request) == "application/json;q=0.5,text/*"


def query_of(query: str, method: str = "GET", narrows: bool = False, **limits: Any) -> Any:
    request = request_with(query=query, method=method)
    return read_query(request, Limits(**limits), configurable=("thread_id",), narrows=narrows)


def test_a_get_has_its_input_in_the_query() -> None:
    assert query_of("a=1&lastEventId=5")[2] == {"a": "1"}
    assert query_of("question=a%20b&tag=x&tag=y")[2] == {"question": "a b", "tag": ["x", "y"]}
    assert query_of('input={"a":[1]}')[2] == {"a": [1]}
    assert query_of("input=1&other=2")[2] == {"input": "1", "other": "2"}
    assert query_of("")[2] == {}


def test_configurable_keys_are_taken_out() -> None:
    configurable, filter, _ = query_of("thread_id=7", "POST")
    assert configurable == {"thread_id": "7"}
    assert filter is None


def test_a_query_narrows_the_filter() -> None:
    query = "include=on_tool_*,on_chat_*&include=x&exclude_tags=a"
    _, filter, _ = query_of(query, "POST", narrows=True)
    assert filter.include == ("on_tool_*", "on_chat_*", "x")
    assert filter.exclude_tags == ("a",)


@pytest.mark.parametrize(
    ("query", "method", "narrows", "text"),
    [
        ("other=1", "POST", False, "unknown query parameter 'other'"),
        ("include=x", "POST", False, "unknown query parameter 'include'"),
        ("inputs=1", "POST", True, "unknown query parameter 'inputs'"),
        ("__pregel_x=1", "POST", False, "unknown query parameter '__pregel_x'"),
        (
            "thread_id=1&thread_id=2",
            "POST",
            False,
            "thread_id: this parameter may be sent only once",
        ),
        ("input=1&input=2", "GET", False, "input: this parameter may be sent only once"),
        ("input={", "GET", False, "Invalid JSON"),
    ],
)
def test_an_invalid_query_is_refused(query: str, method: str, narrows: bool, text: str) -> None:
    with pytest.raises(StreamError) as raised:
        query_of(query, method, narrows)
    assert text in raised.value.message


def test_a_query_has_the_body_s_limit() -> None:
    with pytest.raises(BodyTooLarge):
        query_of("question=" + "x" * 20, body=20)


@pytest.mark.parametrize("encoding", ["gzip", "identity, br", "Deflate"])
async def test_a_compressed_body_is_refused_with_accept_encoding(encoding: str) -> None:
    with pytest.raises(UnsupportedMediaType, match="uncompressed") as raised:
        await read_body(request_with(b"{}", encoding=encoding))
    assert raised.value.headers == {"Accept-Encoding": "identity"}


@pytest.mark.parametrize("encoding", ["", "identity", "Identity"])
async def test_an_identity_encoding_is_accepted(encoding: str) -> None:
    assert await read_body(request_with(b"{}", encoding=encoding)) == {}
